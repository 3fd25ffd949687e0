//! The home on real folders, with real keys, against a store behind a real socket that can fail at any step.

mod durability;
mod hostile;
mod rollback;
mod rotation;
mod speed;
pub(crate) mod store;
pub(crate) mod tree;
mod workshop;
