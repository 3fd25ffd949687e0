//! Secrets in a file of their own, sealed under a password that is typed for it: nobody needs a vault to read it.
//!
//! Format: `"holdfast-secrets" || 0x01 || salt (16) || check (32) || nonce (24) || ciphertext || tag (16)`, XChaCha20-Poly1305,
//! associated data = everything before the nonce. The cost of a guess belongs to the version; nothing in the file can lower or raise
//! it. The check tells a wrong password from a changed file, and binds the file to one key.

use zeroize::Zeroizing;

use crate::cipher::{Cipher, NONCE, TAG};
use crate::keys::derive;
use crate::limits::SECRETS_EXPORT_BYTES;
use crate::opaque::stretch;
use crate::random_bytes;
use crate::secret::{SecretBytes, same_secret};
use crate::typed_password::{PasswordError, password_secret};

const MAGIC: &[u8; 16] = b"holdfast-secrets";
const VERSION: u8 = 1;
const SALT: usize = 16;
const CHECK: usize = 32;
const HEADER: usize = MAGIC.len() + 1 + SALT + CHECK;

/// Why an export is not made, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretsExportError {
    #[error("this is not a file of exported secrets")]
    NotOne,
    #[error("exported secrets of version {0} are not known here")]
    UnknownVersion(u8),
    #[error("the file was cut: {0} bytes are too few")]
    Truncated(usize),
    #[error("the file has {0} bytes, more than SECRETS_EXPORT_BYTES ({SECRETS_EXPORT_BYTES})")]
    TooLarge(usize),
    #[error("the password does not open this file")]
    WrongPassword,
    #[error("the file was changed")]
    Tampered,
    #[error("{0}")]
    Password(#[from] PasswordError),
}

struct Keys {
    cipher: Cipher,
    check: SecretBytes<CHECK>,
}

/// Takes as long as a log-in by password: Argon2id at the cost of the channel's suite.
fn root(password: &str, salt: &[u8; SALT]) -> Result<SecretBytes<64>, SecretsExportError> {
    Ok(stretch(password_secret(password)?.expose(), salt))
}

fn keys(root: &SecretBytes<64>) -> Keys {
    let key: SecretBytes<32> = derive(root.expose(), b"", &[b"holdfast/secrets-export/v1/key"]);
    Keys {
        cipher: Cipher::new(key.expose()),
        check: derive(root.expose(), b"", &[b"holdfast/secrets-export/v1/check"]),
    }
}

/// Seals what is exported (JSON, docs/protocol.md, section 1.8) under a password.
///
/// # Errors
/// [`SecretsExportError::TooLarge`], [`SecretsExportError::Password`].
pub fn seal_secrets_export(password: &str, plaintext: &[u8]) -> Result<Vec<u8>, SecretsExportError> {
    seal_secrets_export_with(password, plaintext, &random_bytes(), &random_bytes())
}

/// As [`seal_secrets_export`] with a salt and nonce of the caller's: for vectors alone.
///
/// # Errors
/// As [`seal_secrets_export`].
#[doc(hidden)]
pub fn seal_secrets_export_with(
    password: &str,
    plaintext: &[u8],
    salt: &[u8; SALT],
    nonce: &[u8; NONCE],
) -> Result<Vec<u8>, SecretsExportError> {
    let length = HEADER + NONCE + plaintext.len() + TAG;
    if length > SECRETS_EXPORT_BYTES {
        return Err(SecretsExportError::TooLarge(length));
    }
    let keys = keys(&root(password, salt)?);
    let mut file = Vec::with_capacity(length);
    file.extend_from_slice(MAGIC);
    file.push(VERSION);
    file.extend_from_slice(salt);
    file.extend_from_slice(keys.check.expose());
    let header = file.clone();
    file.extend_from_slice(nonce);
    file.extend_from_slice(plaintext);
    let tag = keys
        .cipher
        .seal(nonce, &header, &mut file[HEADER + NONCE..])
        .ok_or(SecretsExportError::TooLarge(length))?;
    file.extend_from_slice(&tag);
    Ok(file)
}

/// Opens it.
///
/// # Errors
/// [`SecretsExportError`] names what is wrong with the file or the password.
pub fn open_secrets_export(password: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsExportError> {
    open_secrets_export_with_root(&root(password, salt(file)?)?, file)
}

/// As [`open_secrets_export`], from what the password was stretched to: for fuzzing alone.
///
/// # Errors
/// As [`open_secrets_export`].
#[doc(hidden)]
pub fn open_secrets_export_with_root(
    root: &SecretBytes<64>,
    file: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SecretsExportError> {
    salt(file)?;
    let keys = keys(root);
    let (header, rest) = file.split_at(HEADER);
    if !same_secret(&header[HEADER - CHECK..], keys.check.expose()) {
        return Err(SecretsExportError::WrongPassword);
    }
    let (nonce, rest) = rest
        .split_first_chunk::<NONCE>()
        .ok_or(SecretsExportError::Truncated(file.len()))?;
    let (sealed, tag) = rest
        .split_last_chunk::<TAG>()
        .ok_or(SecretsExportError::Truncated(file.len()))?;
    let mut text = Zeroizing::new(sealed.to_vec());
    if keys.cipher.open(nonce, header, &mut text, tag) {
        Ok(text)
    } else {
        Err(SecretsExportError::Tampered)
    }
}

/// The salt of a file that is one, and long enough to be whole.
fn salt(file: &[u8]) -> Result<&[u8; SALT], SecretsExportError> {
    let rest = file.strip_prefix(MAGIC).ok_or(SecretsExportError::NotOne)?;
    let truncated = SecretsExportError::Truncated(file.len());
    let (&version, rest) = rest.split_first().ok_or(truncated)?;
    if version != VERSION {
        return Err(SecretsExportError::UnknownVersion(version));
    }
    if file.len() > SECRETS_EXPORT_BYTES {
        return Err(SecretsExportError::TooLarge(file.len()));
    }
    if file.len() < HEADER + NONCE + TAG {
        return Err(truncated);
    }
    rest.first_chunk().ok_or(truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_02_an_export_that_was_changed_cut_or_lengthened_at_any_byte_is_refused() {
        let root = SecretBytes::<64>::copy_from(&[7; 64]).unwrap();
        let keys = keys(&root);
        let mut file = [MAGIC.as_slice(), &[VERSION], &[3; SALT], keys.check.expose()].concat();
        let header = file.clone();
        file.extend([5; NONCE]);
        let mut text = b"{\"holdfast_secrets\":1}".to_vec();
        let tag = keys.cipher.seal(&[5; NONCE], &header, &mut text).unwrap();
        file.extend(&text);
        file.extend(tag);
        let opened = open_secrets_export_with_root(&root, &file).unwrap();
        assert_eq!(opened.as_slice(), b"{\"holdfast_secrets\":1}");
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open_secrets_export_with_root(&root, &changed).is_err(), "byte {at}");
            assert!(
                open_secrets_export_with_root(&root, &file[..at]).is_err(),
                "cut at {at}"
            );
        }
        let longer = [file.as_slice(), &[0]].concat();
        assert_eq!(
            open_secrets_export_with_root(&root, &longer).unwrap_err(),
            SecretsExportError::Tampered
        );
        let other = SecretBytes::<64>::copy_from(&[8; 64]).unwrap();
        assert_eq!(
            open_secrets_export_with_root(&other, &file).unwrap_err(),
            SecretsExportError::WrongPassword
        );
    }
}
