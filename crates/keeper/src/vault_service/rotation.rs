//! Changing the data key. One write of the vault's file makes the new key the one in force, wrapped for every slot, with the old key
//! inside the sealed part; what is sealed elsewhere (the home) is opened with either until it is sealed again, and then the old key is
//! dropped. Broken off anywhere, everything opens, and what is left to do is known.

use protocol::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Body, DataKey, Kek, SlotKeys, VaultFile};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::proof::FreshProof;
use super::service::{VaultNotice, VaultService};
use super::writer::{Change, Entries};

const SLOT_KEYS: &str = "vault/slot-keys/";
const OLD_KEY: &str = "vault/old-key";
const LOCAL_KEY: &str = "vault/local-key";
const ROTATION: &str = "vault/rotation";
/// Version of the entry with the old key.
const VERSION: u8 = 1;
const DAY: Millis = 24 * 60 * 60 * 1000;

/// How often the key was changed, and when last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rotations {
    count: u64,
    at: Millis,
}

/// What the owner is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RotationStatus {
    /// When the key was changed last; none if never.
    at: Option<Millis>,
    /// The old key is kept until the home is sealed again.
    unfinished: bool,
}

/// The entry that a slot with this key needs.
pub(super) fn slot_keys_entry(slot: Uuid, kek: &Kek) -> (String, Option<Zeroizing<Vec<u8>>>) {
    (format!("{SLOT_KEYS}{slot}"), Some(SlotKeys::of(kek).encode()))
}

pub(super) fn without_slot_keys(slot: Uuid) -> (String, Option<Zeroizing<Vec<u8>>>) {
    (format!("{SLOT_KEYS}{slot}"), None)
}

/// The key that the home may still be sealed under.
pub(crate) fn old_key(body: &Body) -> Option<DataKey> {
    let (&version, key) = body.get(OLD_KEY)?.split_first()?;
    (version == VERSION).then(|| DataKey::copy_from(key).ok()).flatten()
}

/// Whether an entry belongs to the data key of this one vault.
pub(super) fn is_of_the_key(name: &str) -> bool {
    [OLD_KEY, LOCAL_KEY, ROTATION].contains(&name)
}

/// Encrypts what clients keep: derived from the first data key, and kept when that goes.
pub(super) fn local_key(data_key: &DataKey, body: &Body) -> vault::LocalKey {
    let kept = body
        .get(LOCAL_KEY)
        .and_then(|kept| vault::LocalKey::copy_from(kept).ok());
    kept.unwrap_or_else(|| vault::keys::local(data_key))
}

fn rotations(body: &Body) -> Rotations {
    let kept = body.get(ROTATION).and_then(|json| serde_json::from_slice(json).ok());
    kept.unwrap_or_default()
}

/// How often the data key was changed before this body was written.
pub(super) fn number(body: &Body) -> u64 {
    rotations(body).count
}

/// The vault's next write under a new key: file, key and body.
pub(super) fn rotated(
    file: &VaultFile,
    old: &DataKey,
    body: &Body,
    now: Millis,
) -> Result<(VaultFile, DataKey, Body), VaultError> {
    if body.get(OLD_KEY).is_some() {
        return Err(VaultError::RotationUnfinished);
    }
    let new = DataKey::random();
    let mut body = body.clone();
    body.epoch = file.epoch() + 1;
    let kept = Zeroizing::new([&[VERSION], old.expose().as_slice()].concat());
    body.put(LOCAL_KEY, local_key(old, &body).expose())?;
    body.put(OLD_KEY, &kept)?;
    let count = rotations(&body).count + 1;
    let json = serde_json::to_vec(&Rotations { count, at: now }).expect("two numbers serialise");
    body.put(ROTATION, &json)?;
    let keys_of = |slot: Uuid| body.get(&format!("{SLOT_KEYS}{slot}")).and_then(SlotKeys::decode);
    let next = file.rotated(&new, &body, keys_of).map_err(|error| match error {
        vault::FileError::SlotNotReady(slot) => {
            VaultError::SlotNotReady(file.slot(slot).map(|slot| slot.name.clone()).unwrap_or_default())
        }
        other => other.into(),
    })?;
    Ok((next, new, body))
}

impl VaultService {
    /// Changes the data key. Durable when it returns; what is sealed elsewhere follows.
    pub(crate) async fn rotate(&self, _proof: &FreshProof) -> Result<(), VaultError> {
        self.rotate_now().await
    }

    async fn rotate_now(&self) -> Result<(), VaultError> {
        self.change(Change::Rotate).await?;
        self.shared().notice(VaultNotice::Rotated);
        Ok(())
    }

    /// Changes the key if the owner's setting says that it is old. Nobody waits for it; it is looked at again.
    pub(crate) async fn rotate_at_its_age(&self) {
        match self.rotate_if_old().await {
            Ok(true) => tracing::info!("the data key was changed: it had reached the age that its owner set"),
            Ok(false) | Err(VaultError::Locked) => {}
            Err(error) => tracing::warn!(%error, "the data key is old and could not be changed"),
        }
    }

    /// Needs nobody: the slots' own keys are not needed for it.
    pub(super) async fn rotate_if_old(&self) -> Result<bool, VaultError> {
        let days = Millis::from(self.policy()?.rotate_after_days);
        let (last, made) = self
            .shared()
            .keyring
            .with(|open| (rotations(&open.body), open.body.get(OLD_KEY).is_some()))?;
        let since = match last.at {
            0 => self.slots().iter().filter_map(|slot| slot.created).min().unwrap_or(0),
            at => at,
        };
        if days == 0 || made || self.shared().clock.now().saturating_sub(since) < days.saturating_mul(DAY) {
            return Ok(false);
        }
        match self.rotate_now().await {
            // Somebody else came in at the same moment: it is changed already.
            Err(VaultError::RotationUnfinished) => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// How often the data key was changed.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn rotation_number(&self) -> Result<u64, VaultError> {
        self.shared().keyring.with(|open| number(&open.body))
    }

    /// The number of the rotation whose old key is still needed, if there is one.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn unfinished_rotation(&self) -> Result<Option<u64>, VaultError> {
        self.shared()
            .keyring
            .with(|open| open.body.get(OLD_KEY).map(|_| rotations(&open.body).count))
    }

    /// Drops the old key of rotation `number`: everything is sealed under the new one. Durable when it returns.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub async fn finish_rotation(&self, number: u64) -> Result<(), VaultError> {
        if self.unfinished_rotation()? != Some(number) {
            return Ok(());
        }
        self.change(Change::Entries(vec![(OLD_KEY.to_owned(), None)])).await?;
        self.shared().notice(VaultNotice::RotationFinished);
        Ok(())
    }

    pub(crate) fn rotation_status(&self) -> Option<RotationStatus> {
        let read = self.shared().keyring.with(|open| {
            let last = rotations(&open.body);
            RotationStatus {
                at: (last.count > 0).then_some(last.at),
                unfinished: open.body.get(OLD_KEY).is_some(),
            }
        });
        read.ok()
    }

    /// What is to be written when somebody came in through a slot with this key: nothing, unless an older Holdfast made the slot.
    pub(super) fn missing_slot_keys(&self, slot: Uuid, kek: &Kek) -> Entries {
        let name = format!("{SLOT_KEYS}{slot}");
        match self.entry(&name) {
            Ok(None) => vec![slot_keys_entry(slot, kek)],
            _ => Vec::new(),
        }
    }
}
