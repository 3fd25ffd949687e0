//! The relay against a real PostgreSQL and over real WebSockets.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod delivery;
mod isolation;
mod killed;
mod limits;
mod news;
mod ordering;
mod revocations;
mod speed;
mod support;
