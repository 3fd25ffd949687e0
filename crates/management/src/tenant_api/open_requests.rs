//! How many requests of a tenant are open, each until its answer was read to the end or its client has gone.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use protocol::TenantId;

use super::failure::Failure;
use crate::limits;

#[derive(Clone, Default)]
pub(crate) struct OpenRequests(Arc<Mutex<HashMap<TenantId, usize>>>);

impl OpenRequests {
    fn counts(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for one more.
    pub(crate) fn take(&self, tenant: TenantId) -> Result<Place, Failure> {
        let mut counts = self.counts();
        let open = counts.entry(tenant).or_default();
        if *open >= limits::TENANT_OPEN {
            let words = format!(
                "{} requests of this tenant are open already (`TENANT_OPEN`). Close the streams that nobody reads, or wait for an answer.",
                limits::TENANT_OPEN
            );
            return Err(Failure {
                retry_after: Some(limits::BUSY_AGAIN),
                ..Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_open", &words)
            });
        }
        *open += 1;
        drop(counts);
        Ok(Place {
            of: self.clone(),
            tenant,
        })
    }
}

/// The place of one that is open.
pub(crate) struct Place {
    of: OpenRequests,
    tenant: TenantId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.counts();
        if let Some(open) = counts.get_mut(&self.tenant) {
            *open -= 1;
            if *open == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}

impl Place {
    /// Keeps it until the answer was read, or nobody reads it any more.
    pub(crate) fn until_read(self, answer: Response) -> Response {
        answer.map(|body| Body::new(Held { body, _place: self }))
    }
}

struct Held {
    body: Body,
    _place: Place,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
