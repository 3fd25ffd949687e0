//! One call of the agent through a route.

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, Request, Response};
use secrecy::ExposeSecret as _;

use super::super::error::BrokerError;
use super::super::forward::Answer;
use super::super::redact::Redactor;
use super::super::upstream::Upstream;
use super::super::{Broker, answer};
use super::body::{CallBody, steering};
use super::error::RouteError;
use super::route::Route;
use super::store::Routes;
use super::{changes, deletes, location, path};
use crate::activity::{Deed, What};
use crate::approvals::{Action, Ceiling, Verdict};
use crate::egress::strip_hop_by_hop;
use crate::limits;
use crate::rates::By;
use crate::secrets::{AgentMay, Secret};

/// What of the agent's request headers a service never sees: other credentials, where it comes from, and what would let a secret in
/// the answer pass unseen (other encodings, pieces of an answer) or a method pass as another.
const NOT_SENT: [&str; 17] = [
    "host",
    "authorization",
    "cookie",
    "content-length",
    "accept-encoding",
    "range",
    "if-range",
    "expect",
    "forwarded",
    "via",
    "x-real-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "user-agent",
];

/// What of the service's response headers the agent never sees.
const NOT_TOLD: [&str; 5] = [
    "set-cookie",
    "content-length",
    "content-encoding",
    "alt-svc",
    "location",
];

/// One call through a route.
pub(super) struct Call {
    pub route: String,
    /// The path below the route's base URL, empty or with its first `/`.
    pub below: String,
    pub query: String,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: CallBody,
    /// It is counted, and what changes something is asked of the owner, where the route says so; what deletes, always.
    pub by_agent: bool,
}

/// A request as it goes out, but for the secret.
pub(super) struct Sent<'a> {
    pub method: Method,
    pub below: &'a str,
    pub query: &'a str,
    pub headers: HeaderMap,
    pub body: reqwest::Body,
}

/// What of the agent's headers goes on.
fn sent(mut headers: HeaderMap, route: &Route) -> HeaderMap {
    strip_hop_by_hop(&mut headers);
    headers
        .into_iter()
        .scan(None, |last, (name, value)| {
            *last = name.or_else(|| last.take());
            Some((last.clone()?, value))
        })
        .filter(|(name, _)| {
            let dashed = name.as_str().replace('_', "-");
            !NOT_SENT.contains(&dashed.as_str()) && !dashed.starts_with("x-forwarded-") && !route.inject.is_header(name)
        })
        .collect()
}

/// The call as its owner is asked about it.
fn asked(route: &Route, method: &Method, below: &str, query: &str, headers: &HeaderMap, body: &Bytes) -> Action {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| {
            let value = text(value.as_bytes()).unwrap_or_else(|| protocol::b64::encode(value.as_bytes()));
            (name.as_str().to_owned(), value)
        })
        .collect();
    headers.sort();
    let words = text(body);
    Action::CallService {
        service: route.name.clone(),
        base_url: route.base_url.clone(),
        secret: route.secret,
        method: method.as_str().to_owned(),
        path: below.to_owned(),
        query: query.to_owned(),
        headers,
        body_is_text: words.is_some(),
        body: words.unwrap_or_else(|| protocol::b64::encode(body)),
        tool: None,
    }
}

impl Broker {
    pub(in crate::broker) async fn through(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let routes = self.shared.routes.as_ref().ok_or(RouteError::Unknown)?;
        let name = path::split(request.uri().path()).map(|(name, _)| name.to_owned());
        let outcome = routes.call(request).await;
        if let Err(BrokerError::Route(error)) = &outcome {
            routes.note_refused(&name.unwrap_or_default(), error);
        }
        outcome
    }
}

impl Routes {
    /// The route, and its secret if the agent may use it.
    pub(super) fn open(&self, name: &str) -> Result<(Route, Secret), RouteError> {
        let route = self.get(name)?;
        let secret = self.secrets.get(route.secret)?;
        if secret.agent < AgentMay::Use {
            return Err(RouteError::NotAllowed);
        }
        Ok((route, secret))
    }

    /// Whether this route and its secret are what the agent would be given now.
    ///
    /// # Errors
    /// [`RouteError::Changed`]; why it would not be given them, such as a vault that was locked.
    pub(super) fn still(&self, route: &Route, secret: &Secret) -> Result<(), RouteError> {
        let (now, key) = self.open(&route.name)?;
        let same_key = key.username == secret.username && key.value.expose_secret() == secret.value.expose_secret();
        if now == *route && same_key {
            Ok(())
        } else {
            Err(RouteError::Changed)
        }
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let (parts, body) = request.into_parts();
        if parts.uri.authority().is_some() || parts.uri.scheme().is_some() {
            return Err(RouteError::AbsoluteUrl.into());
        }
        let (name, below) = path::split(parts.uri.path()).ok_or(RouteError::Unknown)?;
        self.perform(Call {
            route: name.to_owned(),
            below: below.to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            method: parts.method,
            headers: parts.headers,
            body: CallBody::Streamed(body),
            by_agent: true,
        })
        .await
    }

    /// Makes one call, if it may be made.
    pub(super) async fn perform(&self, call: Call) -> Result<Answer, BrokerError> {
        let (route, secret) = self.open(&call.route)?;
        if route.tools.is_some() {
            return Err(RouteError::ToolServer.into());
        }
        path::check(&call.below)?;
        let changes = changes(call.method.as_str());
        match call.method {
            Method::CONNECT | Method::TRACE => return Err(RouteError::Method.into()),
            _ if changes && route.read_only => return Err(RouteError::ReadOnly.into()),
            _ => {}
        }
        let most = limits::ROUTE_REQUEST_BYTES;
        if call.body.least() > most {
            return Err(RouteError::TooLarge.into());
        }
        self.upstream(&route.base_url)?;
        if call.by_agent {
            self.rates.check(By::AGENT, &route.name).map_err(RouteError::from)?;
        }
        let query = path::query_without(&call.query, route.inject.parameter());
        let headers = sent(call.headers, &route);
        let asks = call.by_agent && self.asks_owner(&route, call.method.as_str())?;
        // What is held is held until the service begins to answer.
        let (body, held) = if asks {
            (call.body.whole_to_show().await?, None)
        } else {
            call.body.whole_to_read(&call.method, &headers, &self.held).await?
        };
        if held.is_some() {
            // It may have been long in coming.
            self.still(&route, &secret)?;
        }
        route.check_steering(steering(&query, &headers, &body))?;
        if let CallBody::Whole(whole) = &body
            && asks
        {
            let action = asked(&route, &call.method, &call.below, &query, &headers, whole);
            self.ask_owner(&action, &route).await?;
        } else if call.by_agent {
            self.count(&route, changes).await?;
        }
        self.exchange(
            &route,
            &secret,
            Sent {
                method: call.method,
                below: &call.below,
                query: &query,
                headers,
                body: body.sent(most),
            },
            true,
        )
        .await
    }

    /// Whether a call of the agent is asked about: what deletes always is. A service that is not asked about otherwise is a yes of one person to
    /// every other change: not while two are needed.
    pub(super) fn asks_owner(&self, route: &Route, method: &str) -> Result<bool, RouteError> {
        Ok(deletes(method) || changes(method) && (route.ask || self.approvals.is_of_two_now()?))
    }

    /// One more call of the agent about which nobody is asked.
    pub(super) async fn count(&self, route: &Route, changes: bool) -> Result<(), RouteError> {
        Ok(self.rates.count(By::AGENT, &route.name, changes).await?)
    }

    /// Ends well when the owner allows exactly this, and it is still for the same: then it is counted, too.
    pub(super) async fn ask_owner(&self, action: &Action, route: &Route) -> Result<(), BrokerError> {
        let ceiling = Ceiling {
            rates: &self.rates,
            by: By::AGENT,
            service: &route.name,
        };
        let asked = self.approvals.ask(action, Some(ceiling), limits::APPROVAL_HELD);
        match asked.await.map_err(RouteError::from)? {
            Verdict::Allowed => {}
            Verdict::Denied { reason } => return Err(RouteError::Denied(reason).into()),
            Verdict::Waiting { second: true, .. } => return Err(RouteError::AskedSecond.into()),
            Verdict::Waiting { .. } => return Err(RouteError::AskedOwner.into()),
        }
        // Time has passed: what was allowed was for this route and secret as they were.
        if self.open(&route.name)?.0 != *route {
            return Err(RouteError::AskedOwner.into());
        }
        Ok(())
    }

    /// One request with the secret in it, and its answer without.
    pub(super) async fn exchange(
        &self,
        route: &Route,
        secret: &Secret,
        sent: Sent<'_>,
        noted: bool,
    ) -> Result<Answer, BrokerError> {
        let upstream = self.upstream(&route.base_url)?;
        let permit = self.calls.clone().try_acquire_owned().map_err(|_| BrokerError::Busy)?;
        let mut url = upstream.base().clone();
        if !sent.below.is_empty() {
            url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), sent.below));
        }
        url.set_query((!sent.query.is_empty()).then_some(sent.query));
        let mut headers = sent.headers;
        // Compressed, the secret could not be found in the answer.
        headers.insert("accept-encoding", HeaderValue::from_static("identity"));
        headers.insert("user-agent", HeaderValue::from_static("holdfast"));
        // RFC 9110, section 8.6: what may have content says that it has none. Some servers refuse it otherwise (411).
        if matches!(sent.method, Method::POST | Method::PUT | Method::PATCH)
            && sent.body.as_bytes().is_some_and(<[u8]>::is_empty)
        {
            headers.insert("content-length", HeaderValue::from_static("0"));
        }
        let told = route.inject.put(secret, &mut url, &mut headers)?;

        if noted {
            self.note_use(&upstream, secret)?;
        }
        let response = upstream
            .client()
            .request(sent.method, url.clone())
            .headers(headers)
            .body(sent.body)
            .send()
            .await
            .map_err(|error| upstream.failed(&error))?;
        answer::check_encoding(&response)?;
        let secrets: Vec<&str> = told.iter().map(|text| text.as_str()).collect();
        let redactor = Redactor::new(&secrets);
        let mut headers = response.headers().clone();
        strip_hop_by_hop(&mut headers);
        let mut clean = HeaderMap::new();
        for (name, value) in &headers {
            let hidden = NOT_TOLD.contains(&name.as_str()) || redactor.finds(name.as_str().as_bytes());
            if !hidden && !redactor.finds(value.as_bytes()) {
                clean.append(name.clone(), value.clone());
            }
        }
        let to = headers
            .get(LOCATION)
            .and_then(|value| {
                location::for_agent(value.to_str().ok()?, &url, upstream.base(), &route.name, &route.inject)
            })
            .filter(|to| !redactor.finds(to.as_bytes()))
            .and_then(|to| HeaderValue::from_str(&to).ok());
        if let Some(to) = to {
            clean.insert(LOCATION, to);
        }
        let status = response.status();
        let mut answer = Response::new(answer::body(response, redactor, permit, None));
        *answer.status_mut() = status;
        *answer.headers_mut() = clean;
        Ok(answer)
    }

    /// What cannot be noted is not done.
    pub(super) fn note_use(&self, upstream: &Upstream, secret: &Secret) -> Result<(), RouteError> {
        let deed = Deed::new(What::SecretUsed, upstream.host()).with(secret.id, secret.name.as_str());
        Ok(self.activity.note(deed)?)
    }
}
