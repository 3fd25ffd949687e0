//! Passkeys for signing in: showing one, making, naming and removing one's own.

pub(crate) mod begin;
pub(crate) mod challenge;
pub(crate) mod create;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod sign_in;
pub(crate) mod step_up;
