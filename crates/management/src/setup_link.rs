//! The one-time link that makes the first organisation and its owner: its text in `<data-dir>/setup-url` (0600), its hash in
//! the database. Without it, nobody owns the instance.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::clock::NoEntropy;
use crate::private_file;
use crate::secret_token::SecretToken;
use crate::storage::{StorageError, installation};

/// Why there is no setup link.
#[derive(Debug, thiserror::Error)]
pub enum SetupLinkError {
    #[error("cannot write {path}: {source}. Check that the data directory is writable and the disk is not full")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("setup-url")
}

/// Writes the link while nobody owns the installation, and returns the file; a link that still works is kept.
pub(crate) async fn publish(app: &App) -> Result<Option<PathBuf>, SetupLinkError> {
    let path = path(&app.config.data_dir);
    let failed = |source| SetupLinkError::File {
        path: path.clone(),
        source,
    };
    if !installation::needs_setup(&app.database).await? {
        remove(&app.config.data_dir);
        return Ok(None);
    }
    let old = fs::read_to_string(&path).ok();
    let old = old
        .as_deref()
        .and_then(|link| SecretToken::parse(link.trim().rsplit_once('#')?.1));
    let token = match old {
        Some(token) if installation::setup_token_is(&app.database, token.hash()).await? => token,
        _ => SecretToken::generate(&*app.entropy)?,
    };
    let link = format!("{}\n", app.config.public_url.link("setup", &token.text()));
    // First the text, then its hash: after a crash between the two, the next start makes a new pair.
    private_file::replace(&path, link.as_bytes()).map_err(failed)?;
    match installation::set_setup_token(&app.database, token.hash()).await? {
        true => Ok(Some(path)),
        false => {
            remove(&app.config.data_dir);
            Ok(None)
        }
    }
}

/// Removes the link's file; the link itself no longer works.
pub(crate) fn remove(data_dir: &Path) {
    let path = path(data_dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "the used setup link cannot be removed");
        }
        _ => {}
    }
}
