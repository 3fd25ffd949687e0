//! What others share with the owner: `share/received/<id>`, as its issuer has signed it.

use protocol::{Millis, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use vault::{Capability, CapabilityError, PublicIdentity, SignerKey, verify_chain};

use super::copy_held::destroyed;
use super::given::kept;
use super::group::{GroupOffer, InGroup};
use super::passed_on::{Through, chain_of};
use super::{ShareError, Shares};
use crate::contacts::{Contact, ContactError};
use crate::limits;
use crate::relay::Record;
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode};

const RECEIVED: &str = "share/received/";

/// A capability that somebody else has issued for this vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Their public keys.
    #[serde(with = "b64")]
    from: Vec<u8>,
    pub capability: Capability,
    pub at: Millis,
    /// What it is of a group's, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupOffer>,
    /// When the owner said that they want it; only what is shared in a group waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Millis>,
    /// One of the two is not in the group any more.
    #[serde(default)]
    pub left: bool,
    /// What whoever shares it would like agents to be told from now on. Until the owner accepts it, their agent is told what they accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<GroupOffer>,
    /// What it hangs on, where it was passed on by somebody whose it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) through: Option<Through>,
    /// Whoever brought it was not told yet that it is kept: they are at the next unlock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unsaid: bool,
}

/// How it stands, as far as this vault knows. Its issuer's keeper has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Given,
    /// The owner has not said yet that they want it: nobody uses it, and the agent hears nothing of it.
    Offered,
    Stopped,
    /// One of the two has left the group.
    Left,
    Over,
    /// Nobody whom the owner knows has these keys.
    UnknownOwner,
}

fn name(id: Uuid) -> String {
    format!("{RECEIVED}{id}")
}

impl Received {
    pub(super) fn new(
        from: &PublicIdentity,
        capability: Capability,
        at: Millis,
        group: Option<GroupOffer>,
        through: Option<Through>,
    ) -> Self {
        Self {
            from: from.encode(),
            capability,
            at,
            group,
            accepted: None,
            left: false,
            newer: None,
            through,
            unsaid: true,
        }
    }

    /// All that it hangs on and itself at the end: what is presented.
    pub(super) fn chain(&self) -> Vec<Capability> {
        chain_of(&self.capability, self.through.as_ref())
    }

    /// Whose it is: through their keeper it is used.
    pub(super) fn issued_by(&self) -> Result<PublicIdentity, ShareError> {
        match &self.through {
            Some(through) => through.owner(),
            None => self.brought_by(),
        }
    }

    /// Whether it allows the same, of the same people.
    pub(super) fn is_the_same(&self, other: &Self) -> bool {
        self.capability == other.capability && self.through == other.through
    }

    /// What it is of a group's.
    pub fn in_group(&self) -> Option<&InGroup> {
        self.group.as_ref().map(|group| &group.what)
    }

    pub(super) fn record(&self) -> Record {
        (name(self.capability.jti), Some(encode(self)))
    }

    /// Whether an agent may read of it: what is shared in a group has words of whoever shares it, which nobody has read before its owner
    /// has accepted it. How it stands does not matter.
    pub fn is_for_the_agent(&self) -> bool {
        self.group.is_none() || self.accepted.is_some()
    }

    pub(super) fn skill_bytes(&self) -> usize {
        self.group
            .iter()
            .chain(&self.newer)
            .map(|group| group.skill.len())
            .sum()
    }

    /// Who has brought it.
    pub(super) fn brought_by(&self) -> Result<PublicIdentity, ShareError> {
        Ok(PublicIdentity::decode(&self.from).map_err(ContactError::from)?)
    }

    fn issuer(&self) -> SignerKey {
        self.capability.iss
    }
}

impl Shares {
    /// Everything that others share with this vault, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn received(&self) -> Result<Vec<Received>, VaultError> {
        let mut names = self.vault.list_records(RECEIVED)?;
        names.reverse();
        let read = |name: String| decode(&self.vault.get_record(&name).ok()??);
        Ok(names.into_iter().filter_map(read).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ShareError::NotReceived`]; the vault's errors.
    pub fn one_received(&self, id: Uuid) -> Result<Received, ShareError> {
        let record = self.vault.get_record(&name(id))?;
        record.and_then(|bytes| decode(&bytes)).ok_or(ShareError::NotReceived)
    }

    /// Who shares it, if the owner knows them: by their keys, not by what anybody says.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn owner_of(&self, received: &Received) -> Result<Option<Contact>, ShareError> {
        let contacts = self.contacts.list()?;
        let from = PublicIdentity::decode(&received.from).ok();
        let theirs = |contact: &Contact| from.as_ref() == Some(&contact.identity);
        Ok(contacts.into_iter().find(theirs))
    }

    /// How it stands.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn standing(&self, received: &Received) -> Result<Standing, ShareError> {
        if self.has_seen_ended(&received.chain())? {
            Ok(Standing::Stopped)
        } else if received.left {
            Ok(Standing::Left)
        } else if received.capability.exp <= self.clock.now() {
            Ok(Standing::Over)
        } else if self.owner_of(received)?.is_none() {
            Ok(Standing::UnknownOwner)
        } else if received.group.is_some() && received.accepted.is_none() {
            Ok(Standing::Offered)
        } else {
            Ok(Standing::Given)
        }
    }

    /// Whoever shares it, if it may be used as far as this vault knows.
    ///
    /// # Errors
    /// Why it may not be.
    pub fn usable(&self, received: &Received) -> Result<Contact, ShareError> {
        let id = received.capability.jti;
        match self.standing(received)? {
            Standing::Given => self.owner_of(received)?.ok_or_else(|| ContactError::Unknown.into()),
            Standing::Offered => Err(ShareError::NotAccepted),
            Standing::Stopped => Err(CapabilityError::Revoked(id).into()),
            Standing::Left => Err(ShareError::NotInGroup),
            Standing::Over => Err(CapabilityError::Expired(id).into()),
            Standing::UnknownOwner => Err(ContactError::Unknown.into()),
        }
    }

    /// One of them, as the owner and their agent see it.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn shown_received(&self, received: &Received) -> Result<Value, ShareError> {
        let capability = &received.capability;
        let owner = self.owner_of(received)?;
        let fingerprint = PublicIdentity::decode(&received.from).map(|from| from.fingerprint());
        let mut shown = json!({
            "id": capability.jti, "owner": owner.as_ref().map(|owner| owner.user), "name": owner.map(|owner| owner.name),
            "fingerprint": fingerprint.unwrap_or_default(), "resource": capability.resource, "scope": capability.scope,
            "from": capability.iat, "until": capability.exp, "constraints": capability.constraints,
            "state": self.standing(received)?, "group": received.in_group(),
        });
        if let Some(cached) = &capability.cached {
            shown["cached"] = json!(cached);
            shown["copy"] = self.shown_held(capability.jti)?;
        }
        if let Some(through) = &received.through {
            shown["passed_on"] = self.person(capability.aud, &through.owner)?;
        }
        Ok(shown)
    }

    /// Does not show it any longer, and destroys the copy that lies here. Its issuer is not told, and may offer it again.
    ///
    /// # Errors
    /// [`ShareError::NotReceived`]; the vault's errors.
    pub async fn forget_received(&self, id: Uuid) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        self.one_received(id)?;
        self.vault.put_records(vec![(name(id), None), destroyed(id)]).await?;
        self.follow_makers().await?;
        self.changed();
        Ok(())
    }

    /// What is to be remembered of an offer: it must be its sender's own, and for this vault.
    pub(super) async fn take_offer(
        &self,
        from: &PublicIdentity,
        capability: &Capability,
        group: Option<GroupOffer>,
    ) -> Result<Vec<Record>, ShareError> {
        let now = self.clock.now();
        let granted = verify_chain(std::slice::from_ref(capability), &from.signer(), now, |_| false)?;
        if granted.holder != self.vault.identity().await?.public().signer() {
            return Err(CapabilityError::NotHeld.into());
        }
        if let Some(group) = &group {
            group.check()?;
        }
        let known = self.received()?;
        if let Some(there) = known.iter().find(|each| each.capability.jti == capability.jti) {
            return match there.capability == *capability && there.through.is_none() {
                true => self.take_words(there, group, &known),
                false => Err(ShareError::Unknown),
            };
        }
        let received = Received::new(from, capability.clone(), now, group, None);
        self.kept_beside(known, received, now)
    }

    /// Something new beside what is known, to be stored, where there is place for it.
    pub(super) fn kept_beside(
        &self,
        known: Vec<Received>,
        received: Received,
        now: Millis,
    ) -> Result<Vec<Record>, ShareError> {
        let (kept, gone) = self.tidied(known, &received, now)?;
        let mut unknown = 0;
        if self.owner_of(&received)?.is_none() {
            for each in &kept {
                unknown += usize::from(self.owner_of(each)?.is_none());
            }
        }
        let of_one = kept.iter().filter(|each| each.issuer() == received.issuer()).count();
        let skills: usize = kept.iter().chain([&received]).map(Received::skill_bytes).sum();
        if kept.len() >= limits::SHARES_RECEIVED
            || of_one >= limits::SHARES_RECEIVED_OF_ONE
            || unknown >= limits::SHARES_RECEIVED_UNKNOWN
            || skills > limits::GROUP_SKILLS_BYTES
        {
            return Err(ShareError::TooManyReceived);
        }
        let mut records = vec![received.record()];
        records.extend(gone.iter().map(|each| (name(each.capability.jti), None)));
        Ok(records)
    }

    /// What stays beside a new one, and what goes for it: what ended a month ago, and what cannot be used any more of an issuer who would
    /// otherwise have too much here.
    fn tidied(
        &self,
        known: Vec<Received>,
        new: &Received,
        now: Millis,
    ) -> Result<(Vec<Received>, Vec<Received>), ShareError> {
        let (mut kept, mut gone): (Vec<_>, Vec<_>) = known.into_iter().partition(|each| kept(&each.capability, now));
        let theirs = |each: &Received| each.issuer() == new.issuer();
        if kept.iter().filter(|each| theirs(each)).count() >= limits::SHARES_RECEIVED_OF_ONE {
            let mut left = Vec::new();
            for each in kept {
                let goes = theirs(&each) && self.has_ended_for_good(&each)?;
                if goes { &mut gone } else { &mut left }.push(each);
            }
            kept = left;
        }
        Ok((kept, gone))
    }
}
