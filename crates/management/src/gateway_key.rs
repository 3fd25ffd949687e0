//! The key that signs gateway tokens.

use std::path::Path;

use ed25519_dalek::SigningKey;

use crate::key_file::{self, KeyFileError};

/// Reads the key of this installation, or makes it.
///
/// # Errors
/// [`KeyFileError`] says which file and what to do.
pub fn load_or_create(data_dir: &Path) -> Result<SigningKey, KeyFileError> {
    let seed = key_file::load_or_create(data_dir, "gateway", "open channels will have to reconnect")?;
    Ok(SigningKey::from_bytes(&seed))
}
