//! The unix socket on which the platform listens for one keeper (`docs/protocol.md`, section 3). Its folder belongs to
//! the platform and is mounted read-only into that keeper alone: which socket it is, is the identity.

mod attach;
mod blobs;
mod channels;
mod relay;

#[doc(hidden)]
pub use blobs::fuzz_blob_name;

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use object_store::ObjectStore;
use protocol::CellId;
use protocol::bridge::PLATFORM_SOCKET;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{debug, error};

use crate::cell::Shared;
use crate::{CellsConfig, CellsError, limits};

pub(crate) use blobs::{CellBlobs, remove_all as remove_blobs};

/// The longest path a unix socket can be bound to (`sun_path`, without its final zero).
const SOCKET_PATH_BYTES: usize = 107;

/// Opens the sockets of cells.
#[derive(Clone)]
pub(crate) struct SocketService {
    pub config: Arc<CellsConfig>,
    pub blobs: Arc<dyn ObjectStore>,
    pub writes: Arc<Semaphore>,
}

/// What a request on a cell's socket works with.
#[derive(Clone)]
struct SocketState {
    shared: Arc<Shared>,
    config: Arc<CellsConfig>,
    blobs: Arc<CellBlobs>,
}

/// A socket that is listened on until this is dropped.
pub(crate) struct CellSocket {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl Drop for CellSocket {
    fn drop(&mut self) {
        self.task.abort();
        // Left behind, it would be replaced by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where a cell's socket lies.
pub(crate) fn folder(data_dir: &Path, cell: CellId) -> PathBuf {
    data_dir.join("run").join(cell.to_string())
}

impl SocketService {
    pub fn new(config: Arc<CellsConfig>, blobs: Arc<dyn ObjectStore>) -> Self {
        Self {
            config,
            blobs,
            writes: Arc::new(Semaphore::new(limits::BLOB_WRITES)),
        }
    }

    /// Listens in the cell's folder. A keeper that runs already finds the new socket under the same name.
    ///
    /// # Errors
    /// [`CellsError::Folder`] if the folder or the socket cannot be made.
    pub async fn open(&self, folder: &Path, shared: Arc<Shared>) -> Result<CellSocket, CellsError> {
        let listener = listen(folder).map_err(|e| CellsError::Folder {
            path: folder.display().to_string(),
            message: e.to_string(),
        })?;
        let blobs = CellBlobs::new(
            Arc::clone(&self.blobs),
            shared.tenant,
            shared.cell,
            self.config.blob_quota_bytes,
            Arc::clone(&self.writes),
        );
        let cell = shared.cell;
        let state = SocketState {
            shared,
            config: Arc::clone(&self.config),
            blobs: Arc::new(blobs),
        };
        let router = router(state);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                error!(%cell, %error, "the cell's socket ended");
            }
        });
        debug!(%cell, "listening for the keeper");
        Ok(CellSocket {
            task,
            path: folder.join(PLATFORM_SOCKET),
        })
    }
}

fn router(state: SocketState) -> Router {
    Router::new()
        .route("/attach", get(attach::attach))
        .route("/channels/{channel}", get(channels::dialled))
        .route(protocol::relay::PATH, get(relay::joined))
        .route("/blobs", get(blobs::list))
        .route(
            "/blobs/{*name}",
            get(blobs::read).put(blobs::write).delete(blobs::delete),
        )
        .with_state(state)
}

/// Binds beside the old socket and renames over it, so that there is always one to connect to.
fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    let parent = folder.parent().unwrap_or(folder);
    std::fs::create_dir_all(folder)?;
    // Other users of this machine stop at `run`; the keeper, which is another user, comes in by a mount of the inner one.
    std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o700))?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    let new = folder.join("platform.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = if new.as_os_str().len() <= SOCKET_PATH_BYTES {
        UnixListener::bind(&new)?
    } else {
        let dir = std::fs::File::open(folder)?;
        UnixListener::bind(format!("/proc/self/fd/{}/platform.new", dir.as_raw_fd()))?
    };
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o666))?;
    std::fs::rename(&new, folder.join(PLATFORM_SOCKET))?;
    Ok(listener)
}

/// Removes a cell's folder for ever.
pub(crate) async fn remove_folder(folder: &Path) -> Result<(), CellsError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CellsError::Folder {
            path: folder.display().to_string(),
            message: error.to_string(),
        }),
        _ => Ok(()),
    }
}
