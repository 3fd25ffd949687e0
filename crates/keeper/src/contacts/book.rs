//! The records of contacts in the vault: one each, `contacts/<user>`, JSON with a version.

use protocol::{Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use vault::PublicIdentity;

use super::{ContactError, Contacts};
use crate::limits::{CONTACT_NAME_CHARS, CONTACTS};

const PREFIX: &str = "contacts/";
const VERSION: u8 = 1;

/// Somebody whose identity is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub user: UserId,
    pub name: String,
    pub identity: PublicIdentity,
    pub pinned_at: Millis,
    /// When the fingerprint was last compared with its owner.
    pub compared_at: Option<Millis>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    name: String,
    #[serde(with = "b64")]
    bundle: Vec<u8>,
    pinned_at: Millis,
    compared_at: Option<Millis>,
}

fn record(user: UserId) -> String {
    format!("{PREFIX}{user}")
}

/// A name as it is shown in one line.
pub(super) fn tidy_name(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(CONTACT_NAME_CHARS)
        .collect()
}

impl Contacts {
    /// Somebody, if they are known.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn get(&self, user: UserId) -> Result<Option<Contact>, ContactError> {
        let Some(json) = self.vault.get_record(&record(user))? else {
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(&json).map_err(|_| ContactError::Unreadable)?;
        if stored.v != VERSION {
            return Err(ContactError::Unreadable);
        }
        Ok(Some(Contact {
            user,
            name: stored.name,
            identity: PublicIdentity::decode(&stored.bundle)?,
            pinned_at: stored.pinned_at,
            compared_at: stored.compared_at,
        }))
    }

    /// Everybody.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn list(&self) -> Result<Vec<Contact>, ContactError> {
        let users = self.vault.list_records(PREFIX)?;
        users
            .iter()
            .filter_map(|name| name.strip_prefix(PREFIX)?.parse::<uuid::Uuid>().ok())
            .filter_map(|user| self.get(user.into()).transpose())
            .collect()
    }

    /// Forgets somebody: other keys may be pinned for them then.
    ///
    /// # Errors
    /// The vault's errors.
    pub async fn forget(&self, user: UserId) -> Result<(), ContactError> {
        Ok(self.vault.delete_record(&record(user)).await?)
    }

    pub(super) fn check_room(&self) -> Result<(), ContactError> {
        match self.vault.list_records(PREFIX)?.len() {
            count if count >= CONTACTS => Err(ContactError::TooMany),
            _ => Ok(()),
        }
    }

    pub(super) async fn put(&self, contact: &Contact) -> Result<(), ContactError> {
        let stored = Stored {
            v: VERSION,
            name: contact.name.clone(),
            bundle: contact.identity.encode(),
            pinned_at: contact.pinned_at,
            compared_at: contact.compared_at,
        };
        let json = serde_json::to_vec(&stored).map_err(|_| ContactError::Unreadable)?;
        Ok(self.vault.put_record(&record(contact.user), &json).await?)
    }
}
