//! Capabilities: what one person lets another have their keeper do, as a signed text that narrows with each hand that it passes
//! through, and the proof that whoever presents one holds it (`docs/protocol.md`, section 1.9).
//!
//! What is promised here: a text that is accepted is the one canonical writing (RFC 8785) of what was signed; a link of a chain
//! never allows more than the one before it; a presentation is good for one keeper, one request and a few minutes. That one is
//! used once, is not counted out and was not revoked is for whoever has a memory: this module only says what to remember.

mod chain;
mod error;
mod key;
mod known;
mod manage;
mod member_names;
mod presentation;
mod request;
mod resource;
mod steering;
mod terms;
mod token;

pub use chain::{Granted, Link, verify_chain};
pub use error::{CapabilityError, Wider};
pub use key::{Hash, Nonce, SignerKey};
pub use known::KnownChains;
pub use manage::ManageRequest;
pub use presentation::{Management, Presentable, Presentation, PresentationOf};
pub use request::SharedRequest;
pub use resource::Resource;
pub use steering::{Steering, has_parameters, percent_decoded, steering, steering_in_query};
pub use terms::{Constraints, Rate, Scope, Scopes};
pub use token::{Capability, NewCapability};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The one version of each of these texts.
const VERSION: u8 = 1;
/// The largest number that every implementation of JSON reads exactly (RFC 8785, section 3.2.2.3).
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// The canonical writing of a value.
fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a struct of text and numbers serialises")
}

/// What is signed: the domain, a zero byte, and the canonical writing of what bears no signature yet.
fn signed_bytes(domain: &[u8], unsigned: &impl Serialize) -> Vec<u8> {
    [domain, &[0], &canonical(unsigned)].concat()
}

/// Reads a text that must be the canonical writing of what it says.
fn parse<T: Serialize + DeserializeOwned>(text: &[u8], most: usize) -> Result<T, CapabilityError> {
    if text.len() > most {
        return Err(CapabilityError::TooLarge(most));
    }
    let value: T = serde_json::from_slice(text).map_err(|_| CapabilityError::Malformed)?;
    if canonical(&value) == text {
        Ok(value)
    } else {
        Err(CapabilityError::NotCanonical)
    }
}
