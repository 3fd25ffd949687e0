//! Whole-system tests: the real binary, Docker, PostgreSQL and OpenClaw. `cargo xtask test` builds what they run.

mod first_conversation;
mod http_edges;
mod refusals;
mod setup;
