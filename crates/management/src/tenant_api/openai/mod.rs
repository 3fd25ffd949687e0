//! The tenant API as clients of OpenAI's speak it: chat completions, responses, models. Their official libraries work with `base_url`
//! and a tenant's key.

pub(crate) mod completions;
pub(crate) mod errors;
mod functions;
pub(crate) mod models;
mod prompt;
mod response;
pub(crate) mod responses;

use sha2::{Digest as _, Sha256};

use super::access;
use super::failure::Failure;
use super::sessions;
use super::turn;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_tenants::ApiTenant;

/// A name for the agent itself, whatever its model is.
const AGENT: &str = "openclaw";

/// Before the name of an agent, where a model is named.
const OF_AGENTS: &str = "holdfast/";

/// The agent that a request's `model` names, and its model.
async fn model(app: &App, tenant: &ApiTenant, wanted: &str) -> Result<(ApiAgent, String), ApiError> {
    let agent = agent(app, tenant, wanted).await?;
    let model = turn::model_of(&agent)?.to_owned();
    Ok((agent, model))
}

/// The agent that is meant by the name of a model: the first agent by its model or as `openclaw`, each as `holdfast/<its name>`.
async fn agent(app: &App, tenant: &ApiTenant, wanted: &str) -> Result<ApiAgent, ApiError> {
    let main = tenant.main();
    let model = main.model.as_ref().map(|model| model.name.clone());
    let is_own = wanted == AGENT || model.as_deref() == Some(wanted);
    let named = wanted.strip_prefix(OF_AGENTS).filter(|_| !is_own);
    let agent = match named {
        Some(name) => access::agent(app, tenant, Some(name)).await,
        None if is_own => Ok(main),
        None => Err(ApiError::NotFound),
    };
    match agent {
        Err(ApiError::NotFound | ApiError::BadRequest(_)) => {
            let own = match model {
                Some(model) => format!("`{model}`, also called `{AGENT}`"),
                None => format!("`{AGENT}`"),
            };
            let words = format!(
                "The model `{wanted}` does not exist. This tenant has {own}, and `{OF_AGENTS}` with the name of each agent."
            );
            let status = axum::http::StatusCode::NOT_FOUND;
            Err(ApiError::Agent(Failure::new(status, "model_not_found", &words)))
        }
        agent => agent,
    }
}

/// The session of a `user`, which may be any text.
fn session_of(user: &str) -> String {
    match sessions::check(user) {
        Ok(id) => id.to_owned(),
        Err(_) => {
            let digest = Sha256::digest(user.as_bytes());
            let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("u-{hex}")
        }
    }
}

/// What is asked for and is not there is refused by name, not passed over.
fn refuse(field: &'static str, reason: &str) -> ApiError {
    ApiError::InvalidField {
        field,
        reason: reason.to_owned(),
    }
}

/// The same, where it is asked for.
fn refuse_where(is_asked_for: bool, field: &'static str, reason: &str) -> Result<(), ApiError> {
    match is_asked_for {
        true => Err(refuse(field, reason)),
        false => Ok(()),
    }
}

/// Whether an answer in this format is one in words. A program that asks for another counts on it.
fn is_text(format: Option<&serde_json::Value>) -> bool {
    format.is_none_or(|format| format["type"] == "text")
}

/// What to do instead of asking for a format.
const IN_WORDS: &str =
    "The agent answers in words: leave it out, and say in the message what the answer is to look like.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_session_whatever_it_is_called() {
        assert_eq!(session_of("anna-1"), "anna-1");
        let mail = session_of("anna@example.org");
        assert!(sessions::check(&mail).is_ok(), "{mail}");
        assert_eq!(mail, session_of("anna@example.org"));
        assert_ne!(mail, session_of("bob@example.org"));
        assert!(sessions::check(&session_of("")).is_ok());
    }
}
