//! Why the agent gets no answer, in the form that the model protocols write errors.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

use super::forward::Answer;
use super::provider::ProviderError;
use super::routes::RouteError;
use super::upstream::UpstreamError;
use crate::limits;
use crate::spending::SpendingError;
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultError;

#[derive(Debug, thiserror::Error)]
pub(super) enum BrokerError {
    #[error("{0}")]
    Provider(#[from] ProviderError),
    #[error("{0}")]
    Route(#[from] RouteError),
    #[error("{0}")]
    Upstream(#[from] UpstreamError),
    #[error("{0}")]
    Spending(#[from] SpendingError),
    #[error("the body is not the JSON of a call to a model")]
    Body,
    #[error(
        "a call in the background is not made, because its answer does not tell what it costs: ask without `background`"
    )]
    Background,
    #[error("a call may ask for at most {max} answers at once (CHOICES): ask for fewer", max = limits::CHOICES)]
    Choices,
    #[error("this path is not one that the agent may ask its model provider for")]
    Path,
    #[error("the request is larger than {max} bytes (MODEL_REQUEST_BYTES)", max = limits::MODEL_REQUEST_BYTES)]
    TooLarge,
    #[error("a request for secrets is {{\"protocolVersion\":1,\"ids\":[…]}}")]
    Asked,
    #[error(
        "at most {} secrets in {} bytes are asked for at once (SECRETS_ASKED, SECRETS_ASKED_BYTES)",
        limits::SECRETS_ASKED,
        limits::SECRETS_ASKED_BYTES
    )]
    TooManyAsked,
    #[error("too many calls at once (BROKER_CALLS, MODEL_HELD_BYTES; of services: ROUTE_CALLS, ROUTE_HELD_BYTES)")]
    Busy,
    #[error("no provider of this protocol answers at the moment, so the next one in the order is asked")]
    NextStep,
    #[error("the provider answered with a redirect ({0}), which is not followed: check the base URL")]
    Redirect(StatusCode),
    #[error("the server answered in an encoding ({0}) that was not asked for, in which the key could not be found")]
    Encoded(String),
}

impl From<VaultError> for BrokerError {
    fn from(error: VaultError) -> Self {
        Self::Provider(error.into())
    }
}

impl BrokerError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Provider(ProviderError::Locked | ProviderError::Vault(_) | ProviderError::NoModel) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Provider(ProviderError::Upstream(UpstreamError::Unreachable(_) | UpstreamError::Tls(_)))
            | Self::Upstream(UpstreamError::Unreachable(_) | UpstreamError::Tls(_)) => StatusCode::BAD_GATEWAY,
            // Not 403, as with the provider's own: to OpenClaw it is the call that was refused, and no credential.
            Self::Provider(ProviderError::Upstream(_)) => StatusCode::BAD_REQUEST,
            Self::Upstream(_) => StatusCode::FORBIDDEN,
            Self::Provider(ProviderError::Key) | Self::Redirect(_) | Self::Encoded(_) => StatusCode::BAD_GATEWAY,
            Self::Route(error) => error.status(),
            Self::Spending(SpendingError::Vault(_)) => StatusCode::SERVICE_UNAVAILABLE,
            // Not 429: it would be tried again, and again.
            Self::Spending(_) => StatusCode::BAD_REQUEST,
            Self::Body | Self::Background | Self::Choices | Self::Asked => StatusCode::BAD_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::TooLarge | Self::TooManyAsked => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::NextStep => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::Provider(error) => error.code(),
            Self::Route(error) => error.code(),
            Self::Upstream(error) => error.code(),
            Self::Spending(SpendingError::Limit { .. }) => "spending_limit",
            Self::Spending(SpendingError::NoPrice(_)) => "price_missing",
            Self::Spending(SpendingError::Vault(error)) => error.code(),
            Self::Body | Self::Asked => "malformed",
            Self::Background => "background_refused",
            Self::Choices => "too_many_choices",
            Self::Path => "not_found",
            Self::TooLarge | Self::TooManyAsked => "too_large",
            Self::Busy => "busy",
            // As both protocols call it: OpenClaw looks at the name, too.
            Self::NextStep => "rate_limit_error",
            Self::Redirect(_) => "provider_refused",
            Self::Encoded(_) => "answer_encoded",
        }
    }

    /// As both protocols write errors.
    pub fn answer(&self, unlock: &UnlockLink) -> Answer {
        let message = unlock.told(self.code(), &self.to_string());
        let text = serde_json::json!({
            "type": "error",
            "error": {"type": self.code(), "code": self.code(), "message": message},
        })
        .to_string();
        let body = Full::new(Bytes::from(text))
            .map_err(|never| match never {})
            .boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/json"));
        if matches!(self, Self::NextStep) {
            let headers = response.headers_mut();
            headers.insert("retry-after", HeaderValue::from(limits::NEXT_STEP_RETRY.as_secs()));
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}
