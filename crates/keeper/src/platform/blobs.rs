//! The cell's sealed objects, over the platform's socket. Everything here is ciphertext; names are `[a-z0-9/._-]`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use crate::limits;

/// Why a sealed object could not be stored, read or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("the platform's object store cannot be reached: {0}")]
    Unreachable(String),
    #[error("the sealed object {0} is missing")]
    Missing(String),
    #[error("the disk or the quota for sealed homes is full: {0}")]
    Full(String),
    #[error("the platform's object store refused {name} with {status}: {message}")]
    Refused { name: String, status: u16, message: String },
    #[error("the sealed object {0} is larger than {max} bytes (BLOB_BYTES)", max = protocol::limits::BLOB_BYTES)]
    TooLarge(String),
}

impl BlobError {
    /// Whether the same request may succeed later without anything being changed here.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Missing(_) | Self::Full(_) | Self::TooLarge(_) => false,
        }
    }
}

/// One stored object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredBlob {
    pub name: String,
    pub size: u64,
}

/// Client of the object store; keeps a few connections.
#[derive(Clone)]
pub struct Blobs {
    socket: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<SendRequest<Full<Bytes>>>>>,
}

impl Blobs {
    /// A client of the store at the platform's socket; connects when first used.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: Arc::new(socket.to_owned()),
            idle: Arc::default(),
        }
    }

    /// Stores an object; it is durable when this returns.
    ///
    /// # Errors
    /// [`BlobError`]; the object may or may not be there after one that [`BlobError::passes`].
    pub async fn put(&self, name: &str, body: Bytes) -> Result<(), BlobError> {
        if body.len() > protocol::limits::BLOB_BYTES {
            return Err(BlobError::TooLarge(name.to_owned()));
        }
        self.call(Method::PUT, name, &format!("/blobs/{name}"), body, 4096)
            .await
            .map(drop)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`BlobError::Missing`] and the others.
    pub async fn get(&self, name: &str) -> Result<Bytes, BlobError> {
        let most = protocol::limits::BLOB_BYTES;
        self.call(Method::GET, name, &format!("/blobs/{name}"), Bytes::new(), most)
            .await
    }

    /// Deletes an object; one that is not there is a success.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn delete(&self, name: &str) -> Result<(), BlobError> {
        match self
            .call(Method::DELETE, name, &format!("/blobs/{name}"), Bytes::new(), 4096)
            .await
        {
            Ok(_) | Err(BlobError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All objects whose name begins with the prefix.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<StoredBlob>, BlobError> {
        #[derive(Deserialize)]
        struct List {
            blobs: Vec<StoredBlob>,
        }
        let path = format!("/blobs?prefix={prefix}");
        let body = self
            .call(Method::GET, prefix, &path, Bytes::new(), limits::BLOB_LIST_BYTES)
            .await?;
        serde_json::from_slice::<List>(&body)
            .map(|list| list.blobs)
            .map_err(|error| BlobError::Unreachable(format!("its list cannot be read: {error}")))
    }

    /// One request and its whole answer. All are idempotent, so a connection that was closed while idle is replaced once.
    async fn call(&self, method: Method, name: &str, path: &str, body: Bytes, most: usize) -> Result<Bytes, BlobError> {
        let mut attempt = 0;
        let work = async {
            loop {
                let (mut sender, reused) = self.connection().await?;
                let request = Request::builder()
                    .method(method.clone())
                    .uri(path)
                    .header("host", "platform")
                    .body(Full::new(body.clone()))
                    .map_err(|error| BlobError::Unreachable(error.to_string()))?;
                match sender.send_request(request).await {
                    Ok(response) => return Ok((sender, response)),
                    Err(_) if reused && attempt < limits::BLOB_CONNECTIONS => attempt += 1,
                    Err(error) => return Err(BlobError::Unreachable(error.to_string())),
                }
            }
        };
        let whole = async {
            let (sender, response) = work.await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), most)
                .collect()
                .await
                .map_err(|error| BlobError::Unreachable(error.to_string()))?
                .to_bytes();
            self.give_back(sender);
            answer(name, status, body)
        };
        tokio::time::timeout(limits::BLOB_ANSWER, whole)
            .await
            .unwrap_or_else(|_| Err(BlobError::Unreachable("no answer in time".to_owned())))
    }

    async fn connection(&self) -> Result<(SendRequest<Full<Bytes>>, bool), BlobError> {
        let unreachable = |error: &dyn std::fmt::Display| BlobError::Unreachable(error.to_string());
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(sender) if sender.is_closed() => {}
                Some(sender) => return Ok((sender, true)),
                None => break,
            }
        }
        let stream = UnixStream::connect(self.socket.as_path())
            .await
            .map_err(|error| unreachable(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        Ok((sender, false))
    }

    fn give_back(&self, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::BLOB_CONNECTIONS && !sender.is_closed() {
            idle.push(sender);
        }
    }
}

fn answer(name: &str, status: StatusCode, body: Bytes) -> Result<Bytes, BlobError> {
    #[derive(Deserialize)]
    struct Problem {
        message: String,
    }
    if status.is_success() {
        return Ok(body);
    }
    let message = serde_json::from_slice::<Problem>(&body).map_or_else(|_| String::new(), |p| p.message);
    Err(match status {
        StatusCode::NOT_FOUND => BlobError::Missing(name.to_owned()),
        StatusCode::INSUFFICIENT_STORAGE => BlobError::Full(message),
        StatusCode::PAYLOAD_TOO_LARGE => BlobError::TooLarge(name.to_owned()),
        _ => BlobError::Refused {
            name: name.to_owned(),
            status: status.as_u16(),
            message,
        },
    })
}
