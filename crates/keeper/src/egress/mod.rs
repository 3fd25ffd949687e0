//! How anything leaves a cell: the agent has no network interface, and its keeper connects only to addresses that the
//! policy allows, checked after name resolution. What is connected to is the address that was checked.

mod accept;
mod policy;
mod proxy;
mod resolve;

#[cfg(test)]
mod tests;

pub(crate) use accept::accept;
pub use policy::{EgressMode, EgressPolicy, EgressSettings};
pub use protocol::address::{Refusal, refusal};
pub use proxy::EgressProxy;
pub(crate) use proxy::strip_hop_by_hop;
pub use resolve::{Lookup, NamedAddresses, ResolveError, resolve};
