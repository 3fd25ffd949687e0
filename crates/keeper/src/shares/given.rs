//! What was given: `share/given/<id>`; and what was taken back: `share/revoked/<id>`. A version byte and JSON.

use protocol::{Millis, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Capability, Constraints, Hash, NewCapability, PublicIdentity, Resource, Scope, Scopes};

use super::copy_given::{COPIED, CopyOf};
use super::count::check_rate;
use super::group::{GroupOffer, InGroup, is_first};
use super::message::Message;
use super::passed_on::{Through, chain_of};
use super::{ShareError, Shares, millis};
use crate::activity::{Asked, Deed, What};
use crate::contacts::Contact;
use crate::limits;
use crate::relay::{Courier as _, REVOKED, Record, Revocations as _, revoked_record};
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode};

const GIVEN: &str = "share/given/";

/// What is to be shared, and with whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub with: UserId,
    pub resource: Resource,
    pub scope: Scopes,
    pub until: Millis,
    #[serde(default)]
    pub constraints: Constraints,
    /// The service as whoever said yes saw it: it is shared if it is still the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Hash>,
    /// They may also read this while the owner is away: of what a copy lies with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<CopyOf>,
}

/// What could be given, of this service as it stands now.
struct Drafted {
    contact: Contact,
    capability: Capability,
    tools: bool,
    place: Hash,
}

/// A capability that was issued here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub with: UserId,
    /// As the owner knew them then.
    pub name: String,
    pub capability: Capability,
    /// When their keeper said that it has it.
    #[serde(default)]
    pub arrived: Option<Millis>,
    /// It did not reach them: it is offered again.
    #[serde(default)]
    pub lost: bool,
    /// When it was offered last, where that was again. Earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Millis>,
    /// What it is of a group's, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<InGroup>,
    /// The service was a server of tools then: its paths and methods mean something else than those of a plain one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tools: bool,
    /// Which service it is of. Earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Hash>,
    /// The newest words of it that their keeper said it has.
    #[serde(default, skip_serializing_if = "is_first")]
    pub told: u64,
    /// What it hangs on, where it is somebody else's and was passed on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// Who has let them, where it was somebody who manages it and not the owner; as the owner knew them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was asked for and this vault was locked, or could not be reached in time; until the owner has seen that, or it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Millis>,
}

/// Whose doing it was, for the activity: nothing where it was the owner's.
fn done_by(manager: Option<&str>) -> String {
    manager.map_or_else(String::new, |name| format!("by {name}"))
}

/// Whether all of this may be shared outside of groups.
fn check_outside_groups(scope: &Scopes) -> Result<(), ShareError> {
    match scope.contains(&Scope::Admin) {
        true => Err(ShareError::GroupOnly),
        false => Ok(()),
    }
}

/// Whether something that has ended is still to be remembered.
pub(super) fn kept(capability: &Capability, now: Millis) -> bool {
    capability.exp.saturating_add(millis(limits::SHARES_KEPT)) >= now
}

impl Given {
    /// Whether their keeper has not said that it has what is newest.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.arrived.is_none() || self.group.as_ref().is_some_and(|group| group.revision > self.told)
    }

    /// Whether it is to be offered again: it is known that it was lost, or nothing was heard of it for as long as anything may wait.
    pub(super) fn is_to_be_offered(&self, now: Millis) -> bool {
        let since = self.offered.unwrap_or(self.capability.iat);
        self.lost || self.is_on_its_way() && since.saturating_add(millis(limits::SHARE_OFFER_AGAIN)) <= now
    }

    pub(super) fn record(&self) -> Record {
        (format!("{GIVEN}{}", self.capability.jti), Some(encode(self)))
    }

    /// How it is brought to whom it is for.
    pub(super) fn offer(&self, group: Option<GroupOffer>) -> Message {
        match &self.through {
            Some(through) => Message::PassOn {
                chain: chain_of(&self.capability, Some(through)),
                owner: through.owner.clone(),
            },
            None => Message::Offer {
                capability: Box::new(self.capability.clone()),
                group: group.map(Box::new),
            },
        }
    }

    /// Whether its holder may say what others may do with it.
    pub(super) fn manages(&self) -> bool {
        self.capability.scope.contains(&Scope::Admin)
    }

    /// What ends when it is taken back, and for whom.
    pub(super) fn ending(&self) -> (Uuid, String) {
        (self.capability.jti, self.name.clone())
    }
}

impl Shares {
    /// Issues a capability, and offers it to whom it is for: the owner has said so, here or by allowing what their agent asked for.
    ///
    /// # Errors
    /// [`ShareError::Contact`], [`ShareError::Route`], [`ShareError::OtherKind`], [`ShareError::Capability`], [`ShareError::TooMany`],
    /// [`ShareError::TooManyCopies`], [`ShareError::RateTooHigh`], [`ShareError::GroupOnly`], [`ShareError::ReadOnly`],
    /// [`ShareError::Relay`], the vault's errors: then nothing is shared.
    pub async fn issue(&self, terms: Terms) -> Result<Given, ShareError> {
        check_outside_groups(&terms.scope)?;
        let _one = self.one_at_a_time.lock().await;
        self.issue_of(terms, None, Vec::new(), None).await
    }

    /// Whether that could be shared now: for who asks somebody before they do.
    pub async fn check(&self, terms: Terms) -> Result<(), ShareError> {
        check_outside_groups(&terms.scope)?;
        self.draft(terms, &self.given()?, 0, self.clock.now()).await.map(drop)
    }

    /// A capability that nobody has yet. As many of what is given are taken back for it.
    async fn draft(&self, terms: Terms, given: &[Given], back: usize, now: Millis) -> Result<Drafted, ShareError> {
        check_rate(&terms.constraints)?;
        let contact = self.contacts.known(terms.with)?;
        let route = self.routes.get(terms.resource.service())?;
        let changes = |scope: &Scope| matches!(scope, Scope::Write | Scope::Delete);
        if route.read_only && terms.scope.iter().any(changes) {
            return Err(ShareError::ReadOnly);
        }
        let (tools, place) = (route.tools.is_some(), route.place());
        if terms.place.is_some_and(|seen| seen != place) {
            return Err(ShareError::OtherKind);
        }
        self.check_room(given, now, back)?;
        let cached = terms.cached.map(|of| of.request(&terms.resource));
        if cached.is_some() {
            self.check_room_for_copy(given)?;
        }
        let new = NewCapability {
            id: Uuid::now_v7(),
            holder: contact.identity.signer(),
            resource: terms.resource,
            scope: terms.scope,
            from: now,
            until: terms.until,
            constraints: terms.constraints,
            cached,
        };
        let capability = Capability::issue(&self.vault.identity().await?, new)?;
        Ok(Drafted {
            contact,
            capability,
            tools,
            place,
        })
    }

    /// The same, of something that is shared with a group, in the place of what the same person had of it. That is taken back first: whatever
    /// breaks off in between, nobody has more than was meant. It may be somebody's doing who manages it. `one_at_a_time` is held.
    pub(super) async fn issue_of(
        &self,
        terms: Terms,
        group: Option<GroupOffer>,
        before: Vec<Given>,
        by: Option<&Given>,
    ) -> Result<Given, ShareError> {
        self.tidy_links().await?;
        let given = self.given()?;
        let now = self.clock.now();
        let Drafted {
            contact,
            capability,
            tools,
            place,
        } = self.draft(terms, &given, before.len(), now).await?;
        let share = Given {
            with: contact.user,
            name: contact.name,
            capability,
            arrived: None,
            lost: false,
            offered: None,
            group: group.as_ref().map(|group| group.what.clone()),
            tools,
            place: Some(place),
            told: 0,
            through: None,
            by: by.map(|by| by.name.clone()),
            missed: None,
        };
        let before = before.iter().map(Given::ending).collect();
        self.revoke_all(before, Vec::new(), by).await?;
        self.bring(&share, group, &contact.identity, &given, now).await?;
        Ok(share)
    }

    /// Remembers what is given beside all that was, notes it, and brings it to whom it is for: all or nothing. `one_at_a_time` is held.
    pub(super) async fn bring(
        &self,
        share: &Given,
        group: Option<GroupOffer>,
        to: &PublicIdentity,
        before: &[Given],
        now: Millis,
    ) -> Result<(), ShareError> {
        let mut records = vec![share.record()];
        records.extend(self.ended(before, now)?);
        let Capability {
            resource, scope, exp, ..
        } = &share.capability;
        let shared = Deed::new(What::Shared, share.name.as_str())
            .because(done_by(share.by.as_deref()))
            .of(Asked::share(resource.service(), scope, *exp));
        let send = |noted: Vec<Record>| {
            records.extend(noted);
            self.relay.send(share.offer(group).to(to, records))
        };
        self.activity.note_through(vec![shared], send).await?;
        self.changed();
        Ok(())
    }

    /// Whether one more can be given when so many go. What is not kept any longer goes with the next that is given.
    pub(super) fn check_room(&self, given: &[Given], now: Millis, go: usize) -> Result<(), ShareError> {
        let mut live = 0;
        for each in given {
            live += usize::from(each.capability.exp > now && !self.is_revoked(each.capability.jti)?);
        }
        let remembered = given.iter().filter(|each| kept(&each.capability, now)).count();
        if live >= limits::SHARES + go || remembered >= limits::SHARES_REMEMBERED {
            return Err(ShareError::TooMany);
        }
        Ok(())
    }

    /// Everything that was given and has not been tidied away, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn given(&self) -> Result<Vec<Given>, VaultError> {
        let mut names = self.vault.list_records(GIVEN)?;
        names.reverse();
        let read = |name: String| decode(&self.vault.get_record(&name).ok()??);
        Ok(names.into_iter().filter_map(read).collect())
    }

    pub(super) fn was_given(&self, id: Uuid) -> Result<Option<Given>, VaultError> {
        let record = self.vault.get_record(&format!("{GIVEN}{id}"))?;
        Ok(record.and_then(|bytes| decode(&bytes)))
    }

    /// Whether a link was taken back. What is there and not understood counts.
    pub(super) fn is_revoked(&self, id: Uuid) -> Result<bool, VaultError> {
        Ok(self.vault.get_record(&format!("{REVOKED}{id}"))?.is_some())
    }

    /// Takes back what was given, or one link of those through which it was passed on, with all that hang on it: from this moment on it is
    /// refused here, and whoever follows this vault is told. What was passed on from here ends where it is used: there they follow this vault.
    ///
    /// # Errors
    /// [`ShareError::Unknown`], [`ShareError::Relay`], the vault's errors: then it is not taken back.
    pub async fn revoke(&self, id: Uuid) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let ending = match self.was_given(id)? {
            Some(given) => given.ending(),
            None => {
                let link = self.link(id)?.ok_or(ShareError::Unknown)?;
                (id, self.called(&link)?)
            }
        };
        self.revoke_all(vec![ending], Vec::new(), None).await
    }

    /// Takes all of these back at once, each from whom it was for, together with what else is to be written. It may be somebody's doing who
    /// manages it.
    pub(super) async fn revoke_all(
        &self,
        given: Vec<(Uuid, String)>,
        with: Vec<Record>,
        by: Option<&Given>,
    ) -> Result<(), ShareError> {
        let now = self.clock.now();
        let (mut ids, mut records, mut names) = (Vec::new(), with, Vec::new());
        for (id, name) in given {
            if !self.is_revoked(id)? {
                ids.push(id.into());
                records.push(revoked_record(id, now));
                names.push(name);
            }
        }
        if ids.is_empty() {
            if !records.is_empty() {
                self.vault.put_records(records).await?;
                self.changed();
            }
            return Ok(());
        }
        let by = done_by(by.map(|by| by.name.as_str()));
        let deeds = names
            .into_iter()
            .map(|name| Deed::new(What::ShareStopped, name).because(&by));
        // In one write with the epoch that tells everybody else, and with the activity.
        let publish = |noted: Vec<Record>| {
            records.extend(noted);
            self.relay.publish(ids, records)
        };
        self.activity.note_through(deeds.collect(), publish).await?;
        self.changed();
        Ok(())
    }

    /// What ended a month ago is not kept any longer.
    fn ended(&self, given: &[Given], now: Millis) -> Result<Vec<Record>, VaultError> {
        let mut records = Vec::new();
        for each in given.iter().filter(|each| !kept(&each.capability, now)) {
            let id = each.capability.jti;
            records.push((format!("{GIVEN}{id}"), None));
            records.push((format!("{REVOKED}{id}"), None));
            records.push((format!("{COPIED}{id}"), None));
        }
        records.extend(self.counts_over(now)?);
        Ok(records)
    }
}
