//! Cells on a driver: start, stop, hibernate, wake, limits; the proxy that joins clients and keepers; sealed blobs.
//!
//! What runs is read from the driver, so that a restarted process finds its cells again. Nothing here can be read: channels
//! and blobs are ciphertext, and no path that a cell can write is opened.

mod cell;
mod config;
pub mod driver;
mod error;
pub mod limits;
pub mod proxy;
mod service;
mod socket;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use protocol::Millis;

#[doc(hidden)]
pub use socket::fuzz_blob_name;

pub use cell::{CellEvent, CellState};
pub use config::{CellApprovals, CellQuestion, CellsConfig, Question, QuestionAnswer, RelayAddress};
pub use error::CellsError;
pub use service::{CellFacts, CellSummary, Cells, KeeperChannel, Removed};

/// A blob store in a local folder; what it has stored survives a power cut.
///
/// # Errors
/// [`CellsError::Folder`] if the folder cannot be made or used.
pub fn local_blobs(folder: &Path) -> Result<Arc<dyn ObjectStore>, CellsError> {
    let failed = |message: String| CellsError::Folder {
        path: folder.display().to_string(),
        message,
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| failed(e.to_string()))?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn now_ms() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}
