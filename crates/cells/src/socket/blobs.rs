//! `/blobs`: sealed objects of one cell. A cell names objects below its own prefix and reaches no other; what is
//! answered 204 is durable.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use protocol::limits::BLOB_BYTES;
use protocol::{CellId, TenantId};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};

use super::SocketState;
use crate::Removed;
use crate::limits::BLOB_NAME_CHARS;

/// The blobs of one cell.
pub(crate) struct CellBlobs {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    quota: u64,
    /// Bytes stored, counted from the store at first use.
    used: OnceCell<AtomicU64>,
    writes: Arc<Semaphore>,
}

/// Why a blob request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error(
        "a blob's name is 1 to {BLOB_NAME_CHARS} characters of a-z 0-9 . _ - /, without empty parts or parts that begin with a dot"
    )]
    Name,
    #[error("a blob is at most {BLOB_BYTES} bytes (`BLOB_BYTES`)")]
    TooLarge,
    #[error("this cell may store {quota} bytes (`cells.blob_quota_bytes`)")]
    Quota { quota: u64 },
    #[error("the disk is full")]
    DiskFull,
    #[error("there is a blob whose name is a part of this one, or the other way round")]
    Conflict,
    #[error("there is no such blob")]
    NotFound,
    #[error("the body ended early")]
    Body,
    #[error("the blob store failed: {0}")]
    Store(String),
}

impl BlobError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Name => (StatusCode::BAD_REQUEST, "name"),
            Self::Body => (StatusCode::BAD_REQUEST, "body"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Quota { .. } => (StatusCode::INSUFFICIENT_STORAGE, "quota"),
            Self::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Store(_) => (StatusCode::BAD_GATEWAY, "store"),
        }
    }
}

impl IntoResponse for BlobError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        if status.is_server_error() {
            tracing::warn!(error = %self, "blob");
        }
        let body = serde_json::json!({"code": code, "message": self.to_string()});
        (status, Json(body)).into_response()
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::NotFound;
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                match io.kind() {
                    std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => return Self::DiskFull,
                    std::io::ErrorKind::NotADirectory
                    | std::io::ErrorKind::IsADirectory
                    | std::io::ErrorKind::DirectoryNotEmpty => return Self::Conflict,
                    std::io::ErrorKind::NotFound => return Self::NotFound,
                    _ => {}
                }
            }
            cause = inner.source();
        }
        Self::Store(error.to_string())
    }
}

/// The prefix below which all of a cell's blobs lie.
fn prefix(tenant: TenantId, cell: CellId) -> String {
    format!("tenants/{tenant}/cells/{cell}")
}

fn is_name(name: &str) -> bool {
    (1..=BLOB_NAME_CHARS).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-'))
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

/// Reads a blob's name, for the fuzz targets. What is accepted stays below the cell's own prefix.
///
/// # Panics
/// When it does not.
#[doc(hidden)]
pub fn fuzz_blob_name(name: &str) {
    if is_name(name) {
        let path = StorePath::parse(format!("cell/{name}")).expect("a name that is accepted is a path");
        assert_eq!(path.as_ref(), format!("cell/{name}"));
        assert!(
            path.parts()
                .all(|part| part.as_ref() != ".." && !part.as_ref().starts_with('.'))
        );
    }
}

impl CellBlobs {
    pub fn new(
        store: Arc<dyn ObjectStore>,
        tenant: TenantId,
        cell: CellId,
        quota: u64,
        writes: Arc<Semaphore>,
    ) -> Self {
        Self {
            store,
            prefix: prefix(tenant, cell),
            quota,
            used: OnceCell::new(),
            writes,
        }
    }

    fn path(&self, name: &str) -> Result<StorePath, BlobError> {
        if !is_name(name) {
            return Err(BlobError::Name);
        }
        StorePath::parse(format!("{}/{name}", self.prefix)).map_err(|_| BlobError::Name)
    }

    async fn used(&self) -> Result<&AtomicU64, BlobError> {
        self.used
            .get_or_try_init(|| async {
                let root = StorePath::from(self.prefix.as_str());
                let total = self
                    .store
                    .list(Some(&root))
                    .try_fold(0_u64, async |sum, object| Ok(sum.saturating_add(object.size)))
                    .await?;
                Ok(AtomicU64::new(total))
            })
            .await
    }

    async fn size(&self, path: &StorePath) -> Result<u64, BlobError> {
        match self.store.head(path).await.map_err(BlobError::from) {
            Ok(object) => Ok(object.size),
            Err(BlobError::NotFound) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, name: &str, body: Body, announced: Option<usize>) -> Result<(), BlobError> {
        let path = self.path(name)?;
        if announced.is_some_and(|bytes| bytes > BLOB_BYTES) {
            return Err(BlobError::TooLarge);
        }
        let _permit = self
            .writes
            .acquire()
            .await
            .map_err(|_| BlobError::Store("closed".into()))?;
        let bytes = axum::body::to_bytes(body, BLOB_BYTES).await.map_err(|error| {
            if error
                .source()
                .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>())
            {
                BlobError::TooLarge
            } else {
                BlobError::Body
            }
        })?;
        let used = self.used().await?;
        let (new, old) = (bytes.len() as u64, self.size(&path).await?);
        let before = used.fetch_add(new, Ordering::Relaxed);
        if before.saturating_add(new) > self.quota.saturating_add(old) {
            used.fetch_sub(new, Ordering::Relaxed);
            return Err(BlobError::Quota { quota: self.quota });
        }
        match self.store.put(&path, bytes.into()).await {
            Ok(_) => {
                subtract(used, old);
                Ok(())
            }
            Err(error) => {
                subtract(used, new);
                Err(error.into())
            }
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BlobError> {
        let path = self.path(name)?;
        let old = self.size(&path).await?;
        match self.store.delete(&path).await.map_err(BlobError::from) {
            Ok(()) => {
                subtract(self.used().await?, old);
                Ok(())
            }
            Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn subtract(used: &AtomicU64, bytes: u64) {
    // Never below zero, also when the same blob is deleted twice at once.
    let _ = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
        Some(now.saturating_sub(bytes))
    });
}

/// Removes every blob of a cell, for ever.
pub(crate) async fn remove_all(
    store: &Arc<dyn ObjectStore>,
    tenant: TenantId,
    cell: CellId,
) -> Result<Removed, object_store::Error> {
    let root = StorePath::from(prefix(tenant, cell));
    let found: Vec<_> = store.list(Some(&root)).try_collect().await?;
    let removed = Removed {
        blobs: found.len() as u64,
        bytes: found.iter().map(|object| object.size).sum(),
    };
    let found = futures::stream::iter(found).map(|object| Ok(object.location)).boxed();
    store.delete_stream(found).try_for_each(async |_| Ok(())).await?;
    Ok(removed)
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    prefix: String,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    size: u64,
}

#[derive(Serialize)]
struct Listing {
    blobs: Vec<Listed>,
}

pub(super) async fn list(
    State(state): State<SocketState>,
    Query(query): Query<ListQuery>,
) -> Result<Response, BlobError> {
    let blobs = &state.blobs;
    let root = format!("{}/", blobs.prefix);
    let mut found: Vec<Listed> = blobs
        .store
        .list(Some(&StorePath::from(blobs.prefix.as_str())))
        .try_filter_map(async |object| {
            let name = object.location.as_ref().strip_prefix(&root);
            Ok(name.filter(|name| name.starts_with(&query.prefix)).map(|name| Listed {
                name: name.to_owned(),
                size: object.size,
            }))
        })
        .try_collect()
        .await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Listing { blobs: found }).into_response())
}

pub(super) async fn read(State(state): State<SocketState>, Path(name): Path<String>) -> Result<Response, BlobError> {
    let path = state.blobs.path(&name)?;
    let object = state.blobs.store.get(&path).await?;
    let length = object.meta.size;
    let body = Body::from_stream(object.into_stream());
    Ok(([(CONTENT_LENGTH, length.to_string())], body).into_response())
}

pub(super) async fn write(
    State(state): State<SocketState>,
    Path(name): Path<String>,
    request: axum::extract::Request,
) -> Result<StatusCode, BlobError> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    state.blobs.write(&name, request.into_body(), announced).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(state): State<SocketState>,
    Path(name): Path<String>,
) -> Result<StatusCode, BlobError> {
    state.blobs.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_cells_prefix_are_refused() {
        for good in ["a", "chunks/ab/cd-1_2.bin", "a..b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "", "/", "/a", "a/", "a//b", "..", "../x", "a/../b", "a/.", ".a", "A", "a b", "a%2fb", "a\\b", "a\0", "é",
            "a#1",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&"a".repeat(BLOB_NAME_CHARS + 1)));
    }
}
