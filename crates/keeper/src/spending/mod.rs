//! What the model calls of the agent cost: counted by day, provider and model, and refused before they are made once they could
//! pass a limit that the vault's owner set. Kept in the vault; told through the channel only.

mod book;
mod calendar;
mod methods;
mod price;
mod providers;
mod reservation;
mod usage;

pub use book::Spending;
pub use price::{Price, Tokens};
pub use providers::ProviderMethods;
pub use reservation::{CallOf, Reservation, SpendingError};
pub(crate) use usage::UsageReader;
