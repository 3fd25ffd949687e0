//! The words of what is shared in a group, changed while it is shared: its name, what it is for, and what agents are told.
//!
//! What is promised here: no agent is told words of somebody else's before its owner has accepted just these; until then it is told what was
//! accepted before, and what is shared is used as it was. Words that are not newer than those that are there are let go.

use protocol::{GroupResourceId, Millis};
use serde::Deserialize;
use serde_json::{Value, json};

use super::group::{GroupOffer, InGroup};
use super::received::Received;
use super::resources::GroupResource;
use super::{Given, ShareError, Shares};
use crate::limits;
use crate::relay::Record;
use crate::versioned::encode;

/// How something that is there for a group is to be called and described from now on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub resource: GroupResourceId,
    pub name: String,
    pub about: String,
    pub skill: String,
}

impl InGroup {
    /// Whether both are of the same thing, whatever is said of it.
    fn is_same_thing(&self, other: &Self) -> bool {
        self.resource == other.resource
            && self.group == other.group
            && self.group_name == other.group_name
            && self.tools == other.tools
    }
}

impl Received {
    /// Of the newest words of it that are here.
    pub(super) fn revision(&self) -> u64 {
        let words = self.group.iter().chain(&self.newer);
        words.map(|words| words.what.revision).max().unwrap_or_default()
    }

    /// Whether the agent is told these words: they have been accepted, and no others after them. What is not of a group has none.
    pub(super) fn is_told(&self, revision: u64) -> bool {
        match &self.group {
            Some(group) => self.accepted.is_some() && group.what.revision == revision,
            None => true,
        }
    }

    /// The owner has read these words and wants them.
    pub(super) fn accept(&mut self, revision: u64, now: Millis) -> Result<(), ShareError> {
        let waiting = match self.accepted {
            Some(_) => self.newer.take(),
            None => self.group.take(),
        };
        let read = waiting.filter(|words| words.what.revision == revision);
        self.group = Some(read.ok_or(ShareError::OtherWords)?);
        self.accepted = Some(now);
        Ok(())
    }
}

impl Shares {
    /// Changes the words of something that is there for a group, and tells the keepers of all who may use it. Who is in the group no more
    /// hears nothing, and what they had is revoked.
    ///
    /// # Errors
    /// [`ShareError::NoResource`], [`ShareError::ResourceWords`], [`ShareError::GroupUnknown`], [`ShareError::Relay`], the vault's errors: then
    /// the words are as they were.
    pub async fn reword(&self, words: Words) -> Result<GroupResource, ShareError> {
        self.resource(words.resource)?;
        for given in self.given_of(words.resource, None)? {
            self.still_in_group(&given).await?;
        }
        let _one = self.one_at_a_time.lock().await;
        let before = self.resource(words.resource)?;
        let mut resource = GroupResource {
            name: words.name.trim().to_owned(),
            about: words.about.trim().to_owned(),
            skill: words.skill.trim().to_owned(),
            ..before.clone()
        };
        if resource == before {
            return Ok(before);
        }
        // Also when this vault was restored, and its holders have words that it does not remember.
        let now = u64::try_from(self.clock.now()).unwrap_or_default();
        resource.revision = now.max(resource.revision + 1);
        let offer = resource.offer();
        offer.check()?;
        let mut records = vec![(GroupResource::record_name(resource.id), Some(encode(&resource)))];
        for mut given in self.given_of(resource.id, None)? {
            given.group = Some(offer.what.clone());
            given.lost = true;
            records.push(given.record());
        }
        // In one write with what is to be told: whatever breaks off afterwards, it is told at the next unlock.
        self.vault.put_records(records).await?;
        self.offer_lost().await;
        self.changed();
        Ok(resource)
    }

    /// What is to be remembered of words that came for something that is here: nothing, if they are not newer.
    pub(super) fn take_words(
        &self,
        there: &Received,
        words: Option<GroupOffer>,
        known: &[Received],
    ) -> Result<Vec<Record>, ShareError> {
        let (Some(words), Some(old)) = (words, &there.group) else {
            return Ok(Vec::new());
        };
        if self.has_ended_for_good(there)? || words.what.revision <= there.revision() {
            return Ok(Vec::new());
        }
        if !old.what.is_same_thing(&words.what) {
            return Err(ShareError::Unknown);
        }
        let mut changed = there.clone();
        match changed.accepted {
            Some(_) => changed.newer = Some(words),
            None => changed.group = Some(words),
        }
        changed.unsaid = true;
        let others = known.iter().filter(|each| each.capability.jti != there.capability.jti);
        let skills: usize = others.chain([&changed]).map(Received::skill_bytes).sum();
        if skills > limits::GROUP_SKILLS_BYTES {
            return Err(ShareError::TooManyReceived);
        }
        Ok(vec![changed.record()])
    }

    /// One of them as its owner sees it: beside what their agent may see, what it is to be called and told from now on, if they like.
    pub(super) fn shown_to_owner(&self, received: &Received) -> Result<Value, ShareError> {
        let mut shown = self.shown_received(received)?;
        if let Some(newer) = &received.newer {
            shown["newer"] = json!(newer.what);
        }
        Ok(shown)
    }

    async fn still_in_group(&self, given: &Given) -> Result<(), ShareError> {
        match self.check_holders(given, &[]).await {
            Err(ShareError::NotInGroup) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
