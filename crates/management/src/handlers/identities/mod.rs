//! The public keys of people's vaults, handed out as they were handed in.

pub(crate) mod list;
pub(crate) mod put;
