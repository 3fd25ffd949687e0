//! Whether a second person is needed, and who that may be: `approval-second`, a version byte and JSON.

use std::sync::atomic::Ordering;

use protocol::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::SignerKey;

use super::super::{ApprovalError, Approvals};
use super::{Person, is_of_two};
use crate::activity::{Deed, What};
use crate::approvals::Action;
use crate::contacts::Contacts;
use crate::limits;
use crate::relay::Relay;
use crate::vault_service::{FreshProof, VaultError};
use crate::versioned;

const RECORD: &str = "approval-second";

/// The owner's choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    on: bool,
    people: Vec<Chosen>,
}

/// Somebody, with the key that was compared: another key under the same name is somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Chosen {
    user: UserId,
    key: SignerKey,
}

impl Approvals {
    /// How the people who may be asked are known and reached; set once.
    pub fn set_people(&self, contacts: Contacts, relay: Relay) {
        let _first_one_stays = self.second.way.set((contacts, relay));
    }

    /// The platform says whether the owner's organisation demands a second person; nothing is what it says that does not know.
    pub fn set_second_demanded(&self, demanded: Option<bool>) {
        let Some(demanded) = demanded else { return };
        if self.second.demanded.swap(demanded, Ordering::Relaxed) != demanded {
            self.changed();
        }
    }

    pub(super) fn is_second_demanded(&self) -> bool {
        self.second.demanded.load(Ordering::Relaxed)
    }

    pub(in crate::approvals) fn contacts(&self) -> Result<&Contacts, ApprovalError> {
        Ok(&self.second.way.get().ok_or(ApprovalError::NobodySecond)?.0)
    }

    pub(super) fn relay(&self) -> Result<&Relay, ApprovalError> {
        Ok(&self.second.way.get().ok_or(ApprovalError::NobodySecond)?.1)
    }

    fn choice(&self) -> Result<Choice, VaultError> {
        let Some(bytes) = self.vault.get_record(RECORD)? else {
            return Ok(Choice::default());
        };
        // What is not understood means the careful thing: a second person is needed, and nobody is chosen.
        let careful = Choice {
            on: true,
            people: Vec::new(),
        };
        Ok(versioned::decode(&bytes).unwrap_or(careful))
    }

    async fn store(&self, choice: &Choice, why: &str) -> Result<(), ApprovalError> {
        let deed = Deed::new(What::SecondChanged, "").because(why);
        self.activity.note_first(deed).await?;
        self.vault.put_record(RECORD, &versioned::encode(choice)).await?;
        self.changed();
        Ok(())
    }

    /// Whether a second person is needed now for what changes something: then it is asked for, also where its owner is not asked otherwise.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn is_of_two_now(&self) -> Result<bool, VaultError> {
        Ok(self.is_second_demanded() || self.choice()?.on)
    }

    /// Whether this is done only when a second person has agreed.
    pub(in crate::approvals) fn needs_second(&self, action: &Action) -> Result<bool, VaultError> {
        Ok(is_of_two(action) && self.is_of_two_now()?)
    }

    /// What the organisation demands is kept, so that a platform that no longer says it has taken nothing away.
    pub(super) async fn keep_demand(&self) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let choice = self.choice()?;
        if !self.is_second_demanded() || choice.on {
            return Ok(());
        }
        self.store(&Choice { on: true, ..choice }, "on: your organisation demands it")
            .await
    }

    /// The people who are chosen and known by the same key, which was compared.
    pub(in crate::approvals) fn seconds(&self) -> Result<Vec<Person>, ApprovalError> {
        let contacts = self.contacts()?;
        let known = self.choice()?.people.into_iter().filter_map(|chosen| {
            let contact = contacts.known(chosen.user).ok()?;
            let same = contact.identity.signer() == chosen.key && contact.compared_at.is_some();
            same.then_some(Person {
                name: contact.name,
                identity: contact.identity,
            })
        });
        Ok(known.collect())
    }

    /// The owner chooses. It takes a fresh proof: whoever finds an open page cannot take the second person out.
    pub(in crate::approvals) async fn choose_seconds(
        &self,
        _proof: &FreshProof,
        on: bool,
        people: &[UserId],
    ) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        if !on && self.is_second_demanded() {
            return Err(ApprovalError::SecondDemanded);
        }
        if people.len() > limits::SECOND_PEOPLE {
            return Err(ApprovalError::TooManySeconds);
        }
        let contacts = self.contacts()?;
        let mut chosen: Vec<Chosen> = Vec::new();
        for &user in people {
            let contact = contacts.known(user).map_err(|_| ApprovalError::NotCompared)?;
            if contact.compared_at.is_none() {
                return Err(ApprovalError::NotCompared);
            }
            if !chosen.iter().any(|each| each.user == user) {
                let key = contact.identity.signer();
                chosen.push(Chosen { user, key });
            }
        }
        // One that nobody could agree to would only stand in the way.
        if on && chosen.is_empty() {
            return Err(ApprovalError::NobodySecond);
        }
        let choice = Choice { on, people: chosen };
        self.store(&choice, if on { "on" } else { "off" }).await
    }

    pub(in crate::approvals) fn shown_choice(&self) -> Result<Value, ApprovalError> {
        let choice = self.choice()?;
        let contacts = self.contacts().ok();
        let people = choice.people.iter().map(|chosen| {
            let contact = contacts.and_then(|contacts| contacts.known(chosen.user).ok());
            let good = contact
                .as_ref()
                .is_some_and(|contact| contact.identity.signer() == chosen.key && contact.compared_at.is_some());
            json!({"user": chosen.user, "name": contact.map(|contact| contact.name), "good": good})
        });
        let demanded = self.is_second_demanded();
        Ok(json!({"on": choice.on || demanded, "demanded": demanded, "people": people.collect::<Vec<_>>()}))
    }
}
