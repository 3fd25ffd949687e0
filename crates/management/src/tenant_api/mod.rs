//! The tenant API: an isolated agent for each of a developer's own users, over HTTP, with the user's own model key. It is there only
//! where the operator has turned it on.

pub(crate) mod access;
mod agents;
pub(crate) mod approvals;
mod chat;
mod event;
mod failure;
pub(crate) mod idempotency;
mod open_requests;
mod openai;
pub(crate) mod orphans;
mod platform_keys;
mod requests;
mod routes;
pub(crate) mod schedules;
pub(crate) mod sessions;
mod shares;
mod sse;
mod templates;
mod tenants;
mod turn;
mod turn_event;
mod turns;
mod usage;

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use agents::{AgentError, AgentEvent, Listening, ModelParams, PlatformAgents, RemovedCell};
pub(crate) use event::EventKind;
pub(crate) use failure::Failure;
pub(crate) use openai::errors::{ErrorBody, OpenAiError};
pub(crate) use requests::TenantTooOften;
pub(crate) use routes::{Keyed, all, front};

use crate::cell_control::CellRef;
use crate::custody::{Custody, MasterKeyIn};
use crate::limits;
use crate::session_watch::KeyWatch;
use open_requests::OpenRequests;
use requests::Requests;
use shares::Shares;
use turns::Turns;

/// The operator's token, as its hash. No `Debug`.
pub struct AdminToken([u8; 32]);

/// It could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the operator's token for the tenant API needs at least {} bytes (ADMIN_TOKEN_BYTES): `openssl rand -hex 32` makes one",
    limits::ADMIN_TOKEN_BYTES
)]
pub struct AdminTokenTooShort;

impl AdminToken {
    /// Takes what `<data-dir>/admin-token` or the environment holds; white space around it does not count.
    ///
    /// # Errors
    /// It is shorter than `limits::ADMIN_TOKEN_BYTES`.
    pub fn new(text: &str) -> Result<Self, AdminTokenTooShort> {
        let text = text.trim().as_bytes();
        match text.len() >= limits::ADMIN_TOKEN_BYTES {
            true => Ok(Self(Sha256::digest(text).into())),
            false => Err(AdminTokenTooShort),
        }
    }

    /// Compared by hash, so in a time that says nothing of the token.
    fn is(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.0.ct_eq(&presented).into()
    }
}

/// What the tenant API works with.
pub struct TenantApiParts {
    pub admin_token: AdminToken,
    pub custody: Arc<Custody>,
    pub master_key_in: MasterKeyIn,
    pub agents: Arc<dyn PlatformAgents>,
}

/// The tenant API, turned on.
pub(crate) struct TenantApi {
    pub admin_token: AdminToken,
    pub custody: Arc<Custody>,
    pub master_key_in: MasterKeyIn,
    pub agents: Arc<dyn PlatformAgents>,
    pub turns: Turns,
    pub requests: Requests,
    pub open: OpenRequests,
    pub keys: KeyWatch,
    pub shares: Shares,
}

impl TenantApi {
    pub(crate) fn new(parts: TenantApiParts, keys: KeyWatch) -> Self {
        Self {
            admin_token: parts.admin_token,
            custody: parts.custody,
            master_key_in: parts.master_key_in,
            agents: parts.agents,
            turns: Turns::default(),
            requests: Requests::default(),
            open: OpenRequests::default(),
            keys,
            shares: Shares::default(),
        }
    }

    /// Calls a method of a cell's channel for a request that waits for nothing else, in `limits::CELL_ANSWER`.
    pub(crate) async fn ask(&self, cell: CellRef, method: &'static str, params: Value) -> Result<Value, AgentError> {
        in_time(self.agents.call(cell, method, params)).await
    }

    /// Gives a cell's keeper these models, in the order in which they are asked, in `limits::CELL_ANSWER`.
    pub(crate) async fn set_models(&self, cell: CellRef, models: Vec<ModelParams>) -> Result<(), AgentError> {
        in_time(self.agents.set_models(cell, models)).await
    }

    /// The same of the model that is asked first; the others stay.
    pub(crate) async fn set_model(&self, cell: CellRef, model: ModelParams) -> Result<(), AgentError> {
        in_time(self.agents.set_model(cell, model)).await
    }
}

/// What a keeper answers, in `limits::CELL_ANSWER`: one that stays silent would hold for ever who asks, and what they alone may do.
async fn in_time<T>(answer: impl Future<Output = Result<T, AgentError>>) -> Result<T, AgentError> {
    let answer = tokio::time::timeout(limits::CELL_ANSWER, answer).await;
    answer.unwrap_or_else(|_| {
        Err(AgentError::Unavailable {
            message: format!(
                "The cell did not answer in {} seconds (`CELL_ANSWER`). What was asked of it may still be done: ask again.",
                limits::CELL_ANSWER.as_secs()
            ),
            retry_after: limits::BUSY_AGAIN,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_could_be_guessed_is_refused_and_white_space_does_not_count() {
        let long = "t".repeat(limits::ADMIN_TOKEN_BYTES);
        assert!(AdminToken::new(&format!(" {}\n", &long[1..])).is_err());
        assert!(AdminToken::new(&format!(" {long}\n")).is_ok_and(|token| token.is(&long)));
    }
}
