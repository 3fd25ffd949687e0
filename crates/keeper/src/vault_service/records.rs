//! Small sealed records for the rest of the keeper. They are part of the vault file, so none can be rolled back by itself.

use zeroize::Zeroizing;

use super::error::VaultError;
use super::service::VaultService;
use super::writer::{Change, Entries};

/// A record: its name, and its value or none where it is deleted.
pub type Record = (String, Option<Vec<u8>>);

/// Names that the vault keeps for itself.
const OWN: &str = "vault/";

pub(super) fn check(name: &str) -> Result<(), VaultError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte);
    if name.is_empty() || name.len() > vault::ENTRY_NAME_BYTES || name.starts_with(OWN) || !name.bytes().all(allowed) {
        return Err(VaultError::RecordName);
    }
    Ok(())
}

/// Records as entries of the vault; none where a name is not allowed.
pub(super) fn checked(records: Vec<Record>) -> Result<Entries, VaultError> {
    let entry = |(name, value): Record| {
        check(&name)?;
        Ok((name, value.map(Zeroizing::new)))
    };
    records.into_iter().map(entry).collect()
}

impl VaultService {
    /// Stores a record, durably. Puts that wait together are one write.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::RecordName`], [`VaultError::Limit`], the disk's errors; nothing is changed then.
    pub async fn put_record(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.put_records(vec![(name.to_owned(), Some(bytes.to_vec()))]).await
    }

    /// Deletes a record, durably; it need not be there.
    ///
    /// # Errors
    /// As [`Self::put_record`].
    pub async fn delete_record(&self, name: &str) -> Result<(), VaultError> {
        self.put_records(vec![(name.to_owned(), None)]).await
    }

    /// Stores and (where there is no value) deletes several records in one write: all of them or none.
    ///
    /// # Errors
    /// As [`Self::put_record`].
    pub async fn put_records(&self, records: Vec<Record>) -> Result<(), VaultError> {
        self.change(Change::Entries(checked(records)?)).await
    }

    /// A record, from memory.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::RecordName`].
    pub fn get_record(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        check(name)?;
        self.entry(name)
    }

    /// The names of the records that start with `prefix`, ascending.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn list_records(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
        self.shared().keyring.with(|open| {
            open.body
                .names(prefix)
                .filter(|name| !name.starts_with(OWN))
                .map(str::to_owned)
                .collect()
        })
    }
}
