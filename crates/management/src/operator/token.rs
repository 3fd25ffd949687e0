//! The operator's token, as it lies in `<data-dir>/admin-token`. It is read each time that it is needed: whoever replaces the file
//! ends every session that was given for the old one, at once and without a restart.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::secret_token::TokenHash;

/// Longest file that is taken for one with a token.
const FILE_BYTES: usize = 1024;
/// Shortest token, in characters: 32 random bytes have 43.
const TOKEN_CHARS: usize = 32;

/// Where the token lies.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile(PathBuf);

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenFileError {
    #[error("{path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{0} holds no token: remove it and start the server again, which makes another one")]
    NoToken(PathBuf),
}

/// What somebody presents.
pub(crate) struct ShownToken(Zeroizing<String>);

impl ShownToken {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl TokenFile {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("admin-token"))
    }

    /// The hash of the token of now.
    pub(crate) async fn hash(&self) -> Result<TokenHash, TokenFileError> {
        let bytes = tokio::fs::read(&self.0)
            .await
            .map_err(|source| TokenFileError::Unreadable {
                path: self.0.clone(),
                source,
            })?;
        let bytes = Zeroizing::new(bytes);
        let text = (bytes.len() <= FILE_BYTES)
            .then(|| std::str::from_utf8(&bytes).ok())
            .flatten();
        match text.map(str::trim) {
            Some(token) if token.len() >= TOKEN_CHARS => Ok(hash(token)),
            _ => Err(TokenFileError::NoToken(self.0.clone())),
        }
    }

    /// The hash of the token of now, if this is it. Compared in constant time.
    pub(crate) async fn check(&self, shown: &ShownToken) -> Result<Option<TokenHash>, TokenFileError> {
        let right = self.hash().await?;
        let same: bool = hash(shown.0.trim()).bytes().ct_eq(right.bytes()).into();
        Ok(same.then_some(right))
    }
}

fn hash(token: &str) -> TokenHash {
    TokenHash::from_bytes(Sha256::digest(token).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_token_of_now_is_right_and_a_file_without_one_lets_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path());
        let shown = |text: &str| ShownToken::new(text.to_owned());
        assert!(file.check(&shown("x")).await.is_err());
        let (old, new) = ("a".repeat(43), "b".repeat(43));
        std::fs::write(dir.path().join("admin-token"), &old).unwrap();
        assert!(file.check(&shown(&format!(" {old}\n"))).await.unwrap().is_some());
        for wrong in ["", &new, &old[..42]] {
            assert!(file.check(&shown(wrong)).await.unwrap().is_none(), "{wrong}");
        }
        let before = file.hash().await.unwrap();
        std::fs::write(dir.path().join("admin-token"), format!("{new}\n")).unwrap();
        assert!(file.check(&shown(&old)).await.unwrap().is_none());
        assert_ne!(file.hash().await.unwrap(), before);
        for empty in ["", "\n", "short"] {
            std::fs::write(dir.path().join("admin-token"), empty).unwrap();
            assert!(file.check(&shown(empty)).await.is_err());
        }
    }
}
