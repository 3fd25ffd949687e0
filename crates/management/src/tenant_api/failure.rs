//! Why a turn, or another thing that a cell was asked for, came to nothing: a code, words, and the status that it is answered with.

use std::time::Duration;

use axum::http::StatusCode;
use protocol::channel::ChannelError;
use protocol::limits::FUNCTION_WAIT;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::agents::AgentError;
use crate::limits;
use crate::problem::ApiError;

/// Told as the last event of a stream, or as a problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatFailure)]
pub(crate) struct Failure {
    /// For programs. It never changes its meaning.
    pub code: String,
    pub message: String,
    #[serde(
        rename = "retry_after_ms",
        skip_serializing_if = "Option::is_none",
        serialize_with = "millis"
    )]
    #[schema(value_type = Option<u64>)]
    pub retry_after: Option<Duration>,
    #[serde(skip)]
    pub status: StatusCode,
    /// The agent was told the words of the turn already: the same request would tell it them again.
    #[serde(skip)]
    pub ran: bool,
}

fn millis<S: Serializer>(wait: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        .serialize(serializer)
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
            status,
            ran: false,
        }
    }

    /// The same request would fail again, or tell the agent its words again: no library is to send it by itself.
    pub(crate) fn is_not_to_be_tried_again(&self) -> bool {
        self.ran || LASTING.contains(&self.code.as_str())
    }

    /// The cell cannot be reached; in so long it may be.
    pub(super) fn unavailable(message: &str, again: Duration) -> Self {
        Self {
            retry_after: Some(again),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "cell_unavailable", message)
        }
    }

    /// The same, of what nobody waits for.
    pub(super) fn no_room(again: Duration) -> Self {
        Self::unavailable("What room there is for cells is left to requests.", again)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(StatusCode::CONFLICT, "cancelled", "The turn was stopped.")
    }

    pub(crate) fn interrupted() -> Self {
        let words = "The agent stopped while it answered. Nothing is repeated by itself: ask again.";
        Self::new(StatusCode::BAD_GATEWAY, "interrupted", words)
    }

    /// A client sent a result of a call that no turn of its made, or none that is still remembered.
    pub(crate) fn unknown_call() -> Self {
        let words = format!(
            "No turn waits for a result of this call: it was not made here, by this agent and in this session, or its turn has ended. A turn \
             waits {} seconds for results (`FUNCTION_WAIT`).",
            FUNCTION_WAIT.as_secs()
        );
        Self::new(StatusCode::BAD_REQUEST, "unknown_call", &words)
    }

    /// A client did not come back with the results of what the agent called.
    pub(crate) fn not_answered() -> Self {
        let words = "The results of the functions that the agent called did not come in time.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "results_missing", words)
    }

    /// The client wanted a function called, and the turn ended without.
    pub(crate) fn not_called() -> Self {
        let words = "The agent ended the turn without the call that `tool_choice` wants: ask again, or leave it to the agent (`auto`).";
        Self::new(StatusCode::FAILED_DEPENDENCY, "function_not_called", words)
    }

    /// It is answered, and could be lost: its cell goes on trying.
    pub(crate) fn not_saved(why: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_saved", why)
    }

    /// Part of what was said did not come this far.
    pub(crate) fn events_lost() -> Self {
        let words = "More happened meanwhile than is kept, or it was lost on the way: read the session.";
        Self::new(StatusCode::GONE, "events_lost", words)
    }

    /// Nobody reads on with a key that does not work any more.
    pub(crate) fn key_ended() -> Self {
        let words = "The key of this request was revoked, or its time is over: with it nothing more is told.";
        Self::new(StatusCode::UNAUTHORIZED, "key_ended", words)
    }

    pub(crate) fn too_late() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "turn_time",
            "The turn took too long and was stopped.",
        )
    }
}

/// Conflicts that stay until somebody does something about them.
const LASTING: [&str; 2] = ["no_model", "too_many_conversations"];

/// Of a failure with this code, what the keeper advises somebody who has its pages, and what helps a developer, who has not.
const ADVICE: [(&str, &str, &str); 3] = [
    (
        "spending_limit",
        "You can change the limit under “Models and spending”.",
        "What may be spent is in `limits`, and what a call costs is the `price` of the `model`: PATCH the tenant, or the agent.",
    ),
    (
        "model_refused_key",
        "Check the model's key in the settings.",
        "PATCH the tenant, or the agent, with another `key` of its `model`.",
    ),
    (
        "model_unknown",
        "Check the model's name in the settings.",
        "PATCH the tenant, or the agent, with a `model` that its provider has.",
    ),
];

/// The keeper's words, with what helps a developer.
fn advised(error: &ChannelError) -> String {
    let Some((_, theirs, ours)) = ADVICE.iter().find(|(code, ..)| error.code == *code) else {
        return error.message.clone();
    };
    let words = error.message.strip_suffix(theirs).unwrap_or(&error.message);
    format!("{} {ours}", words.trim_end()).trim_start().to_owned()
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        use StatusCode as S;
        let status = match error.code.as_str() {
            "unknown_call" | "result_missing" | "turn_over" => S::BAD_REQUEST,
            "message_empty"
            | "functions_invalid"
            | "title_empty"
            | "title_too_long"
            | "conversation_too_long"
            | "malformed"
            | "model_invalid"
            | "template_invalid"
            | "address_refused"
            | "out_of_range"
            | "price_missing"
            | "reason_too_long" => S::UNPROCESSABLE_ENTITY,
            "message_too_large" => S::PAYLOAD_TOO_LARGE,
            "unknown_conversation" | "unknown_message" | "unknown_approval" | "unknown_job" => S::NOT_FOUND,
            "no_model"
            | "turn_running"
            | "too_many_conversations"
            | "already_decided"
            | "approval_expired"
            | "approval_changed" => S::CONFLICT,
            "queue_full" | "too_many_requests" | "model_rate_limited" | "backoff" => S::TOO_MANY_REQUESTS,
            // Of the model's provider, with the tenant's own key: asking us again does not help.
            "model_refused_key"
            | "model_billing"
            | "model_unknown"
            | "model_refused"
            | "provider_refused"
            | "provider_unreachable" => S::FAILED_DEPENDENCY,
            "spending_limit" => S::PAYMENT_REQUIRED,
            "model_overloaded" | "model_timeout" | "vault_locked" | "not_ready" | "disk_full" | "disk" => {
                S::SERVICE_UNAVAILABLE
            }
            _ => S::BAD_GATEWAY,
        };
        let wait = error.retry_after_ms.map(Duration::from_millis);
        let in_vain = matches!(status, S::SERVICE_UNAVAILABLE | S::TOO_MANY_REQUESTS);
        Self {
            status,
            ran: false,
            retry_after: wait.or_else(|| in_vain.then_some(Duration::from_secs(5))),
            message: advised(&error),
            code: error.code,
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Unavailable { message, retry_after } => Self::unavailable(&message, retry_after),
            error @ AgentError::Gone => Self::new(StatusCode::NOT_FOUND, "not_found", &error.to_string()),
            AgentError::Refused(error) => error.into(),
            AgentError::Failed(message) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "cell_failed", &message),
        }
    }
}

/// Of what fails on our side, a stream is told what an answer would have been.
impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Agent(failure) => failure,
            error => {
                let (status, code, _) = error.kind();
                Self {
                    retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(limits::BUSY_AGAIN),
                    ..Self::new(status, code, &error.to_string())
                }
            }
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self::Agent(failure)
    }
}

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        Self::Agent(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_developer_is_advised_what_to_patch_and_no_page_that_they_have_not() {
        let keeper = include_str!("../../../keeper/src/chat/failure.rs");
        for (code, theirs, ours) in ADVICE {
            assert!(keeper.contains(theirs), "{code}: the keeper says something else");
            for (said, told) in [
                (format!("It is refused. {theirs}"), format!("It is refused. {ours}")),
                (theirs.to_owned(), ours.to_owned()),
                ("It is refused.".to_owned(), format!("It is refused. {ours}")),
            ] {
                let failure = Failure::from(ChannelError::new(code, said));
                assert_eq!((failure.code.as_str(), failure.message), (code, told));
            }
        }
        let other = Failure::from(ChannelError::new("queue_full", "It is full."));
        assert_eq!(other.message, "It is full.");
    }

    #[test]
    fn a_cell_that_is_removed_meanwhile_is_not_there() {
        let gone = Failure::from(AgentError::Gone);
        assert_eq!((gone.status.as_u16(), gone.code.as_str()), (404, "not_found"));
    }
}
