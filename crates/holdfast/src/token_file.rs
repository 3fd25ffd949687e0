//! Tokens that lie in files which their owner alone reads: 32 random bytes each, in base64url.

use std::path::Path;

use zeroize::Zeroizing;

use crate::data_dir::write_whole;
use crate::refusal::Refusal;

const BYTES: usize = 32;

/// Makes the token where there is none.
///
/// # Errors
/// The file cannot be written, or the system gives no random bytes.
pub fn ensure(path: &Path) -> Result<(), Refusal> {
    if path.exists() {
        return Ok(());
    }
    let mut token = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut *token)
        .map_err(|error| Refusal::Other(format!("The system gives no random bytes: {error}.")))?;
    let text = Zeroizing::new(protocol::b64::encode(*token));
    write_whole(path, text.as_bytes(), 0o600)
}

/// Reads it. `of` is whose it is, as a sentence begins.
///
/// # Errors
/// There is none, or this account may not read it.
pub fn read(path: &Path, of: &str) -> Result<Zeroizing<String>, Refusal> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    text.map_err(|error| Refusal::Other(format!("{of} token {} cannot be read: {error}.", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        ensure(&path).unwrap();
        let token = std::fs::read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        ensure(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), token);
    }
}
