//! The operator's token: made once, kept in `<data-dir>/admin-token`, readable by the operator alone.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::data_dir::write_whole;
use crate::refusal::Refusal;

const BYTES: usize = 32;

/// Makes the token where there is none.
///
/// # Errors
/// The file cannot be written, or the system gives no random bytes.
pub fn ensure(data_dir: &Path) -> Result<PathBuf, Refusal> {
    let path = data_dir.join("admin-token");
    if !path.exists() {
        let mut token = [0; BYTES];
        getrandom::fill(&mut token)
            .map_err(|error| Refusal::Other(format!("The system gives no random bytes: {error}.")))?;
        write_whole(&path, protocol::b64::encode(token).as_bytes(), 0o600)?;
    }
    Ok(path)
}

/// Reads it.
///
/// # Errors
/// There is none, or this account may not read it.
pub fn read(data_dir: &Path) -> Result<Zeroizing<String>, Refusal> {
    let path = data_dir.join("admin-token");
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    text.map_err(|error| {
        Refusal::Other(format!(
            "The operator's token {} cannot be read: {error}.",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_the_operator_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = ensure(dir.path()).unwrap();
        let token = std::fs::read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        ensure(dir.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), token);
    }
}
