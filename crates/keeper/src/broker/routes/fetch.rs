//! A call through a route with its whole answer: for tools, and for those whom the owner gave a capability.

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::super::error::BrokerError;
use super::body::CallBody;
use super::error::RouteError;
use super::store::Routes;
use super::through::Call;
use crate::activity::{Deed, What};
use crate::limits;

/// What is asked of a service.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub service: String,
    pub method: String,
    /// Below the service's base URL; empty, or with its first `/`.
    pub path: String,
    pub query: String,
    pub content_type: String,
    pub body: Bytes,
}

/// What the service answered, without what must not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
    /// There was more than [`limits::FETCHED_BYTES`].
    pub cut: bool,
}

/// Why there is no answer: a stable code, and words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotFetched {
    pub code: String,
    pub message: String,
}

impl From<BrokerError> for NotFetched {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Route(RouteError::Ended(why)) => why,
            error => Self {
                code: error.code().to_owned(),
                message: error.to_string(),
            },
        }
    }
}

/// What somebody else calls by.
pub trait Stands: Send + Sync {
    /// Whether it still stands: asked right before a call leaves that took its time until then.
    fn stands(&self) -> BoxFuture<'_, Result<(), NotFetched>>;
}

/// Who calls.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// The owner's agent: it is counted, and what changes something is asked of the owner, where the route says so; what deletes, always.
    Agent,
    /// Somebody whom the owner gave a capability, which was verified and counted: that was the owner's word.
    Holder(&'a dyn Stands),
}

impl Routes {
    /// Calls for the owner's agent: what changes something is asked of the owner, where the route says so; what deletes, always.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn fetch_for_agent(&self, fetch: Fetch) -> Result<Fetched, NotFetched> {
        let service = fetch.service.clone();
        let outcome = self.fetch_as(fetch, Caller::Agent).await;
        if let Err(BrokerError::Route(error)) = &outcome {
            self.note_refused(&service, error);
        }
        Ok(outcome?)
    }

    /// That the owner's agent was not let call a service. A noise that is not noted does not make the refusal any weaker.
    pub(super) fn note_refused(&self, service: &str, error: &RouteError) {
        let _locked = self
            .activity
            .note(Deed::new(What::SecretRefused, service).because(error.code()));
    }

    /// Calls for somebody whom the owner gave a capability, which was verified: that was the owner's word. A route that is for
    /// reading only stays that.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn fetch_for_holder(&self, fetch: Fetch, by: &dyn Stands) -> Result<Fetched, NotFetched> {
        Ok(self.fetch_as(fetch, Caller::Holder(by)).await?)
    }

    async fn fetch_as(&self, fetch: Fetch, by: Caller<'_>) -> Result<Fetched, BrokerError> {
        if self.get(&fetch.service)?.tools.is_some() {
            return self.call_tool(fetch, by).await;
        }
        let method: Method = fetch.method.parse().map_err(|_| RouteError::Method)?;
        if !fetch.path.is_empty() && !fetch.path.starts_with('/') {
            return Err(RouteError::Path.into());
        }
        let in_query = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !fetch.query.bytes().all(in_query) {
            return Err(RouteError::Path.into());
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        if !fetch.content_type.is_empty() {
            let kind = HeaderValue::from_str(&fetch.content_type).map_err(|_| RouteError::ContentType)?;
            headers.insert(CONTENT_TYPE, kind);
        }
        let answer = self
            .perform(Call {
                route: fetch.service,
                below: fetch.path,
                query: fetch.query,
                method,
                headers,
                body: CallBody::Whole(fetch.body),
                by_agent: matches!(by, Caller::Agent),
            })
            .await?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get(CONTENT_TYPE);
        let content_type = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        let (mut told, mut body) = (BytesMut::new(), answer.into_body());
        let mut cut = false;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| RouteError::AnswerBroke)?;
            let Ok(part) = frame.into_data() else { continue };
            let room = limits::FETCHED_BYTES - told.len();
            told.extend_from_slice(&part[..part.len().min(room)]);
            cut = part.len() > room;
            if cut {
                break;
            }
        }
        Ok(Fetched {
            status,
            content_type,
            body: told.freeze(),
            cut,
        })
    }
}
