//! One call of the agent through a route.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, Request, Response};

use super::super::error::BrokerError;
use super::super::forward::Answer;
use super::super::redact::Redactor;
use super::super::{Broker, answer};
use super::error::RouteError;
use super::route::Route;
use super::store::Routes;
use super::{location, path};
use crate::activity::{Deed, What};
use crate::egress::strip_hop_by_hop;
use crate::limits;
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

impl Broker {
    pub(in crate::broker) async fn through(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let routes = self.shared.routes.as_ref().ok_or(RouteError::Unknown)?;
        let name = path::split(request.uri().path()).map(|(name, _)| name.to_owned());
        let outcome = routes.call(request).await;
        if let Err(BrokerError::Route(error)) = &outcome {
            // A noise that is not noted does not make the refusal any weaker.
            let _locked = routes
                .activity
                .note(Deed::new(What::SecretRefused, name.unwrap_or_default()).because(error));
        }
        outcome
    }
}

impl Routes {
    /// The route, and its secret if the agent may use it.
    fn open(&self, name: &str) -> Result<(Route, Secret), RouteError> {
        let route = self.get(name)?;
        let secret = self.secrets.get(route.secret)?;
        if secret.agent < AgentMay::Use {
            return Err(RouteError::NotAllowed);
        }
        Ok((route, secret))
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let (parts, body) = request.into_parts();
        if parts.uri.authority().is_some() || parts.uri.scheme().is_some() {
            return Err(RouteError::AbsoluteUrl.into());
        }
        let (name, below) = path::split(parts.uri.path()).ok_or(RouteError::Unknown)?;
        let (route, secret) = self.open(name)?;
        path::check(below)?;
        match parts.method {
            Method::CONNECT | Method::TRACE => return Err(RouteError::Method.into()),
            Method::GET | Method::HEAD => {}
            _ if route.read_only => return Err(RouteError::ReadOnly.into()),
            _ => {}
        }
        let most = limits::ROUTE_REQUEST_BYTES;
        if body.size_hint().lower() > most {
            return Err(RouteError::TooLarge.into());
        }
        let permit = self.calls.clone().try_acquire_owned().map_err(|_| BrokerError::Busy)?;
        let upstream = self.upstream(&route.base_url)?;

        let mut url = upstream.base().clone();
        url.set_path(&format!("{}{below}", url.path().trim_end_matches('/')));
        let query = path::query_without(parts.uri.query().unwrap_or_default(), route.inject.parameter());
        url.set_query((!query.is_empty()).then_some(&query));
        let mut headers = parts.headers;
        strip_hop_by_hop(&mut headers);
        let mut headers: HeaderMap = headers
            .into_iter()
            .scan(None, |last, (name, value)| {
                *last = name.or_else(|| last.take());
                Some((last.clone()?, value))
            })
            .filter(|(name, _)| {
                let dashed = name.as_str().replace('_', "-");
                !NOT_SENT.contains(&dashed.as_str())
                    && !dashed.starts_with("x-forwarded-")
                    && !route.inject.is_header(name)
            })
            .collect();
        // Compressed, the secret could not be found in the answer.
        headers.insert("accept-encoding", HeaderValue::from_static("identity"));
        headers.insert("user-agent", HeaderValue::from_static("holdfast"));
        let told = route.inject.put(&secret, &mut url, &mut headers)?;

        // What cannot be noted is not done.
        self.activity
            .note(Deed::new(What::SecretUsed, upstream.host()).with(secret.id, secret.name.as_str()))?;
        let known = body.size_hint().exact().is_some();
        let body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
        let body = if known {
            reqwest::Body::wrap(body)
        } else {
            // What comes in chunks may end with trailers: they would be headers that were not looked at.
            let no_trailers = |frame: Frame<Bytes>| Frame::data(frame.into_data().unwrap_or_default());
            reqwest::Body::wrap(body.map_frame(no_trailers))
        };
        let response = upstream
            .client()
            .request(parts.method, url.clone())
            .headers(headers)
            .body(body)
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
}
