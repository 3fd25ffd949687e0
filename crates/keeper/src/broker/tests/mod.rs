//! The broker between a real agent's socket and a real HTTP server.

mod calls;
mod model_test;
pub(crate) mod provider;
mod speed;
