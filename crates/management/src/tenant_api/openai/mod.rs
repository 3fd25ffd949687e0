//! The tenant API as clients of OpenAI's speak it: chat completions, responses, models. Their official libraries work with `base_url`
//! and a tenant's key.

pub(crate) mod completions;
pub(crate) mod errors;
pub(crate) mod models;
mod prompt;
mod response;
pub(crate) mod responses;

use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::sessions;
use super::turn;
use crate::problem::ApiError;
use crate::storage::api_tenants::ApiTenant;

/// A name for the agent itself, whatever its model is.
const AGENT: &str = "openclaw";

/// The model that a request names: the tenant's own, or the agent.
fn model<'a>(tenant: &'a ApiTenant, wanted: &str) -> Result<&'a str, ApiError> {
    let model = turn::model_of(tenant)?;
    match wanted == model || wanted == AGENT {
        true => Ok(model),
        false => {
            let words =
                format!("The model `{wanted}` does not exist. This tenant has `{model}`, also called `{AGENT}`.");
            let status = axum::http::StatusCode::NOT_FOUND;
            Err(ApiError::Agent(Failure::new(status, "model_not_found", &words)))
        }
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

const NO_TOOLS: &str = "The agent uses tools of its own and does not call the client's. Leave `tools` out.";

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
