//! Named secrets: API keys, tokens, logins, texts. They are in the vault; the agent uses one only if its owner said so, and
//! then mostly without seeing it. A value leaves this module for the person who asks for it or exports all of them, for a request of the agent on its
//! way out, or for the agent itself where its owner allowed that; each of it is noted before it happens.

mod error;
mod export;
mod methods;
mod secret;
mod store;

pub use error::SecretError;
pub use secret::{AgentMay, Secret, SecretKind};
pub use store::Secrets;
