//! The agent's calls: which part of the broker they are for, and the call to its model provider. Its headers and credential stay
//! here, the body goes through as it comes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::UnixListener;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::Meter;
use super::error::BrokerError;
use super::provider::{Provider, ProviderError};
use super::redact::Redactor;
use super::{Broker, answer, paths, routes, steps, told};
use crate::activity::{Deed, What};
use crate::egress::accept;
use crate::limits;
use crate::mcp;
use crate::spending::{CallOf, Reservation, SpendingError};
use crate::vault_service::ModelSettings;

/// What came of a call.
type Outcome = Result<(reqwest::Response, Arc<Provider>, Option<Reservation>), BrokerError>;

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
                            Err(error) => error.answer(&broker.shared.unlock),
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
        } else if request.uri().path() == mcp::PATH
            && let Some(tools) = &self.shared.tools
        {
            let answer = tools.handle(request).await;
            Ok(answer.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
        } else if request.uri().path() == told::PATH {
            self.tell(request).await
        } else {
            self.forward(request).await
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let (step, path) = steps::read(request.uri().path()).ok_or(BrokerError::Path)?;
        let path = path.to_owned();
        let mut all = steps::of(self.shared.source.settings().map_err(ProviderError::from)?);
        if all.is_empty() {
            return Err(ProviderError::NoModel.into());
        }
        // The agent was started for another order, and is about to be started for this one.
        if step >= all.len() {
            return Err(BrokerError::Path);
        }
        let is_last = step + 1 == all.len();
        let settings = all.swap_remove(step);
        let first = settings.first().ok_or(ProviderError::NoModel)?;
        let (first, first_id) = (first.model.clone(), first.id);
        let mut order = self.shared.providers.in_order(settings);
        let busy = |_| BrokerError::Busy;
        let permit = self.shared.calls.clone().try_acquire_owned().map_err(busy)?;
        let (parts, body) = request.into_parts();
        let most = limits::MODEL_REQUEST_BYTES;
        if body.size_hint().lower() > most {
            return Err(BrokerError::TooLarge);
        }
        let room = body.size_hint().exact().unwrap_or(most);
        let room = u32::try_from(room).map_err(|_| BrokerError::TooLarge)?;
        let held = self.shared.held.clone().try_acquire_many_owned(room).map_err(busy)?;
        let body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX))
            .collect()
            .await
            .map_err(|_| BrokerError::TooLarge)?
            .to_bytes();
        let asked = if parts.method == Method::GET {
            Asked::default()
        } else {
            serde_json::from_slice(&body).map_err(|_| BrokerError::Body)?
        };
        if asked.background == Some(true) {
            return Err(BrokerError::Background);
        }
        let choices = asked.choices();
        if choices > limits::CHOICES {
            return Err(BrokerError::Choices);
        }
        let most_output = asked.most_output(&path);
        // What the agent calls by another name than the one it was given is for the first alone.
        let model = asked.model.as_deref().filter(|model| *model != first);
        if model.is_some() {
            order.retain(|settings| settings.id == first_id);
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
        let call = Call {
            method: parts.method,
            path,
            query: parts.uri.query().map(str::to_owned),
            headers,
            body: body.clone(),
            model: model.map(str::to_owned),
            most_output,
            choices,
            named: asked.model.is_some(),
        };
        let (outcome, go_on) = self.ask_each(order, &call).await;
        drop(held);
        // What it calls by a name of its own is for that one provider.
        if go_on && !is_last && call.model.is_none() && call.method != Method::GET {
            return Err(BrokerError::NextStep);
        }
        if let (Err(BrokerError::Spending(error)), Some(spending)) = (&outcome, &self.shared.spending) {
            // Refused all the same if it cannot be noted.
            let _locked = spending.note(Deed::new(What::ModelRefused, "").because(error.code()));
        }
        let (response, provider, reservation) = outcome?;
        answer_of(&provider, response, permit, reservation)
    }

    /// One call to one after the other, until somebody answers; and whether somebody of another protocol may do better than all of them.
    async fn ask_each(&self, order: Vec<ModelSettings>, call: &Call) -> (Outcome, bool) {
        let mut outcome = Err(ProviderError::NoModel.into());
        for settings in order {
            let id = settings.id;
            outcome = self.ask(settings, call).await;
            let rest = match &outcome {
                Ok((response, ..)) if is_down(response.status()) => retry_after(response),
                Err(BrokerError::Provider(ProviderError::Upstream(_))) => None,
                // One whose price is not set may stand before one whose price is.
                Err(BrokerError::Spending(SpendingError::NoPrice(_))) => continue,
                _ => return (outcome, false),
            };
            self.shared.providers.rest(id, rest);
        }
        (outcome, true)
    }

    /// One call to one provider.
    async fn ask(&self, settings: ModelSettings, call: &Call) -> Outcome {
        let provider = self.shared.providers.client(settings, &self.shared.named)?;
        let url = paths::target(
            provider.kind(),
            provider.base(),
            &call.method,
            &call.path,
            call.query.as_deref(),
        )
        .ok_or(BrokerError::Path)?;
        let body = call.body_for(provider.model())?;
        let mut reservation = match &self.shared.spending {
            Some(spending) if call.costs() => Some(spending.reserve(CallOf {
                provider: provider.host().to_owned(),
                model: call.model.clone().unwrap_or_else(|| provider.model().to_owned()),
                // The price is of the model that it was set for.
                price: provider.price().filter(|_| call.model.is_none()),
                request: u64::try_from(body.len()).unwrap_or(u64::MAX),
                most_output: call.most_output,
                choices: call.choices,
            })?),
            _ => None,
        };
        if let Some(spending) = &self.shared.spending {
            spending.note(Deed::new(What::ModelCalled, provider.host()))?;
        }
        let mut headers = call.headers.clone();
        provider.authorise(&mut headers)?;
        if let Some(reservation) = &mut reservation {
            reservation.sent();
        }
        let sent = provider
            .client()
            .request(call.method.clone(), url)
            .headers(headers)
            .body(body)
            .send()
            .await;
        let taken = match &sent {
            Ok(response) => response.status().is_success(),
            Err(error) => !error.is_connect(),
        };
        if !taken && let Some(reservation) = reservation.take() {
            reservation.refused();
        }
        let response = sent.map_err(|error| provider.failed(&error))?;
        if let Some(reservation) = &mut reservation {
            reservation.answered();
        }
        Ok((response, provider, reservation))
    }
}

/// What of the agent's request decides who may be asked, and for how much. A field that comes twice is refused.
#[derive(Deserialize, Default)]
struct Asked<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
    best_of: Option<u64>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    background: Option<bool>,
}

impl Asked<'_> {
    /// The most output of one answer, as what is asked for at this path takes it.
    fn most_output(&self, path: &str) -> Option<u64> {
        match path {
            "/v1/embeddings" => Some(0),
            "/v1/responses" => self.max_output_tokens,
            _ => self.max_tokens.max(self.max_completion_tokens),
        }
    }

    /// How many answers it asks for: `n`, or out of how many these are chosen, to each of its prompts.
    fn choices(&self) -> u64 {
        let each = self.n.max(self.best_of).unwrap_or(1).max(1);
        let listed: Vec<&RawValue> = self
            .prompt
            .and_then(|prompt| serde_json::from_str(prompt.get()).ok())
            .unwrap_or_default();
        // A list of numbers is one prompt, in tokens.
        let prompts = listed.iter().filter(|one| one.get().starts_with(['"', '['])).count();
        each.saturating_mul(u64::try_from(prompts.max(1)).unwrap_or(u64::MAX))
    }
}

/// A call of the agent, as it is sent to whoever is asked.
struct Call {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    /// The model, where it is not the one that the agent was given.
    model: Option<String>,
    most_output: Option<u64>,
    choices: u64,
    /// Whether the body names a model.
    named: bool,
}

impl Call {
    /// Whether a provider charges for it.
    fn costs(&self) -> bool {
        self.method != Method::GET && self.path != "/v1/messages/count_tokens"
    }

    /// The body with the model's name as this provider knows it.
    fn body_for(&self, model: &str) -> Result<Bytes, BrokerError> {
        if !self.named || self.model.is_some() {
            return Ok(self.body.clone());
        }
        let mut fields: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_slice(&self.body).map_err(|_| BrokerError::Body)?;
        let name = serde_json::value::to_raw_value(model).map_err(|_| BrokerError::Body)?;
        if fields.get("model").is_some_and(|known| known.get() == name.get()) {
            return Ok(self.body.clone());
        }
        fields.insert(Cow::Borrowed("model"), &name);
        serde_json::to_vec(&fields)
            .map(Bytes::from)
            .map_err(|_| BrokerError::Body)
    }
}

/// Whether the next provider may do better.
fn is_down(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn answer_of(
    provider: &Provider,
    response: reqwest::Response,
    permit: OwnedSemaphorePermit,
    reservation: Option<Reservation>,
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
    let stream = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let meter = reservation.map(|reservation| Meter::new(reservation, stream));
    let mut answer = Response::new(answer::body(response, redactor, permit, meter));
    // The credential is none of OpenClaw's business, which has none: to the agent, it is the call that was refused, in the provider's
    // words.
    *answer.status_mut() = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => StatusCode::BAD_REQUEST,
        other => other,
    };
    *answer.headers_mut() = headers;
    Ok(answer)
}
