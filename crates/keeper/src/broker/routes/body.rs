//! The body of a call: streamed, or whole where somebody has to look at it first.
//!
//! What is promised here: a body out of which a service may read another method than the call's, by the names that are known, is never streamed by
//! `POST` before it was looked through, whether its owner is asked or not.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::Method;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vault::{Steering, has_parameters, steering_in_query};

use super::super::error::BrokerError;
use super::error::RouteError;
use crate::approvals::ApprovalError;
use crate::limits;

pub(super) enum CallBody {
    Streamed(Incoming),
    Whole(Bytes),
}

impl CallBody {
    pub fn least(&self) -> u64 {
        match self {
            Self::Streamed(body) => body.size_hint().lower(),
            Self::Whole(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }

    /// All of it, if it is no larger than a person can look through.
    pub async fn whole_to_show(self) -> Result<Self, RouteError> {
        match self {
            Self::Streamed(body) => whole(body, limits::APPROVAL_BYTES, ApprovalError::TooLarge.into()).await,
            whole => Ok(whole),
        }
    }

    /// All of it where a service may read another method out of it, and what keeps its room; any other as it comes.
    pub async fn whole_to_read(
        self,
        method: &Method,
        headers: &HeaderMap,
        room: &Arc<Semaphore>,
    ) -> Result<(Self, Option<OwnedSemaphorePermit>), BrokerError> {
        let body = match self {
            Self::Streamed(body) if may_steer(method, headers, &body) => body,
            other => return Ok((other, None)),
        };
        let most = limits::ROUTE_READ_BYTES;
        let long = body.size_hint().exact().unwrap_or_else(|| u64::from(most));
        let long = u32::try_from(long).ok().filter(|long| *long <= most);
        let long = long.ok_or(RouteError::TooLargeToRead)?;
        let held = room.clone().try_acquire_many_owned(long);
        let held = held.map_err(|_| BrokerError::Busy)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok((whole(body, most, RouteError::TooLargeToRead).await?, Some(held)))
    }

    pub fn sent(self, most: u64) -> reqwest::Body {
        let body = match self {
            Self::Whole(bytes) => return reqwest::Body::from(bytes),
            Self::Streamed(body) => body,
        };
        let known = body.size_hint().exact().is_some();
        let body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
        if known {
            return reqwest::Body::wrap(body);
        }
        // What comes in chunks may end with trailers: they would be headers that were not looked at.
        let no_trailers = |frame: Frame<Bytes>| Frame::data(frame.into_data().unwrap_or_default());
        reqwest::Body::wrap(body.map_frame(no_trailers))
    }
}

async fn whole(body: Incoming, most: usize, larger: RouteError) -> Result<CallBody, RouteError> {
    match Limited::new(body, most).collect().await {
        Ok(whole) => Ok(CallBody::Whole(whole.to_bytes())),
        Err(_) => Err(larger),
    }
}

/// Whether a service may read another method out of this: frameworks do so out of the forms, and the JSON, of a `POST`.
fn may_steer(method: &Method, headers: &HeaderMap, body: &Incoming) -> bool {
    method.as_str().eq_ignore_ascii_case("POST") && !body.is_end_stream() && has_parameters(&content_types(headers))
}

fn content_types(headers: &HeaderMap) -> String {
    let kinds = headers.get_all(CONTENT_TYPE).iter();
    let kinds: Vec<_> = kinds.map(|kind| String::from_utf8_lossy(kind.as_bytes())).collect();
    kinds.join(" ")
}

/// What in a call a service may go by instead of its method and path. A body that is streamed is one out of which it reads neither.
pub(super) fn steering(query: &str, headers: &HeaderMap, body: &CallBody) -> Option<Steering> {
    let CallBody::Whole(body) = body else {
        return steering_in_query(query);
    };
    let packed = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|how| !how.as_bytes().eq_ignore_ascii_case(b"identity"));
    if packed && !body.is_empty() {
        return Some(Steering::Unreadable);
    }
    vault::steering(query, &content_types(headers), body)
}
