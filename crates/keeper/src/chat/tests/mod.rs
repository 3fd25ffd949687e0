//! Conversations against recorded and re-enacted OpenClaw; against the real one in `tests/`.

mod functions;
mod keeper;
mod kill;
mod manage;
pub(crate) mod openclaw;
mod recorded;
mod turns;
