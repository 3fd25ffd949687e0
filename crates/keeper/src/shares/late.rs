//! Calls of others that come after their time: the vault was locked, or the relay away. Nobody waits for them any more, so none is carried out.

use uuid::Uuid;
use vault::{CapabilityError, Presentation, PublicIdentity, verify_chain};

use super::given::Given;
use super::message::Call;
use super::{ShareError, Shares, Standing, millis};
use crate::activity::{Deed, What};
use crate::limits;
use crate::relay;

impl Shares {
    /// For how many milliseconds somebody still waits for what they asked; none when they do not.
    pub(super) fn time_left(&self, call: &Call) -> Option<u64> {
        let left = (call.until - self.clock.now()).clamp(0, millis(limits::SHARE_ANSWER));
        u64::try_from(left).ok().filter(|left| *left > 0)
    }

    /// The owner sees who has asked, once for each thing that they share until they have seen it, and whoever has asked hears that they may ask
    /// again.
    pub(super) async fn hear_late(&self, received: relay::Received, call: &Call) -> Result<(), ShareError> {
        let from = received.from.clone();
        if self.whose_place(&from, &call.presentation)?.is_none() {
            // To anybody else it is as if nobody were there.
            received.ack(Vec::new()).await?;
            return Ok(());
        }
        let contact = self.contact_with(from.signer())?.map(|contact| contact.name);
        {
            let _one = self.one_at_a_time.lock().await;
            let held = self.held_by(&from, &call.presentation).await.ok();
            let Some(name) = contact.or_else(|| held.as_ref().map(|given| given.name.clone())) else {
                received.ack(Vec::new()).await?;
                return Ok(());
            };
            let mut missed = Deed::new(What::ShareMissed, name);
            let (mut records, mut is_known) = (Vec::new(), false);
            if let Some(mut given) = held {
                missed = missed.because(given.capability.resource.service());
                is_known = given.missed.is_some();
                // By the relay's word, which may be wrong.
                given.missed.get_or_insert(received.taken_at.min(self.clock.now()));
                records.extend((!is_known).then(|| given.record()));
            }
            received.ack(records).await?;
            if !is_known {
                self.activity.note(missed)?;
            }
        }
        self.changed();
        self.refuse(&from, call.id, ShareError::TooLate).await;
        Ok(())
    }

    /// What was given here and stands, of which somebody shows that they hold it.
    async fn held_by(&self, who: &PublicIdentity, presentation: &[u8]) -> Result<Given, ShareError> {
        let chain = Presentation::parse(presentation)?.chain;
        let given = self.root(&chain)?;
        let own = self.vault.identity().await?.public().signer();
        let revoked = self.revoked_of(&chain)?;
        let granted = verify_chain(&chain, &own, self.clock.now(), |id| revoked.contains(&id))?;
        if granted.holder != who.signer() {
            return Err(CapabilityError::NotHeld.into());
        }
        Ok(given)
    }

    /// The owner has seen that somebody asked for this while nobody was there.
    ///
    /// # Errors
    /// [`ShareError::Unknown`]; the vault's errors.
    pub async fn seen_missed(&self, id: Uuid) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let mut given = self.was_given(id)?.ok_or(ShareError::Unknown)?;
        if given.missed.take().is_some() {
            self.vault.put_records(vec![given.record()]).await?;
            self.changed();
        }
        Ok(())
    }

    /// Somebody who did not answer is there again, and says so: what was asked of them may be asked once more.
    pub(super) fn note_back(&self, owner: &PublicIdentity) -> Result<(), ShareError> {
        let Some(contact) = self.contact_with(owner.signer())? else {
            return Ok(());
        };
        for received in self.received()? {
            let theirs = received.issued_by().is_ok_and(|by| by == *owner);
            if theirs && self.standing(&received)? == Standing::Given {
                self.activity.note(Deed::new(What::OwnerBack, contact.name))?;
                self.changed();
                break;
            }
        }
        Ok(())
    }
}
