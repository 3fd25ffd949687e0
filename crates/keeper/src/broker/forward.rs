//! The agent's calls: which part of the broker they are for, and the call to its model provider. Its headers and credential stay
//! here, the body goes through as it comes.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Limited;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;
use tokio::sync::OwnedSemaphorePermit;

use super::error::BrokerError;
use super::provider::Provider;
use super::redact::Redactor;
use super::{Broker, answer, paths, routes};
use crate::egress::accept;
use crate::limits;

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

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

impl Broker {
    /// Serves the agent for ever.
    pub async fn serve(self, listener: UnixListener) -> Infallible {
        accept(listener, limits::BROKER_CONNECTIONS, |stream| {
            let broker = self.clone();
            async move {
                let service = service_fn(move |request| {
                    let broker = broker.clone();
                    async move {
                        Ok::<_, Infallible>(match broker.dispatch(request).await {
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

    async fn dispatch(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        if request.uri().path().starts_with(routes::PREFIX) {
            self.through(request).await
        } else {
            self.forward(request).await
        }
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
        answer_of(&provider, response, permit)
    }
}

fn answer_of(
    provider: &Provider,
    response: reqwest::Response,
    permit: OwnedSemaphorePermit,
) -> Result<Answer, BrokerError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(BrokerError::Redirect(status));
    }
    answer::check_encoding(&response)?;
    let redactor = Redactor::new(&[provider.key()]);
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let text = name.as_str();
        let allowed =
            RESPONSE_HEADERS.contains(&text) || RESPONSE_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        if allowed && !redactor.finds(value.as_bytes()) {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut answer = Response::new(answer::body(response, redactor, permit));
    // OpenClaw puts a credential aside for a minute when it is refused, also when its owner has put it right by then. The
    // credential is none of its business: to the agent, it is the call that was refused, in the provider's words.
    *answer.status_mut() = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => StatusCode::BAD_REQUEST,
        other => other,
    };
    *answer.headers_mut() = headers;
    Ok(answer)
}
