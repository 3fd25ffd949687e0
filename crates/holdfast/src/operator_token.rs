//! The operator's token: made once, kept in `<data-dir>/admin-token`, readable by the operator alone.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::data_dir::write_whole;
use crate::refusal::Refusal;

const BYTES: usize = 32;
/// What takes the file's place for the tenant API, where it is set.
const IN_ENVIRONMENT: &str = "OPENCLAW_ADMIN_TOKEN";

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

fn read(data_dir: &Path) -> Result<Zeroizing<String>, Refusal> {
    let path = data_dir.join("admin-token");
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    text.map_err(|error| {
        Refusal::Other(format!(
            "The operator's token {} cannot be read: {error}.",
            path.display()
        ))
    })
}

/// The token of the tenant API: what the environment says, else what the file holds.
///
/// # Errors
/// What the environment says is no text; there is no file, or this account may not read it.
pub fn of_tenant_api(data_dir: &Path) -> Result<Zeroizing<String>, Refusal> {
    set_or_read(env::var_os(IN_ENVIRONMENT), data_dir)
}

fn set_or_read(set: Option<OsString>, data_dir: &Path) -> Result<Zeroizing<String>, Refusal> {
    let Some(set) = set.filter(|set| !set.is_empty()) else {
        return read(data_dir);
    };
    let text = set.into_string().map(Zeroizing::new);
    text.map_err(|_| {
        Refusal::Config(format!(
            "{IN_ENVIRONMENT} is no text (UTF-8), so no request could name it: `openssl rand -hex 32` makes one."
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
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

    #[test]
    fn a_token_in_the_environment_takes_the_files_place_and_one_that_is_no_text_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = ensure(dir.path()).unwrap();
        let file = std::fs::read_to_string(&path).unwrap();
        let given = |set: Option<&[u8]>| set_or_read(set.map(|set| OsString::from_vec(set.to_vec())), dir.path());
        assert_eq!(*given(None).unwrap(), file);
        assert_eq!(*given(Some(b"")).unwrap(), file);
        assert_eq!(*given(Some(b"another")).unwrap(), "another");
        let refused = given(Some(&[0xff; 32])).unwrap_err().to_string();
        assert!(refused.contains(IN_ENVIRONMENT), "{refused}");
    }
}
