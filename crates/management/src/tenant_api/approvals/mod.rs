//! What a tenant's agent asks for before it does it: nobody but the developer's program can answer, since no person opens such a vault.
//! What is asked comes from the cell when it is asked for, and is kept nowhere else; webhooks hear that there is something.

pub(crate) mod answer;
pub(crate) mod list;
pub(crate) mod settings;
mod told;

pub(crate) use told::{heard, start};
