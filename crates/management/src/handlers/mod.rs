//! One HTTP operation a file: what it takes, what it answers, what it does. `docs/protocol.md`, section 5, lists them.

pub(crate) mod accounts;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod cell;
pub(crate) mod contract;
pub(crate) mod destinations;
pub(crate) mod factors;
pub(crate) mod group_invitations;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod instance;
pub(crate) mod invitations;
pub(crate) mod join_domains;
pub(crate) mod join_requests;
pub(crate) mod joining;
pub(crate) mod keys;
pub(crate) mod letters;
pub(crate) mod me;
pub(crate) mod operator;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod providers;
pub(crate) mod push;
pub(crate) mod recovery;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod step_up;

use crate::person::{Email, Name};
use crate::problem::ApiError;
use crate::secret_token::SecretToken;

pub(crate) fn name(field: &'static str, text: &str) -> Result<Name, ApiError> {
    Name::parse(text).map_err(|reason| ApiError::InvalidField { field, reason })
}

/// At most so many of what was found, and whether there is more, for who asked for one more than that.
fn listed<T>(mut found: Vec<T>, most: i64) -> (Vec<T>, bool) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    (found, more)
}

fn email(text: &str) -> Result<Email, ApiError> {
    Email::parse(text).map_err(|reason| ApiError::InvalidField { field: "email", reason })
}

fn link_token(text: &str) -> Result<SecretToken, ApiError> {
    SecretToken::parse(text).ok_or(ApiError::LinkInvalid)
}
