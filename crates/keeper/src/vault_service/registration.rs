//! Registering slots and logging in to them: the OPAQUE server's steps, with the claim, the back-off and the slots of the file.

use std::collections::HashMap;

use protocol::SlotId;
use protocol::channel::{PasskeyRequest, SlotKind, VaultState};
use vault::opaque::{Names, Registration};
use vault::{Kek, NewSlot, PasskeyHeader, SlotChange};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::proof::{Challenge, FreshProof};
use super::records;
use super::service::{Unlocked, VaultNotice, VaultService, stored_kind};
use super::writer::Change;
use crate::limits::SLOT_NAME_CHARS;

/// Registrations that are begun and not finished, at once.
const PENDING: usize = 8;
pub(super) const PHRASE_CONFIRMED: &str = "vault/phrase-confirmed";

/// Registrations that are not in the vault yet. Lost at a restart: the client begins again.
#[derive(Default)]
pub(super) struct Pending {
    /// The slot that a new vault is going to be made with.
    first: Option<(SlotId, SlotKind, Option<Registration>)>,
    /// Slots that are being added.
    added: HashMap<SlotId, Added>,
}

struct Added {
    kind: SlotKind,
    name: String,
    passkey: Option<PasskeyRequest>,
}

impl Pending {
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A log-in that waits for the client's proof.
pub(crate) struct LoginStarted {
    pub challenge: Challenge,
    pub response: Vec<u8>,
    /// How long the next attempt has to wait should this one fail, in milliseconds.
    pub retry_after_ms: u64,
}

/// A slot that is being added, as the client names it.
pub(crate) struct NewSlotParams {
    pub kind: SlotKind,
    pub name: Option<String>,
    pub passkey: Option<PasskeyRequest>,
}

impl VaultService {
    pub(super) fn names(&self, slot: SlotId) -> Result<Names, VaultError> {
        Ok(Names {
            cell: self.cell()?.uuid(),
            slot: slot.uuid(),
        })
    }

    /// Begins the first registration of a new vault: only with the claim.
    pub(crate) fn first_registration_start(
        &self,
        claim: &[u8],
        kind: SlotKind,
        request: &[u8],
    ) -> Result<(SlotId, Vec<u8>), VaultError> {
        let expected = self.shared().claim().ok_or(VaultError::Exists)?;
        if !vault::same_secret(expected.as_slice(), claim) {
            return Err(VaultError::ClaimRefused);
        }
        let slot = SlotId::new();
        let response = self
            .shared()
            .file()
            .server_setup()?
            .registration_response(request, &self.names(slot)?)?;
        self.pending().first = Some((slot, kind, None));
        Ok((slot, response))
    }

    /// Takes the record of the first registration. The vault is made by [`Self::create`], after a log-in with it.
    pub(crate) fn first_registration_finish(&self, slot: SlotId, record: &[u8]) -> Result<(), VaultError> {
        if self.state() != VaultState::New {
            return Err(VaultError::Exists);
        }
        let registration = Registration::from_record(record)?;
        match &mut self.pending().first {
            Some((pending, _, waiting)) if *pending == slot => {
                *waiting = Some(registration);
                Ok(())
            }
            _ => Err(VaultError::UnknownSlot),
        }
    }

    fn registration(&self, slot: SlotId) -> Result<Registration, VaultError> {
        let file = self.shared().file();
        if !file.is_new() {
            return Ok(file.slot(slot.uuid())?.registration()?);
        }
        match &self.pending().first {
            Some((pending, _, Some(registration))) if *pending == slot => Ok(registration.clone()),
            _ => Err(VaultError::UnknownSlot),
        }
    }

    /// Answers a log-in, after counting it as a failure, durably.
    pub(crate) async fn login_start(&self, slot: SlotId, request: &[u8]) -> Result<LoginStarted, VaultError> {
        let registration = self.registration(slot)?;
        let names = self.names(slot)?;
        let setup = self.shared().file().server_setup()?;
        let (challenge, response) = setup.login_response(&registration, request, &names)?;
        let mut known: Vec<SlotId> = self.slots().into_iter().map(|info| info.id).collect();
        known.push(slot);
        let now = self.shared().clock.now();
        let retry_after_ms = self.attempts().begin(slot, &known, now).await?;
        Ok(LoginStarted {
            challenge: Challenge::new(slot, challenge),
            response,
            retry_after_ms,
        })
    }

    /// Makes the vault: a new data key, wrapped for the slot that was registered first.
    ///
    /// # Errors
    /// [`VaultError::Exists`], [`VaultError::UnknownSlot`], the disk's errors.
    pub async fn create(&self, slot: SlotId, kek: &Kek) -> Result<Unlocked, VaultError> {
        if self.state() != VaultState::New {
            return Err(VaultError::Exists);
        }
        let (kind, registration) = match &self.pending().first {
            Some((pending, kind, Some(registration))) if *pending == slot => (*kind, registration.clone()),
            _ => return Err(VaultError::UnknownSlot),
        };
        self.change(Change::Create(NewSlot {
            id: slot.uuid(),
            kind: stored_kind(kind),
            name: default_name(kind).to_owned(),
            created: self.shared().clock.now(),
            passkey: None,
            registration,
            kek: kek.clone(),
        }))
        .await?;
        self.pending().clear();
        self.shared().notice(VaultNotice::Unlocked);
        self.idle().changed();
        self.unlock(slot, kek)
    }

    /// Begins to register a further slot, inside the channel.
    pub(crate) fn slot_register_start(
        &self,
        _proof: &FreshProof,
        new: NewSlotParams,
        request: &[u8],
    ) -> Result<(SlotId, Vec<u8>), VaultError> {
        if self.state() != VaultState::Unlocked {
            return Err(VaultError::Locked);
        }
        if (new.kind == SlotKind::Passkey) != new.passkey.is_some() {
            return Err(VaultError::Passkey);
        }
        let name = new.name.as_deref().unwrap_or(default_name(new.kind));
        let added = Added {
            kind: new.kind,
            name: shown_name(name)?,
            passkey: new.passkey,
        };
        let slot = SlotId::new();
        let response = self
            .shared()
            .file()
            .server_setup()?
            .registration_response(request, &self.names(slot)?)?;
        let mut pending = self.pending();
        if pending.added.len() >= PENDING {
            pending.added.clear();
        }
        pending.added.insert(slot, added);
        Ok((slot, response))
    }

    /// Adds the slot, in place of another where one is named: one write.
    pub(crate) async fn slot_register_finish(
        &self,
        proof: &FreshProof,
        slot: SlotId,
        record: &[u8],
        kek: Kek,
        replaces: Option<SlotId>,
    ) -> Result<(), VaultError> {
        self.add_slot_with(proof, slot, record, kek, replaces, Vec::new()).await
    }

    /// As [`Self::slot_register_finish`], with records of the rest of the keeper in the same write.
    pub(crate) async fn add_slot_with(
        &self,
        _proof: &FreshProof,
        slot: SlotId,
        record: &[u8],
        kek: Kek,
        replaces: Option<SlotId>,
        records: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), VaultError> {
        let registration = Registration::from_record(record)?;
        let Added { kind, name, passkey } = self.pending().added.remove(&slot).ok_or(VaultError::UnknownSlot)?;
        let slots = self.slots();
        match replaces {
            // Another kind is another way in, not a new form of this one.
            Some(replaced) if !slots.iter().any(|info| info.id == replaced && info.kind == kind) => {
                return Err(VaultError::UnknownSlot);
            }
            None if is_single(kind) && slots.iter().any(|info| info.kind == kind) => {
                return Err(VaultError::SlotExists);
            }
            _ => {}
        }
        let mut entries = self.uses_without(replaces)?;
        entries.extend(records::checked(records)?);
        if kind == SlotKind::RecoveryPhrase {
            entries.push((PHRASE_CONFIRMED.to_owned(), None));
        }
        let change = SlotChange {
            remove: replaces.map(SlotId::uuid),
            add: Some(NewSlot {
                id: slot.uuid(),
                kind: stored_kind(kind),
                name,
                created: self.shared().clock.now(),
                passkey: passkey.map(|request| PasskeyHeader {
                    credential_id: request.credential_id,
                    prf_salt: request.prf_salt,
                    rp_id: request.rp_id,
                }),
                registration,
                kek,
            }),
            ..SlotChange::default()
        };
        self.change(Change::Slots { change, entries }).await?;
        if let Some(replaced) = replaces {
            self.proofs().forget_slot(replaced);
        }
        Ok(())
    }

    /// Says that a slot has taken the place of another, for whoever holds channels that came in through it.
    pub(crate) fn slot_was_replaced(&self, slot: SlotId, by: SlotId, channel: u64) {
        self.shared().notice(VaultNotice::SlotReplaced { slot, by, channel });
    }

    /// The person has shown that the phrase was written down.
    pub(crate) async fn confirm_phrase(&self, slot: SlotId) -> Result<(), VaultError> {
        let is_phrase = |info: &protocol::channel::SlotInfo| info.id == slot && info.kind == SlotKind::RecoveryPhrase;
        if !self.slots().iter().any(is_phrase) {
            return Err(VaultError::UnknownSlot);
        }
        let value = Zeroizing::new(slot.to_string().into_bytes());
        self.change(Change::Entries(vec![(PHRASE_CONFIRMED.to_owned(), Some(value))]))
            .await
    }

    /// Whether [`Self::confirm_phrase`] was called for the phrase there is; none while locked.
    pub(crate) fn phrase_confirmed(&self) -> Option<bool> {
        self.entry(PHRASE_CONFIRMED).ok().map(|entry| entry.is_some())
    }
}

/// Kinds of which a vault has at most one.
fn is_single(kind: SlotKind) -> bool {
    match kind {
        SlotKind::Password | SlotKind::RecoveryPhrase | SlotKind::Social | SlotKind::Platform => true,
        SlotKind::Passkey | SlotKind::BackupKey => false,
    }
}

/// A name as it is kept: without control characters, and not longer than is shown.
pub(super) fn shown_name(name: &str) -> Result<String, VaultError> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(SLOT_NAME_CHARS).collect();
    match shown.trim() {
        "" => Err(VaultError::SlotName),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn default_name(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Password => "Password",
        SlotKind::RecoveryPhrase => "Recovery phrase",
        SlotKind::Passkey => "Passkey",
        SlotKind::BackupKey => "Backup key",
        SlotKind::Social => "Recovery contacts",
        SlotKind::Platform => "Platform",
    }
}
