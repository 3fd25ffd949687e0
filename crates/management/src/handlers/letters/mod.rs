//! Carrying letters between vaults: sealed by one, opened by another, opaque here. Goes when the relay carries them.

pub(crate) mod list;
pub(crate) mod received;
pub(crate) mod send;
