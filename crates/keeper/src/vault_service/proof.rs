//! The one place where a client's proof of a slot's secret is checked, and where it is told whether one is fresh.
//!
//! What is promised here: a [`FreshProof`] exists only for a channel on which an OPAQUE log-in was completed a few minutes ago, to
//! a slot that is still there, in a vault that was not locked since. What must not be done by whoever happens to sit at an open
//! vault takes one as an argument.

use std::collections::HashMap;
use std::sync::Mutex;

use protocol::{Millis, SlotId};
use vault::SessionKey;
use vault::opaque::LoginChallenge;

use super::error::VaultError;
use super::service::{VaultService, lock};
use crate::limits::PROOF_LIFE;

/// That the person at a channel has shown a slot's secret a moment ago.
pub struct FreshProof {
    slot: SlotId,
}

impl FreshProof {
    /// For tests of what comes behind one.
    #[cfg(test)]
    pub(crate) fn given(slot: SlotId) -> Self {
        Self { slot }
    }

    /// The slot that was proved.
    pub fn slot(&self) -> SlotId {
        self.slot
    }
}

/// A log-in that was answered, and waits for the client's proof.
pub(crate) struct Challenge {
    slot: SlotId,
    opaque: LoginChallenge,
}

impl Challenge {
    pub(super) fn new(slot: SlotId, opaque: LoginChallenge) -> Self {
        Self { slot, opaque }
    }

    pub fn slot(&self) -> SlotId {
        self.slot
    }
}

#[derive(Clone, Copy)]
struct Proved {
    slot: SlotId,
    at: Millis,
}

impl Proved {
    fn until(self) -> Millis {
        self.at
            .saturating_add(Millis::try_from(PROOF_LIFE.as_millis()).unwrap_or(0))
    }

    /// A clock that was set back does not make a proof last longer.
    fn is_fresh(self, now: Millis) -> bool {
        (self.at..self.until()).contains(&now)
    }
}

/// Of each channel, by its number: what it was asked, and what it has proved.
#[derive(Default)]
pub(super) struct Proofs {
    asked: Mutex<HashMap<u64, Challenge>>,
    proved: Mutex<HashMap<u64, Proved>>,
}

impl Proofs {
    pub fn forget_slot(&self, slot: SlotId) {
        lock(&self.proved).retain(|_, proved| proved.slot != slot);
        lock(&self.asked).retain(|_, challenge| challenge.slot != slot);
    }

    pub fn forget_all(&self) {
        lock(&self.proved).clear();
        lock(&self.asked).clear();
    }
}

impl VaultService {
    /// Checks the client's proof: from here on the channel has a fresh one.
    pub(crate) async fn login_finish(
        &self,
        channel: u64,
        challenge: Challenge,
        finish: &[u8],
    ) -> Result<SessionKey, VaultError> {
        let slot = challenge.slot;
        let session_key = challenge.opaque.finish(finish)?;
        self.attempts().succeeded(slot).await?;
        let at = self.shared().clock.now();
        lock(&self.proofs().proved).insert(channel, Proved { slot, at });
        Ok(session_key)
    }

    /// Begins a log-in inside a channel. Gives the answer, and how long the next attempt has to wait should this one fail.
    pub(crate) async fn prove_start(
        &self,
        channel: u64,
        slot: SlotId,
        request: &[u8],
    ) -> Result<(Vec<u8>, u64), VaultError> {
        lock(&self.proofs().asked).remove(&channel);
        let started = self.login_start(slot, request).await?;
        lock(&self.proofs().asked).insert(channel, started.challenge);
        Ok((started.response, started.retry_after_ms))
    }

    /// Finishes it, and says until when the proof is fresh. The key that both ends have now is not used for anything.
    pub(crate) async fn prove_finish(&self, channel: u64, slot: SlotId, finish: &[u8]) -> Result<Millis, VaultError> {
        let challenge = lock(&self.proofs().asked).remove(&channel);
        let challenge = challenge
            .filter(|asked| asked.slot == slot)
            .ok_or(VaultError::UnknownSlot)?;
        self.login_finish(channel, challenge, finish).await?;
        self.proof_until(channel).ok_or(VaultError::NeedsProof)
    }

    /// The proof of a slot that was given on this channel (by its number) within the last five minutes.
    ///
    /// # Errors
    /// [`VaultError::NeedsProof`] when there is none.
    pub fn fresh_proof(&self, channel: u64) -> Result<FreshProof, VaultError> {
        let now = self.shared().clock.now();
        let proved = lock(&self.proofs().proved).get(&channel).copied();
        let fresh = proved
            .filter(|proved| proved.is_fresh(now))
            .ok_or(VaultError::NeedsProof)?;
        Ok(FreshProof { slot: fresh.slot })
    }

    /// Until when [`Self::fresh_proof`] gives one, unless the vault is locked or the slot removed before.
    pub(crate) fn proof_until(&self, channel: u64) -> Option<Millis> {
        let now = self.shared().clock.now();
        let proved = lock(&self.proofs().proved).get(&channel).copied();
        proved.filter(|proved| proved.is_fresh(now)).map(Proved::until)
    }

    /// The channel has ended.
    pub(crate) fn forget_channel(&self, channel: u64) {
        lock(&self.proofs().proved).remove(&channel);
        lock(&self.proofs().asked).remove(&channel);
    }
}
