//! Keys of this installation: 32 random bytes each, made at the first start, in `<data-dir>/keys/<name>.key` (0600).

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::clock::{Entropy as _, NoEntropy, OsEntropy};
use crate::private_file;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(
        "cannot read or write {path}: {source}. Check that the data directory is writable and the disk is not full"
    )]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a key of 32 bytes. Restore it from a backup, or remove it: {loss}")]
    Damaged { path: PathBuf, loss: &'static str },
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// Reads a key, or makes it. `loss` says in a sentence what is lost with the file.
pub(crate) fn load_or_create(
    data_dir: &Path,
    name: &str,
    loss: &'static str,
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let folder = data_dir.join("keys");
    let path = folder.join(format!("{name}.key"));
    let failed = |source| KeyFileError::File {
        path: path.clone(),
        source,
    };
    private_file::folder(&folder).map_err(failed)?;
    match fs::File::open(&path) {
        Ok(file) => {
            let mut bytes = Zeroizing::new(Vec::new());
            file.take(33).read_to_end(&mut bytes).map_err(failed)?;
            let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyFileError::Damaged {
                path: path.clone(),
                loss,
            })?;
            Ok(Zeroizing::new(key))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0; 32]);
            OsEntropy.fill(&mut *key)?;
            private_file::replace(&path, &*key).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = load_or_create(folder.path(), "gateway", "nothing").unwrap();
        assert_eq!(load_or_create(folder.path(), "gateway", "nothing").unwrap(), made);
        assert_ne!(load_or_create(folder.path(), "other", "nothing").unwrap(), made);
        let path = folder.path().join("keys/gateway.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, b"short").unwrap();
        let error = load_or_create(folder.path(), "gateway", "all is lost").unwrap_err();
        assert!(error.to_string().contains("all is lost"), "{error}");
    }
}
