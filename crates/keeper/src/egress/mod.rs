//! How anything leaves a cell: the agent has no network interface, and its keeper connects only to addresses that the
//! policy allows, checked after name resolution. What is connected to is the address that was checked.

mod accept;
mod address;
mod proxy;
mod resolve;

#[cfg(test)]
mod tests;

pub(crate) use accept::accept;
pub use address::{Refusal, refusal};
pub use proxy::EgressProxy;
pub use resolve::{NamedAddresses, ResolveError, resolve};
