//! The vault on disk, and who may use it when.
//!
//! What is promised here: a write is durable when it is acknowledged, and nothing is replaced before the new file was read
//! back and opened; a file that is not understood is never written over; the keys are in memory only between an unlock and the
//! next lock; wrong passwords are counted durably before they are answered.

mod attempts;
mod copy;
mod disk;
mod error;
mod identity;
mod idle;
mod keyring;
mod model;
mod policy;
mod proof;
mod records;
mod registration;
mod rotation;
mod service;
mod slots;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

pub use copy::VaultCopy;
pub use error::VaultError;
pub use idle::{BeforeLock, LockReason, UnderWay};
pub use keyring::Sealer;
pub(crate) use model::ModelParams;
pub use model::{ModelKind, ModelSettings};
pub(crate) use policy::Policy;
pub(crate) use proof::Challenge;
pub use proof::FreshProof;
pub use records::Record;
pub(crate) use registration::NewSlotParams;
pub(crate) use rotation::{RotationStatus, old_key};
pub use service::{Unlocked, VaultNotice, VaultService};
pub(crate) use service::{lock as unpoisoned, public_slots};
