use protocol::channel::ChannelError;

use crate::limits;
use crate::vault_service::VaultError;

/// Why a secret is not stored or told.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("There is no such secret; it may have been deleted on another device.")]
    Unknown,
    #[error("A secret needs a name.")]
    NoName,
    #[error(
        "A secret's name has at most {} bytes (SECRET_NAME_BYTES).",
        limits::SECRET_NAME_BYTES
    )]
    NameTooLong,
    #[error(
        "The user name and the address have at most {} bytes (SECRET_FIELD_BYTES).",
        limits::SECRET_FIELD_BYTES
    )]
    FieldTooLong,
    #[error("A secret needs a value.")]
    NoValue,
    #[error(
        "A secret's value has at most {} bytes (SECRET_VALUE_BYTES).",
        limits::SECRET_VALUE_BYTES
    )]
    ValueTooLong,
    #[error("The vault holds at most {} secrets (SECRETS).", limits::SECRETS)]
    TooMany,
    #[error("The secret was written by a newer version of Holdfast.")]
    Newer,
    #[error("{0}")]
    Vault(#[from] VaultError),
}

impl From<SecretError> for ChannelError {
    fn from(error: SecretError) -> Self {
        let code = match error {
            SecretError::Unknown => "unknown_secret",
            SecretError::Newer => "newer",
            SecretError::TooMany => "too_many_secrets",
            SecretError::Vault(error) => return error.into(),
            _ => "secret_invalid",
        };
        Self::new(code, error.to_string())
    }
}
