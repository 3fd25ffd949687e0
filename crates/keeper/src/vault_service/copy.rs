//! The vault as it goes into a backup, and its content replaced by that of one: in one write, or not at all.

use vault::Body;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::rotation;
use super::service::VaultService;
use super::writer::Change;
use crate::activity::UNTOLD;

/// What belongs to the slots and to the key of this vault, and stays with them whatever its content is replaced by.
fn of_the_slots(name: &str) -> bool {
    rotation::is_of_the_key(name)
        || name == "vault/phrase-confirmed"
        || name.starts_with("vault/slot")
        || name == "recovery/set"
}

/// The vault at one moment.
pub struct VaultCopy {
    /// The file as it lies on disk.
    pub file: Vec<u8>,
    pub epoch: u64,
    /// How often the data key had been changed.
    pub rotation: u64,
    body: Body,
}

/// What was true of another time, and must not come back: numbers that were given out, what waits to be sent under them, copies of what others
/// shared, who may have taken it back since, what its owner allowed beforehand, and may have taken back since, and what the audit log had not
/// heard of, and may have since.
fn of_its_time(name: &str) -> bool {
    name == UNTOLD
        || [
            "relay/to/",
            "relay/out/",
            "relay/lost/",
            "share/copy/",
            "approval-rule/",
        ]
        .iter()
        .any(|kind| name.starts_with(kind))
}

impl VaultCopy {
    /// A record as it was at that moment.
    pub fn record(&self, name: &str) -> Option<&[u8]> {
        self.body.get(name)
    }
}

impl VaultService {
    /// The file and what is in it, from the same write.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn copy(&self) -> Result<VaultCopy, VaultError> {
        let (file, body) = self.shared().keyring.with(|open| {
            let file = self.shared().file();
            let body = file.open_body(&open.data_key);
            (file, body)
        })?;
        let body = body?;
        Ok(VaultCopy {
            file: file.encode(),
            epoch: file.epoch(),
            rotation: rotation::number(&body),
            body,
        })
    }

    /// Puts the content of another vault in place of this one's, with `records` over it. The slots stay, and what belongs to them.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::Limit`], the disk's errors; nothing is changed then.
    pub(crate) async fn replace_content(
        &self,
        content: &Body,
        records: Vec<(String, Vec<u8>)>,
    ) -> Result<(), VaultError> {
        let own = self.shared().keyring.with(|open| {
            let mine: Vec<String> = open.body.names("").map(str::to_owned).collect();
            mine
        })?;
        let mut entries: Vec<(String, Option<Zeroizing<Vec<u8>>>)> = Vec::new();
        for name in own.iter().filter(|name| !of_the_slots(name)) {
            entries.push((name.clone(), None));
        }
        for name in content
            .names("")
            .filter(|name| !of_the_slots(name) && !of_its_time(name))
        {
            let value = content.get(name).map(|value| Zeroizing::new(value.to_vec()));
            entries.push((name.to_owned(), value));
        }
        for (name, value) in records {
            entries.push((name, Some(Zeroizing::new(value))));
        }
        self.change(Change::Entries(entries)).await?;
        self.model_changed();
        Ok(())
    }
}
