//! The own recovery: who the contacts are, and splitting the secret of its slot among them.

use protocol::{Millis, SlotId, UserId};
use serde::{Deserialize, Serialize};
use vault::{Kek, RecoveryTerms, SecretBytes, split_secret};

use super::{Recovery, RecoveryFailure};
use crate::limits::RECOVERY_WAIT_LONGEST;
use crate::post::{self, Letter};
use crate::vault_service::FreshProof;
use protocol::channel::SlotKind;

pub(super) const SET: &str = "recovery/set";
const VERSION: u8 = 1;

/// The recovery as it is set up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnRecovery {
    v: u8,
    pub slot: SlotId,
    /// Rises with each split.
    pub version: u64,
    pub threshold: u8,
    pub wait_ms: u64,
    pub made: Millis,
    pub contacts: Vec<RecoveryContact>,
}

/// Who holds a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryContact {
    pub user: UserId,
    pub name: String,
}

/// What a client gives to set it up: the registration of the slot, and the secret that opens it.
pub(super) struct NewRecovery {
    pub slot: SlotId,
    pub record: Vec<u8>,
    pub kek: Kek,
    pub secret: SecretBytes<32>,
    pub threshold: u8,
    pub wait_ms: u64,
    pub contacts: Vec<UserId>,
}

impl Recovery {
    fn stored(&self) -> Result<Option<OwnRecovery>, RecoveryFailure> {
        let Some(json) = self.vault.get_record(SET)? else {
            return Ok(None);
        };
        let own: OwnRecovery = serde_json::from_slice(&json).map_err(|_| RecoveryFailure::Unreadable)?;
        match own.v {
            VERSION => Ok(Some(own)),
            _ => Err(RecoveryFailure::Unreadable),
        }
    }

    /// The recovery, if it is set up and its slot is there.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn own(&self) -> Result<Option<OwnRecovery>, RecoveryFailure> {
        let slots = self.vault.slots();
        Ok(self
            .stored()?
            .filter(|own| slots.iter().any(|slot| slot.id == own.slot)))
    }

    /// Splits the secret among contacts, each of whom is pinned. The slot, what is remembered of it and the letters to the contacts
    /// are one write; the slot of an earlier split goes with it, and with it all earlier shares are worth nothing.
    /// `channel` is the one that asks for it, by its number: every other channel that came in through the slot before has to leave.
    pub(super) async fn set_up(
        &self,
        proof: &FreshProof,
        channel: u64,
        new: NewRecovery,
    ) -> Result<OwnRecovery, RecoveryFailure> {
        if new.wait_ms > u64::try_from(RECOVERY_WAIT_LONGEST.as_millis()).unwrap_or(u64::MAX) {
            return Err(RecoveryFailure::Wait);
        }
        let mut contacts = Vec::with_capacity(new.contacts.len());
        for user in &new.contacts {
            if contacts
                .iter()
                .any(|known: &crate::contacts::Contact| known.user == *user)
            {
                return Err(RecoveryFailure::Twice);
            }
            contacts.push(self.contacts.known(*user)?);
        }
        let terms = RecoveryTerms {
            cell: self.vault.cell()?.uuid(),
            slot: new.slot.uuid(),
            version: self.stored()?.map_or(1, |own| own.version + 1),
            wait_ms: new.wait_ms,
            threshold: new.threshold,
        };
        let count = u8::try_from(contacts.len()).unwrap_or(u8::MAX);
        let shares = split_secret(&new.secret, &terms, count)?;
        let own = OwnRecovery {
            v: VERSION,
            slot: new.slot,
            version: terms.version,
            threshold: terms.threshold,
            wait_ms: terms.wait_ms,
            made: self.clock.now(),
            contacts: contacts
                .iter()
                .map(|contact| RecoveryContact {
                    user: contact.user,
                    name: contact.name.clone(),
                })
                .collect(),
        };
        let identity = self.vault.identity().await?;
        let mut records = vec![(SET.to_owned(), Some(to_json(&own)?))];
        // Letters that were not sent yet are about shares that are worth nothing now.
        records.extend(post::withdrawn(&self.vault)?);
        for (share, contact) in shares.iter().zip(&contacts) {
            let sealed = Letter::Share(share.encode()).seal(&identity, contact.identity.agreement())?;
            records.push(post::outgoing(contact.user, sealed));
        }
        for left in self.left_by(&own)? {
            let sealed = Letter::Gone(terms.version).seal(&identity, left.identity.agreement())?;
            records.push(post::outgoing(left.user, sealed));
        }
        let replaces = self.social_slot();
        self.vault
            .add_slot_with(proof, new.slot, &new.record, new.kek, replaces, records)
            .await?;
        if let Some(slot) = replaces {
            self.vault.slot_was_replaced(slot, new.slot, channel);
        }
        Ok(own)
    }

    /// Contacts of the recovery before this one who are not asked again: they may forget what they hold.
    fn left_by(&self, new: &OwnRecovery) -> Result<Vec<crate::contacts::Contact>, RecoveryFailure> {
        let before = self.stored()?.map(|own| own.contacts).unwrap_or_default();
        let left = before
            .iter()
            .filter(|contact| !new.contacts.iter().any(|kept| kept.user == contact.user));
        let mut contacts = Vec::new();
        for contact in left {
            contacts.extend(self.contacts.get(contact.user)?);
        }
        Ok(contacts)
    }

    fn social_slot(&self) -> Option<SlotId> {
        let slots = self.vault.slots();
        slots
            .iter()
            .find(|slot| slot.kind == SlotKind::Social)
            .map(|slot| slot.id)
    }

    /// Tells every contact not to release anything for this request.
    pub(super) async fn stop(&self, request: &str) -> Result<(), RecoveryFailure> {
        let own = self.stored()?.ok_or(RecoveryFailure::NotSetUp)?;
        let identity = self.vault.identity().await?;
        let mut records = Vec::new();
        for contact in own.contacts {
            if let Some(known) = self.contacts.get(contact.user)? {
                let letter = Letter::Stop(request.to_owned());
                let sealed = letter.seal(&identity, known.identity.agreement())?;
                records.push(post::outgoing(contact.user, sealed));
            }
        }
        Ok(self.vault.put_records(records).await?)
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, RecoveryFailure> {
    serde_json::to_vec(value).map_err(|_| RecoveryFailure::Unreadable)
}
