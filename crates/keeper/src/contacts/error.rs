use protocol::channel::ChannelError;
use vault::IdentityError;

use crate::limits::CONTACTS;
use crate::vault_service::VaultError;

/// Why a contact is not taken, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    #[error("This person is not among your contacts.")]
    Unknown,
    #[error("These are your own keys.")]
    Own,
    #[error(
        "The keys of {name} are not the ones that you know. Either {name} made a new vault, or somebody put other keys in their \
         place: ask {name} to read out their digits. You know {known}; offered is {offered}."
    )]
    Changed {
        name: String,
        known: String,
        offered: String,
    },
    #[error("What you compared is not what is kept for this person: compare again.")]
    Differs,
    #[error("The keys are refused: {0}.")]
    Bundle(#[from] IdentityError),
    #[error("A vault remembers at most CONTACTS ({CONTACTS}) people: forget some.")]
    TooMany,
    #[error("The record of a contact cannot be read: it was written by a newer version.")]
    Unreadable,
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ContactError {
    /// The stable code of this error in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_contact",
            Self::Own => "own_identity",
            Self::Changed { .. } => "identity_changed",
            Self::Differs => "fingerprint_differs",
            Self::Bundle(_) => "identity_refused",
            Self::TooMany => "too_many_contacts",
            Self::Unreadable => "vault_refused",
            Self::Vault(error) => error.code(),
        }
    }
}

impl From<ContactError> for ChannelError {
    fn from(error: ContactError) -> Self {
        match error {
            ContactError::Vault(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
