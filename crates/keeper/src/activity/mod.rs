//! What was done with the vault's secrets: what, when, and where to. For its owner alone: it is kept in the vault and told
//! through the channel only. It is bounded, and an agent that makes a noise cannot push out what its owner did.

mod book;
mod entry;
mod methods;
mod telling;

pub(crate) use book::UNTOLD;
pub use book::{Activity, LastUse};
pub use entry::{Asked, Deed, What};
pub use telling::tell_deeds;
