//! The key that signs gateway tokens: made at the first start, in `<data-dir>/keys/gateway.key` (0600, 32 bytes).

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::clock::{Entropy as _, OsEntropy};
use crate::private_file;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum GatewayKeyError {
    #[error(
        "cannot read or write {path}: {source}. Check that the data directory is writable and the disk is not full"
    )]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{0} is not a key of 32 bytes. Restore it from a backup, or remove it: open channels will have to reconnect"
    )]
    Damaged(PathBuf),
    #[error(transparent)]
    Entropy(#[from] crate::clock::NoEntropy),
}

/// Reads the key of this installation, or makes it.
///
/// # Errors
/// [`GatewayKeyError`] says which file and what to do.
pub fn load_or_create(data_dir: &Path) -> Result<SigningKey, GatewayKeyError> {
    let folder = data_dir.join("keys");
    let path = folder.join("gateway.key");
    let failed = |source| GatewayKeyError::File {
        path: path.clone(),
        source,
    };
    private_file::folder(&folder).map_err(failed)?;
    match fs::File::open(&path) {
        Ok(file) => {
            let mut bytes = Zeroizing::new(Vec::new());
            file.take(33).read_to_end(&mut bytes).map_err(failed)?;
            let seed = Zeroizing::new(
                <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| GatewayKeyError::Damaged(path.clone()))?,
            );
            Ok(SigningKey::from_bytes(&seed))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut seed = Zeroizing::new([0; 32]);
            OsEntropy.fill(&mut *seed)?;
            private_file::replace(&path, &*seed).map_err(failed)?;
            Ok(SigningKey::from_bytes(&seed))
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = load_or_create(folder.path()).unwrap();
        assert_eq!(load_or_create(folder.path()).unwrap().to_bytes(), made.to_bytes());
        let path = folder.path().join("keys/gateway.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, b"short").unwrap();
        assert!(matches!(
            load_or_create(folder.path()),
            Err(GatewayKeyError::Damaged(_))
        ));
    }
}
