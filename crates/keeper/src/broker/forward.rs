//! One call of the agent to its model provider: its headers and credential stay here, the body goes through as it comes.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;
use tokio::sync::OwnedSemaphorePermit;

use super::provider::{Provider, ProviderError};
use super::redact::Redactor;
use super::{Broker, paths};
use crate::egress::accept;
use crate::limits;

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// What of the agent's request headers the provider sees. Neither a credential nor a cookie nor where it comes from.
const REQUEST_HEADERS: [&str; 6] = [
    "content-type",
    "accept",
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "idempotency-key",
];

/// What of the provider's response headers the agent sees, and whatever begins with one of [`RESPONSE_PREFIXES`].
const RESPONSE_HEADERS: [&str; 7] = [
    "content-type",
    "cache-control",
    "retry-after",
    "retry-after-ms",
    "request-id",
    "x-request-id",
    "x-should-retry",
];
const RESPONSE_PREFIXES: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "openai-processing-"];

/// Why the agent gets no answer of the provider.
#[derive(Debug, thiserror::Error)]
enum BrokerError {
    #[error("{0}")]
    Provider(#[from] ProviderError),
    #[error("this path is not one that the agent may ask its model provider for")]
    Path,
    #[error("the request is larger than {max} bytes (MODEL_REQUEST_BYTES)", max = limits::MODEL_REQUEST_BYTES)]
    TooLarge,
    #[error("too many calls to the model provider at once (BROKER_CALLS)")]
    Busy,
    #[error("the provider answered with a redirect ({0}), which is not followed: check the base URL")]
    Redirect(StatusCode),
}

impl BrokerError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Provider(ProviderError::Locked | ProviderError::Vault(_) | ProviderError::NoModel) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Provider(ProviderError::AddressRefused(..) | ProviderError::NoTls | ProviderError::BadUrl(_)) => {
                StatusCode::FORBIDDEN
            }
            Self::Provider(_) | Self::Redirect(_) => StatusCode::BAD_GATEWAY,
            Self::Path => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Provider(error) => error.code(),
            Self::Path => "not_found",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Redirect(_) => "provider_refused",
        }
    }

    /// As both protocols write errors.
    fn answer(&self) -> Answer {
        let text = serde_json::json!({
            "type": "error",
            "error": {"type": self.code(), "code": self.code(), "message": self.to_string()},
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
        response
    }
}

impl ProviderError {
    /// The stable code of this error, for the agent and in the channel.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Locked => "vault_locked",
            Self::Vault(_) => "vault",
            Self::NoModel => "no_model",
            Self::BadUrl(_) | Self::NoTls => "model_invalid",
            Self::AddressRefused(..) => "address_refused",
            Self::Unreachable(_) | Self::Tls(_) => "provider_unreachable",
        }
    }
}

impl Broker {
    /// Serves the agent for ever.
    pub async fn serve(self, listener: UnixListener) -> Infallible {
        accept(listener, limits::BROKER_CONNECTIONS, |stream| {
            let broker = self.clone();
            async move {
                let service = service_fn(move |request| {
                    let broker = broker.clone();
                    async move {
                        Ok::<_, Infallible>(match broker.forward(request).await {
                            Ok(answer) => answer,
                            Err(error) => error.answer(),
                        })
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    tracing::debug!("broker connection: {error}");
                }
            }
        })
        .await
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let provider = self.provider()?;
        let permit = self
            .shared
            .calls
            .clone()
            .try_acquire_owned()
            .map_err(|_| BrokerError::Busy)?;
        let (parts, body) = request.into_parts();
        let url = paths::target(
            provider.kind(),
            provider.base(),
            &parts.method,
            parts.uri.path(),
            parts.uri.query(),
        )
        .ok_or(BrokerError::Path)?;
        let most = limits::MODEL_REQUEST_BYTES;
        if body.size_hint().lower() > most {
            return Err(BrokerError::TooLarge);
        }
        let mut headers = HeaderMap::new();
        for name in REQUEST_HEADERS {
            if let Some(value) = parts.headers.get(name) {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
        // Compressed, the key could not be found in the answer.
        headers.insert("accept-encoding", HeaderValue::from_static("identity"));
        headers.insert("user-agent", HeaderValue::from_static("holdfast"));
        provider.authorise(&mut headers)?;
        let body = reqwest::Body::wrap(Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX)));
        let response = provider
            .client()
            .request(parts.method, url)
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| provider.failed(&error))?;
        answer(&provider, response, permit)
    }
}

fn answer(
    provider: &Provider,
    response: reqwest::Response,
    permit: OwnedSemaphorePermit,
) -> Result<Answer, BrokerError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(BrokerError::Redirect(status));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let text = name.as_str();
        let allowed =
            RESPONSE_HEADERS.contains(&text) || RESPONSE_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        let key = provider.key().as_bytes();
        let tells_key = !key.is_empty() && value.as_bytes().windows(key.len()).any(|window| window == key);
        if allowed && !tells_key {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut redactor = Redactor::new(provider.key());
    let parts = response
        .bytes_stream()
        .map_ok(Some)
        .chain(futures::stream::iter([Ok(None)]))
        .map(move |part| {
            // The call is counted until its answer has ended.
            let _counted = &permit;
            part.map_err(|error| std::io::Error::other(error.without_url().to_string()))
                .map(|part| match part {
                    Some(part) => redactor.pass(part),
                    None => redactor.end(),
                })
        })
        .try_filter(|part| std::future::ready(!part.is_empty()))
        .map_ok(Frame::data);
    let mut answer = Response::new(StreamBody::new(parts).boxed_unsync());
    // OpenClaw puts a credential aside for a minute when it is refused, also when its owner has put it right by then. The
    // credential is none of its business: to the agent, it is the call that was refused, in the provider's words.
    *answer.status_mut() = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => StatusCode::BAD_REQUEST,
        other => other,
    };
    *answer.headers_mut() = headers;
    Ok(answer)
}
