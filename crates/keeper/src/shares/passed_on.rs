//! Passing on what others share: a capability made from one that is held, no wider, for somebody whom the owner knows. Its keeper brings it
//! to theirs with the chain that it hangs on; whose it is carries it out, and nobody between.

use protocol::relay::MailboxKey;
use protocol::{CapabilityId, Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{
    Capability, CapabilityError, Constraints, NewCapability, PublicIdentity, Resource, Scope, Scopes, SignerKey,
    verify_chain,
};

use super::count::check_rate;
use super::given::Given;
use super::message::Message;
use super::received::Received;
use super::{ShareError, Shares};
use crate::contacts::ContactError;
use crate::relay::{Courier as _, Held, Record, RelayError, Revocations as _};

/// What is to be passed on, and to whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassOn {
    /// Of what was received.
    pub id: Uuid,
    pub with: UserId,
    /// What is missing is all of it.
    pub resource: Option<Resource>,
    pub scope: Scopes,
    pub until: Millis,
    #[serde(default)]
    pub constraints: Constraints,
}

/// What a capability that was passed on hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Through {
    /// Those before it; the first is by whoever it belongs to.
    pub above: Vec<Capability>,
    /// Their public keys.
    #[serde(with = "b64")]
    pub(super) owner: Vec<u8>,
}

impl Through {
    /// Whose it is.
    pub(super) fn owner(&self) -> Result<PublicIdentity, ShareError> {
        Ok(PublicIdentity::decode(&self.owner).map_err(ContactError::from)?)
    }
}

/// A capability with those that it hangs on, the first one first.
pub(super) fn chain_of(capability: &Capability, through: Option<&Through>) -> Vec<Capability> {
    let mut chain = through.map_or_else(Vec::new, |through| through.above.clone());
    chain.push(capability.clone());
    chain
}

/// Whether something is so of one of these, by whoever made it or by whose it is.
fn any_link(
    chain: &[Capability],
    is_so: impl Fn(MailboxKey, CapabilityId) -> Result<bool, RelayError>,
) -> Result<bool, RelayError> {
    for link in chain {
        for by in [link.iss, link.aud] {
            if is_so(MailboxKey(by.0), link.jti.into())? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl Shares {
    /// Passes on something that was received, no wider: the owner says so in their own channel, and nobody in their place.
    ///
    /// # Errors
    /// [`ShareError::NotReceived`], why it may not be used, [`ShareError::OwnerOnly`], [`ShareError::Contact`], [`ShareError::OwnResource`], [`ShareError::Capability`]
    /// (it may not be passed on, would be wider, or the chain would have more than `CAPABILITY_LINKS`), [`ShareError::TooMany`],
    /// [`ShareError::Relay`], the vault's errors: then nothing is passed on.
    pub async fn pass_on(&self, terms: PassOn) -> Result<Given, ShareError> {
        check_rate(&terms.constraints)?;
        let _one = self.one_at_a_time.lock().await;
        let received = self.one_received(terms.id)?;
        self.usable(&received)?;
        if terms.scope.contains(&Scope::Admin) {
            return Err(ShareError::OwnerOnly);
        }
        let contact = self.contacts.known(terms.with)?;
        let owner = received.issued_by()?;
        if contact.identity == owner {
            return Err(ShareError::OwnResource);
        }
        let (now, given) = (self.clock.now(), self.given()?);
        self.check_room(&given, now, 0)?;
        let held = &received.capability;
        let new = NewCapability {
            id: Uuid::now_v7(),
            holder: contact.identity.signer(),
            resource: terms.resource.unwrap_or_else(|| held.resource.clone()),
            scope: terms.scope,
            from: now.max(held.iat),
            until: terms.until,
            constraints: terms.constraints,
            cached: None,
        };
        let capability = Capability::delegate(&self.vault.identity().await?, held, new)?;
        let through = Through {
            above: received.chain(),
            owner: owner.encode(),
        };
        let chain = chain_of(&capability, Some(&through));
        verify_chain(&chain, &owner.signer(), now, |_| false)?;
        let share = Given {
            with: contact.user,
            name: contact.name,
            capability,
            arrived: None,
            lost: false,
            offered: None,
            group: None,
            tools: false,
            place: None,
            told: 0,
            through: Some(through),
            by: None,
            missed: None,
        };
        self.bring(&share, None, &contact.identity, &given, now).await?;
        let told = Message::PassedOn {
            chain,
            to: contact.identity.encode(),
        };
        if let Err(error) = self.relay.send(told.to(&owner, Vec::new())).await {
            tracing::info!(code = error.code(), "whose it is learns of it when it is used first");
        }
        Ok(share)
    }

    /// What is to be remembered of something that somebody passes on: their own link, for this vault, of somebody else's.
    pub(super) async fn take_passed_on(
        &self,
        from: &PublicIdentity,
        mut chain: Vec<Capability>,
        owner: &[u8],
    ) -> Result<Vec<Record>, ShareError> {
        let now = self.clock.now();
        let owner = PublicIdentity::decode(owner).map_err(ContactError::from)?;
        let own = self.vault.identity().await?.public();
        let granted = verify_chain(&chain, &owner.signer(), now, |_| false)?;
        let capability = chain.pop().ok_or(CapabilityError::EmptyChain)?;
        if granted.holder != own.signer() || capability.iss != from.signer() {
            return Err(CapabilityError::NotHeld.into());
        }
        if owner == own || chain.is_empty() {
            return Err(ShareError::OwnResource);
        }
        let through = Through {
            above: chain,
            owner: owner.encode(),
        };
        let received = Received::new(from, capability, now, None, Some(through));
        let known = self.received()?;
        match known.iter().find(|each| each.capability.jti == received.capability.jti) {
            Some(there) if there.is_the_same(&received) => Ok(Vec::new()),
            Some(_) => Err(ShareError::Unknown),
            None => self.kept_beside(known, received, now),
        }
    }

    /// Whether this vault has seen that one of these was taken back, by whoever made it or by whose it is.
    pub(super) fn has_seen_ended(&self, chain: &[Capability]) -> Result<bool, RelayError> {
        any_link(chain, |by, link| self.relay.has_seen_revoked(by, link))
    }

    /// Whether something can never be used again. What is only doubted can, and is not to be thrown away.
    pub(super) fn has_ended_for_good(&self, received: &Received) -> Result<bool, RelayError> {
        Ok(received.left
            || received.capability.exp <= self.clock.now()
            || any_link(&received.chain(), |by, link| self.relay.is_revoked_for_good(by, link))?)
    }

    /// Follows the revocations of everybody who can take back something that is held here, or that was made of it, and of nobody else.
    /// `one_at_a_time` is held.
    pub(super) async fn follow_makers(&self) -> Result<(), ShareError> {
        let own = self.vault.identity().await?.public().signer();
        let mut held = Held::new();
        let mut can_end = |link: &Capability, by: SignerKey| {
            if by != own {
                held.entry(MailboxKey(by.0)).or_default().insert(link.jti.into());
            }
        };
        for link in self.links()? {
            can_end(&link.capability, link.capability.iss);
        }
        let given = self.given()?;
        let passed_on = given.iter().filter_map(|given| {
            let through = given.through.as_ref()?;
            Some(chain_of(&given.capability, Some(through)))
        });
        let received = self.received()?;
        for link in received.iter().map(Received::chain).chain(passed_on).flatten() {
            can_end(&link, link.iss);
            can_end(&link, link.aud);
        }
        Ok(self.relay.follow(held).await?)
    }
}
