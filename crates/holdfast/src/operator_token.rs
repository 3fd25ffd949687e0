//! The operator's token: made once, kept in `<data-dir>/admin-token`, readable by the operator alone.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use zeroize::Zeroizing;

use crate::refusal::Refusal;
use crate::token_file;

const FILE: &str = "admin-token";
/// What takes the file's place for the tenant API, where it is set.
const IN_ENVIRONMENT: &str = "OPENCLAW_ADMIN_TOKEN";

/// Makes the token where there is none.
///
/// # Errors
/// As [`token_file::ensure`].
pub fn ensure(data_dir: &Path) -> Result<(), Refusal> {
    token_file::ensure(&data_dir.join(FILE))
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
        return token_file::read(&data_dir.join(FILE), "The operator's");
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

    use super::*;

    #[test]
    fn a_token_in_the_environment_takes_the_files_place_and_one_that_is_no_text_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path()).unwrap();
        let file = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let given = |set: Option<&[u8]>| set_or_read(set.map(|set| OsString::from_vec(set.to_vec())), dir.path());
        assert_eq!(*given(None).unwrap(), file);
        assert_eq!(*given(Some(b"")).unwrap(), file);
        assert_eq!(*given(Some(b"another")).unwrap(), "another");
        let refused = given(Some(&[0xff; 32])).unwrap_err().to_string();
        assert!(refused.contains(IN_ENVIRONMENT), "{refused}");
    }
}
