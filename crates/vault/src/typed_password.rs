//! One form for a typed password, so that the same keys pressed on another system open the same vault.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::limits::PASSWORD_BYTES;
use crate::secret::ClientSecret;

/// Why a password cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is empty")]
    Empty,
    #[error("the password has {0} bytes, more than PASSWORD_BYTES ({PASSWORD_BYTES})")]
    TooLong(usize),
}

/// What goes into OPAQUE for a password: its UTF-8 in Unicode normalisation form KC, nothing trimmed.
///
/// # Errors
/// [`PasswordError`] when it is empty or too long.
pub fn password_secret(password: &str) -> Result<ClientSecret, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > PASSWORD_BYTES {
        return Err(PasswordError::TooLong(password.len()));
    }
    // Room for the worst case, so that no half-filled copy is left behind by growing.
    let mut normal = Zeroizing::new(String::with_capacity(password.len() * 18));
    normal.extend(password.nfkc());
    Ok(ClientSecret::new(normal.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let composed = password_secret("Gr\u{fc}\u{df}e 1").unwrap();
        let decomposed = password_secret("Gru\u{308}\u{df}e 1").unwrap();
        assert!(composed.expose() == decomposed.expose());
        assert!(composed.expose() != password_secret("Grusse 1").unwrap().expose());
    }

    #[test]
    fn an_empty_or_endless_password_is_refused_by_name() {
        assert!(matches!(password_secret(""), Err(PasswordError::Empty)));
        let endless = "x".repeat(PASSWORD_BYTES + 1);
        assert!(matches!(password_secret(&endless), Err(PasswordError::TooLong(1025))));
    }
}
