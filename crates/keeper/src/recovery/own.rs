//! The own recovery: who the contacts are, splitting the secret of its slot among them, and what is left when it is ended.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::recovery::{CONTACTS_PURPOSE, ContactList};
use protocol::{Millis, SlotId, UserId, b64};
use serde::{Deserialize, Serialize};
use vault::{Kek, RecoveryTerms, SecretBytes, split_secret};

use super::{Recovery, RecoveryFailure};
use crate::channel::SlotEnd;
use crate::limits::{RECOVERY_STOPS, RECOVERY_WAIT_LONGEST};
use crate::post::{self, Letter};
use crate::vault_service::{FreshProof, Record};
use protocol::channel::SlotKind;

pub(super) const SET: &str = "recovery/set";
/// The requests that contacts were told not to answer, the last ones.
const STOPPED: &str = "recovery/stopped";
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
    /// Rises with each split, also where the clock does not.
    pub made: Millis,
    /// None where it was ended.
    pub contacts: Vec<RecoveryContact>,
}

/// The recovery, with what the platform is told of it.
#[derive(Debug, Serialize)]
pub(super) struct SignedRecovery {
    #[serde(flatten)]
    own: OwnRecovery,
    /// Of the list of contacts, by this vault.
    #[serde(with = "b64")]
    signature: Vec<u8>,
}

/// Who holds a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryContact {
    pub user: UserId,
    pub name: String,
}

/// What contacts were told not to answer.
#[derive(Serialize, Deserialize)]
struct Stopped {
    v: u8,
    requests: Vec<String>,
}

impl Default for Stopped {
    fn default() -> Self {
        Self {
            v: VERSION,
            requests: Vec::new(),
        }
    }
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

    /// As [`Self::own`], signed for the platform.
    pub(super) async fn own_signed(&self) -> Result<Option<SignedRecovery>, RecoveryFailure> {
        match self.own()? {
            Some(own) => Ok(Some(self.signed(own).await?)),
            None => Ok(None),
        }
    }

    /// The recovery that was ended last, where none was set up since: that nobody is asked any more, signed for the platform.
    pub(super) async fn ended_signed(&self) -> Result<Option<SignedRecovery>, RecoveryFailure> {
        match self.stored()?.filter(|own| own.contacts.is_empty()) {
            Some(ended) => Ok(Some(self.signed(ended).await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn signed(&self, own: OwnRecovery) -> Result<SignedRecovery, RecoveryFailure> {
        let list = ContactList {
            cell: self.vault.cell()?,
            slot: own.slot,
            made: own.made,
            threshold: own.threshold,
            wait_ms: own.wait_ms,
            contacts: own.contacts.iter().map(|contact| contact.user).collect(),
        };
        let signature = self.vault.identity().await?.sign_for(CONTACTS_PURPOSE, &list.to_sign());
        Ok(SignedRecovery {
            own,
            signature: signature.to_vec(),
        })
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
        let (version, after) = self.stored()?.map_or((1, 0), |own| (own.version + 1, own.made + 1));
        let terms = RecoveryTerms {
            cell: self.vault.cell()?.uuid(),
            slot: new.slot.uuid(),
            version,
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
            made: self.clock.now().max(after),
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

    /// What changes when this slot is taken away, where it is the one of the recovery: nobody is a contact any more, and they are told that
    /// what they hold is worth nothing.
    async fn end_of(&self, slot: SlotId) -> Result<Vec<Record>, RecoveryFailure> {
        let Some(own) = self.stored()?.filter(|own| own.slot == slot) else {
            return Ok(Vec::new());
        };
        let ended = OwnRecovery {
            threshold: 0,
            wait_ms: 0,
            made: self.clock.now().max(own.made + 1),
            contacts: Vec::new(),
            ..own
        };
        let identity = self.vault.identity().await?;
        let mut records = vec![(SET.to_owned(), Some(to_json(&ended)?))];
        records.extend(post::withdrawn(&self.vault)?);
        for left in self.left_by(&ended)? {
            let sealed = Letter::Gone(ended.version).seal(&identity, left.identity.agreement())?;
            records.push(post::outgoing(left.user, sealed));
        }
        Ok(records)
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

    /// Tells every contact not to release anything for this request; once, however often it is asked for.
    pub(super) async fn stop(&self, request: &str) -> Result<(), RecoveryFailure> {
        let own = self.stored()?.ok_or(RecoveryFailure::NotSetUp)?;
        let mut stopped = self.stopped()?;
        if stopped.requests.iter().any(|known| known == request) {
            return Ok(());
        }
        if stopped.requests.len() >= RECOVERY_STOPS {
            stopped.requests.remove(0);
        }
        stopped.requests.push(request.to_owned());
        let identity = self.vault.identity().await?;
        let mut records = vec![(STOPPED.to_owned(), Some(to_json(&stopped)?))];
        for contact in own.contacts {
            if let Some(known) = self.contacts.get(contact.user)? {
                let letter = Letter::Stop(request.to_owned());
                let sealed = letter.seal(&identity, known.identity.agreement())?;
                records.push(post::outgoing(contact.user, sealed));
            }
        }
        Ok(self.vault.put_records(records).await?)
    }

    fn stopped(&self) -> Result<Stopped, RecoveryFailure> {
        let Some(json) = self.vault.get_record(STOPPED)? else {
            return Ok(Stopped::default());
        };
        // Of another version or damaged: to tell it again does no harm.
        let stopped = serde_json::from_slice::<Stopped>(&json).ok();
        Ok(stopped.filter(|stopped| stopped.v == VERSION).unwrap_or_default())
    }
}

impl SlotEnd for Recovery {
    fn ending(&self, slot: SlotId) -> BoxFuture<'_, Result<Vec<Record>, ChannelError>> {
        async move { Ok(self.end_of(slot).await?) }.boxed()
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, RecoveryFailure> {
    serde_json::to_vec(value).map_err(|_| RecoveryFailure::Unreadable)
}
