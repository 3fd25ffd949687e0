//! The cell with its real vault, home, broker and control connection; the agent and the platform's other side are played
//! by the tests.

mod agent;
pub mod bench;
mod crash;
mod furnished;
mod ladder;
mod platform;
mod prepare;
mod start;
