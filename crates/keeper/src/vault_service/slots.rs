//! The ways in that there are: when each was used, renaming, and taking one away.

use std::collections::BTreeMap;

use protocol::channel::SlotKind;
use protocol::{Millis, SlotId};
use vault::{Kek, SlotChange};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::proof::FreshProof;
use super::records;
use super::registration::{PHRASE_CONFIRMED, shown_name};
use super::service::VaultService;
use super::writer::{Change, Entries};

/// When each slot was used last. Inside the vault: whoever has the volume does not learn which way in somebody prefers.
const USES: &str = "vault/slot-uses";

type Uses = BTreeMap<SlotId, Millis>;

fn uses_entry(uses: &Uses) -> (String, Option<Zeroizing<Vec<u8>>>) {
    let json = serde_json::to_vec(uses).expect("a table of ids and numbers serialises");
    (USES.to_owned(), Some(Zeroizing::new(json)))
}

impl VaultService {
    /// When each slot was used last; nothing is known while the vault is locked, nor of slots that were never used.
    pub(crate) fn slot_uses(&self) -> Uses {
        let entry = self.entry(USES).ok().flatten();
        // Only a convenience for the person: a table of another form counts as none.
        entry
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    pub(super) fn uses_without(&self, slot: Option<SlotId>) -> Result<Entries, VaultError> {
        if !self.shared().keyring.is_open() {
            return Err(VaultError::Locked);
        }
        let mut uses = self.slot_uses();
        let known = slot.and_then(|slot| uses.remove(&slot)).is_some();
        Ok(if known { vec![uses_entry(&uses)] } else { Vec::new() })
    }

    /// Somebody came in through this slot, with its key if it opened the vault.
    pub(crate) async fn slot_used(&self, slot: SlotId, kek: Option<&Kek>) -> Result<(), VaultError> {
        let mut uses = self.slot_uses();
        uses.insert(slot, self.shared().clock.now());
        let mut entries = vec![uses_entry(&uses)];
        entries.extend(kek.into_iter().flat_map(|kek| self.missing_slot_keys(slot.uuid(), kek)));
        self.change(Change::Entries(entries)).await
    }

    /// Gives a slot another name.
    pub(crate) async fn slot_rename(&self, slot: SlotId, name: &str) -> Result<(), VaultError> {
        let change = SlotChange {
            rename: Some((slot.uuid(), shown_name(name)?)),
            ..SlotChange::default()
        };
        let entries = Entries::new();
        self.change(Change::Slots { change, entries }).await
    }

    /// Takes a slot away: what opened it opens nothing any more. The last one stays. `records` of the rest of the keeper change in the
    /// same write.
    pub(crate) async fn slot_remove(
        &self,
        _proof: &FreshProof,
        slot: SlotId,
        records: Vec<records::Record>,
    ) -> Result<(), VaultError> {
        let slots = self.slots();
        let info = slots
            .iter()
            .find(|info| info.id == slot)
            .ok_or(VaultError::UnknownSlot)?;
        let mut entries = self.uses_without(Some(slot))?;
        entries.extend(records::checked(records)?);
        if info.kind == SlotKind::RecoveryPhrase {
            entries.push((PHRASE_CONFIRMED.to_owned(), None));
        }
        let change = SlotChange {
            remove: Some(slot.uuid()),
            ..SlotChange::default()
        };
        self.change(Change::Slots { change, entries }).await?;
        self.proofs().forget_slot(slot);
        Ok(())
    }
}
