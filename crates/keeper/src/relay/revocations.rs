//! What this vault revokes, and what others have revoked, as far as signed epochs prove it.

use std::collections::{BTreeSet, HashMap};

use futures::future::BoxFuture;
use protocol::CapabilityId;
use protocol::limits::{EPOCH_REVOCATIONS, FOLLOWED_ISSUERS};
use protocol::relay::MailboxKey;
use protocol::relay::epoch::{Epoch, EpochError, EpochHead, PURPOSE, SignedEpoch};
use tokio::sync::oneshot;
use vault::Identity;

use super::records::{self, Issuer, Restored};
use super::service::{Answered, Asked, Relay, Shared};
use super::{Held, Record, RelayError, RelayNotice, Revocations, Standing};
use crate::limits::RELAY_ANSWER;
use crate::vault_service::VaultError;

impl Relay {
    async fn publish_now(&self, revoked: Vec<CapabilityId>, with: Vec<Record>) -> Result<(), RelayError> {
        if revoked.len() > EPOCH_REVOCATIONS {
            return Err(EpochError::TooMany.into());
        }
        let shared = &self.shared;
        let _one_at_a_time = shared.writing.lock().await;
        let mut changes = with;
        match records::restored(&shared.vault)? {
            Some(mut restored) => {
                restored.revoked.extend(revoked);
                changes.push(records::put_restored(Some(&restored)));
            }
            None => {
                let identity = shared.vault.identity().await?;
                let mut head = records::own_head(&shared.vault)?;
                changes.extend(sign(shared, &identity, &mut head, revoked)?);
            }
        }
        shared.vault.put_records(changes).await?;
        shared.changed.notify_one();
        Ok(())
    }

    async fn check_now(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<Standing, RelayError> {
        let shared = &self.shared;
        if let Some(known) = records::issuer(&shared.vault, &issuer)? {
            check_known(&known)?;
            if known.revoked.contains(&capability) {
                return Ok(Standing::Revoked);
            }
        }
        self.hold_one(issuer, capability).await?;
        let mut epochs = shared.epochs.subscribe();
        let (answer, answered) = oneshot::channel();
        shared.ask(Asked::Check {
            issuer,
            capability,
            answer,
        })?;
        let waiting = async {
            let Answered { revoked, epoch } = answered.await.map_err(|_| RelayError::Unreachable)??;
            // Not what the relay says, but what its issuer has signed: what the relay says it has, it must show.
            loop {
                let known = records::issuer(&shared.vault, &issuer)?.unwrap_or_else(Issuer::unknown);
                check_known(&known)?;
                if epoch < known.newest() {
                    return Err(RelayError::RolledBack);
                }
                if epoch == known.head().number {
                    let is_revoked = known.revoked.contains(&capability);
                    if revoked && !is_revoked {
                        let what = "it says that something is revoked which its issuer has not revoked".to_owned();
                        shared.notice(RelayNotice::Wrong { about: issuer, what });
                    }
                    return Ok(match is_revoked {
                        true => Standing::Revoked,
                        false => Standing::NotRevoked { as_of: known.at },
                    });
                }
                epochs.changed().await.map_err(|_| RelayError::Ended)?;
            }
        };
        tokio::time::timeout(RELAY_ANSWER, waiting)
            .await
            .map_err(|_| RelayError::Unreachable)?
    }

    /// Follows an issuer who can revoke this, beside all that is held already.
    async fn hold_one(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<(), RelayError> {
        let shared = &self.shared;
        let mut ahead = shared.issuers.lock().await;
        let known = known(shared, &ahead, &issuer)?;
        if known.is_none() && records::issuers(&shared.vault)?.len() >= FOLLOWED_ISSUERS {
            return Err(RelayError::TooManyIssuers);
        }
        let mut held = known.as_ref().map(|known| known.held.clone()).unwrap_or_default();
        held.insert(capability);
        let mut changes = Changes::default();
        changes.hold(issuer, known, held);
        changes.make(shared, &mut ahead).await
    }

    async fn follow_now(&self, held: Held) -> Result<(), RelayError> {
        let shared = &self.shared;
        let mut ahead = shared.issuers.lock().await;
        let mut changes = Changes::default();
        let mut followed = 0;
        for issuer in records::issuers(&shared.vault)? {
            match held.contains_key(&issuer) {
                true => followed += 1,
                false => changes.let_go(issuer),
            }
        }
        let mut full = false;
        for (issuer, capabilities) in held {
            let known = match known(shared, &ahead, &issuer) {
                // Of a newer version, which goes on with it: until then all of theirs counts as revoked.
                Err(RelayError::Unreadable) => continue,
                known => known?,
            };
            if known.is_none() {
                if followed >= FOLLOWED_ISSUERS {
                    full = true;
                    continue;
                }
                followed += 1;
            }
            changes.hold(issuer, known, capabilities);
        }
        changes.make(shared, &mut ahead).await?;
        match full {
            true => Err(RelayError::TooManyIssuers),
            false => Ok(()),
        }
    }
}

type Ahead = HashMap<MailboxKey, Issuer>;

/// What is known of an issuer.
fn known(shared: &Shared, ahead: &Ahead, issuer: &MailboxKey) -> Result<Option<Issuer>, RelayError> {
    match ahead.get(issuer) {
        Some(known) => Ok(Some(known.clone())),
        None => records::issuer(&shared.vault, issuer),
    }
}

/// Changes of what is known of issuers, made in one write, and what the relay is asked because of them.
#[derive(Default)]
struct Changes {
    of: Vec<MailboxKey>,
    records: Vec<Record>,
    asked: Vec<Asked>,
}

impl Changes {
    fn let_go(&mut self, issuer: MailboxKey) {
        self.of.push(issuer);
        self.records.push(records::put_issuer(&issuer, None));
        self.asked.push(Asked::Unfollow(issuer));
    }

    fn hold(&mut self, issuer: MailboxKey, known: Option<Issuer>, held: BTreeSet<CapabilityId>) {
        let mut now = known.clone().unwrap_or_else(Issuer::unknown);
        now.hold(held);
        if known.as_ref() == Some(&now) {
            return;
        }
        self.of.push(issuer);
        self.records.push(records::put_issuer(&issuer, Some(&now)));
        let head = known.map(|known| known.head());
        if head.is_some_and(|head| head != now.head()) {
            self.asked.push(Asked::Unfollow(issuer));
        }
        if head != Some(now.head()) {
            self.asked.push(Asked::Follow(issuer));
        }
    }

    async fn make(self, shared: &Shared, ahead: &mut Ahead) -> Result<(), RelayError> {
        if self.records.is_empty() {
            return Ok(());
        }
        shared.vault.put_records(self.records).await?;
        ahead.retain(|issuer, _| !self.of.contains(issuer));
        for asked in self.asked {
            // Without a connection, the next one follows.
            let _later = shared.ask(asked);
        }
        Ok(())
    }
}

/// That nothing is missing of what an issuer has revoked, as far as this vault has seen; what is read again is waited for.
fn check_known(known: &Issuer) -> Result<(), RelayError> {
    match known.doubt() {
        Some(error) if !known.is_read_again() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The next of this vault's epochs.
fn sign(
    shared: &Shared,
    identity: &Identity,
    head: &mut EpochHead,
    revoked: Vec<CapabilityId>,
) -> Result<[Record; 2], RelayError> {
    let epoch = Epoch {
        issuer: MailboxKey(identity.public().signing_key()),
        number: head.number + 1,
        previous: head.hash,
        at: shared.clock.now(),
        revoked,
    };
    let signature = identity.sign_for(PURPOSE, &epoch.to_sign());
    let signed = SignedEpoch::new(epoch, signature)?;
    signed.follow(head)?;
    Ok(records::put_own(head, &signed))
}

/// The relay has so many epochs of this vault. Where the vault has fewer, it signs none before it has these; what was to be signed meanwhile is
/// signed when it has.
pub(super) async fn settle(shared: &Shared, identity: &Identity, relay_has: u64) -> Result<(), RelayError> {
    let _one_at_a_time = shared.writing.lock().await;
    let mut head = records::own_head(&shared.vault)?;
    let restored = records::restored(&shared.vault)?;
    if head.number < relay_has {
        if restored.is_none() {
            let behind = records::put_restored(Some(&Restored::default()));
            shared.vault.put_records(vec![behind]).await?;
        }
        return Ok(());
    }
    let Some(restored) = restored else { return Ok(()) };
    let mut changes = vec![records::put_restored(None)];
    let revoked: Vec<_> = restored.revoked.into_iter().collect();
    for some in revoked.chunks(EPOCH_REVOCATIONS) {
        changes.extend(sign(shared, identity, &mut head, some.to_vec())?);
    }
    Ok(shared.vault.put_records(changes).await?)
}

/// An epoch of somebody, from the relay. Says whether it is one of this vault's that does not fit, which is named.
pub(super) async fn take_epoch(shared: &Shared, own: &MailboxKey, bytes: &[u8]) -> Result<bool, RelayError> {
    let signed = match SignedEpoch::decode(bytes) {
        Ok(signed) => signed,
        Err(error) => {
            let what = format!("it brought an epoch of revocations that nobody has signed: {error}");
            shared.notice(RelayNotice::Wrong { about: *own, what });
            return Ok(false);
        }
    };
    let issuer = signed.epoch().issuer;
    if issuer == *own {
        return take_own(shared, &signed).await;
    }
    match take_of(shared, &signed).await {
        Ok(()) => {}
        Err(error @ RelayError::Vault(VaultError::Locked)) => return Err(error),
        Err(error) => {
            // The others go on. Of this one a check says no, since the relay has what is not here.
            tracing::warn!(%issuer, %error, "what somebody has revoked is not known for certain");
            shared.notice(RelayNotice::IssuerUnknown { issuer });
        }
    }
    shared.epochs.send_modify(|count| *count += 1);
    Ok(false)
}

/// An epoch of somebody else.
async fn take_of(shared: &Shared, signed: &SignedEpoch) -> Result<(), RelayError> {
    let issuer = signed.epoch().issuer;
    let mut ahead = shared.issuers.lock().await;
    let Some(mut known) = known(shared, &ahead, &issuer)? else {
        return Ok(());
    };
    let mut head = known.head();
    match signed.follow(&mut head) {
        Ok(()) => {
            let doubted = known.doubt().is_some();
            let before = known.revoked.clone();
            known.take(head, signed);
            if known.is_read_again() && known.revoked == before {
                ahead.insert(issuer, known);
                return Ok(());
            }
            let taken = records::put_issuer(&issuer, Some(&known));
            shared.vault.put_records(vec![taken]).await?;
            ahead.remove(&issuer);
            let is_known_again = doubted && known.doubt().is_none();
            if is_known_again || !signed.epoch().revoked.is_empty() {
                let capabilities = signed.epoch().revoked.clone();
                shared.notice(RelayNotice::Revoked { issuer, capabilities });
            }
        }
        Err(EpochError::Old { .. }) => {}
        Err(error) => {
            // What proves that something is missing is remembered: a relay that shows nothing after the next start is not believed.
            let was_read_again = known.is_read_again() && matches!(error, EpochError::Gap { .. });
            if known.saw(signed, error) {
                let doubted = records::put_issuer(&issuer, Some(&known));
                shared.vault.put_records(vec![doubted]).await?;
                ahead.remove(&issuer);
            }
            // It was on its way already when the relay was asked for all of them.
            if !was_read_again {
                shared.notice(of_epoch(error, issuer, error.to_string()));
                shared.notice(RelayNotice::IssuerUnknown { issuer });
            }
        }
    }
    Ok(())
}

/// One of this vault's own. One that it has forgotten, since it was restored from a backup, it takes back, and refuses again what it had revoked.
async fn take_own(shared: &Shared, signed: &SignedEpoch) -> Result<bool, RelayError> {
    let _one_at_a_time = shared.writing.lock().await;
    let mut head = records::own_head(&shared.vault)?;
    let Epoch {
        issuer, at, revoked, ..
    } = signed.epoch();
    match signed.follow(&mut head) {
        Ok(()) => {
            let mut changes: Vec<Record> = records::put_own(&head, signed).into();
            changes.extend(revoked.iter().map(|id| records::revoked_record(id.uuid(), *at)));
            shared.vault.put_records(changes).await?;
            let (issuer, capabilities) = (*issuer, revoked.clone());
            shared.notice(RelayNotice::Revoked { issuer, capabilities });
        }
        Err(EpochError::Old { .. }) => {}
        Err(error) => {
            let what = format!(
                "what this vault has taken back does not fit what it has told before: {error}. Others may not learn of it"
            );
            shared.notice(of_epoch(error, *issuer, what));
            return Ok(true);
        }
    }
    Ok(false)
}

/// A relay that brings a later epoch has those before it. Two of one number were signed by their issuer, or by whoever has two copies of the vault.
fn of_epoch(error: EpochError, about: MailboxKey, what: String) -> RelayNotice {
    match error {
        EpochError::Gap { .. } => RelayNotice::Wrong { about, what },
        _ => RelayNotice::Odd { about, what },
    }
}

impl Revocations for Relay {
    fn publish(&self, revoked: Vec<CapabilityId>, with: Vec<Record>) -> BoxFuture<'_, Result<(), RelayError>> {
        Box::pin(self.publish_now(revoked, with))
    }

    fn check(&self, issuer: MailboxKey, capability: CapabilityId) -> BoxFuture<'_, Result<Standing, RelayError>> {
        Box::pin(self.check_now(issuer, capability))
    }

    fn has_seen_revoked(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<bool, RelayError> {
        let known = records::issuer(&self.shared.vault, &issuer)?;
        Ok(known.is_some_and(|known| known.is_refused(capability)))
    }

    fn is_revoked_for_good(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<bool, RelayError> {
        let known = records::issuer(&self.shared.vault, &issuer)?;
        Ok(known.is_some_and(|known| known.revoked.contains(&capability)))
    }

    fn follow(&self, held: Held) -> BoxFuture<'_, Result<(), RelayError>> {
        Box::pin(self.follow_now(held))
    }
}
