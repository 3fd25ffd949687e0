//! What the owner decides about locking and about the key's age, and the time for which the agent may work while nobody is there.

use std::time::Duration;

use protocol::Millis;
use protocol::limits::TIME_ALONE_CEILING;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::proof::FreshProof;
use super::service::{VaultNotice, VaultService};
use super::writer::Change;
use crate::limits::{GRANT_LONGEST, LOCK_AFTER_LONGEST, LOCK_AFTER_SHORTEST, ROTATE_AFTER_FEWEST, ROTATE_AFTER_MOST};

const ENTRY: &str = "vault/policy";
const VERSION: u32 = 1;
const MINUTE: Millis = 60 * 1000;

/// The owner's settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// None: as the operator has it.
    pub lock_after_minutes: Option<u32>,
    /// Zero: the key is changed only when its owner asks.
    pub rotate_after_days: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(flatten)]
    policy: Policy,
}

impl Policy {
    fn check(self) -> Result<(), VaultError> {
        let lock = self.lock_after_minutes.unwrap_or(LOCK_AFTER_SHORTEST);
        let days = self.rotate_after_days;
        if !(LOCK_AFTER_SHORTEST..=LOCK_AFTER_LONGEST).contains(&lock) {
            return Err(VaultError::Policy(format!(
                "A vault locks after {LOCK_AFTER_SHORTEST} to {LOCK_AFTER_LONGEST} minutes without use (LOCK_AFTER_LONGEST)."
            )));
        }
        if days != 0 && !(ROTATE_AFTER_FEWEST..=ROTATE_AFTER_MOST).contains(&days) {
            return Err(VaultError::Policy(format!(
                "A key is changed after {ROTATE_AFTER_FEWEST} to {ROTATE_AFTER_MOST} days (ROTATE_AFTER_MOST), or never: 0."
            )));
        }
        Ok(())
    }
}

impl VaultService {
    /// The owner's settings.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn policy(&self) -> Result<Policy, VaultError> {
        let entry = self.entry(ENTRY)?;
        let stored = entry.and_then(|json| serde_json::from_slice::<Stored>(&json).ok());
        // Settings of another version are not followed halfway: the operator's are the safe ones.
        Ok(stored
            .filter(|stored| stored.version == VERSION)
            .map(|stored| stored.policy)
            .unwrap_or_default())
    }

    pub(crate) async fn set_policy(&self, _proof: &FreshProof, policy: Policy) -> Result<(), VaultError> {
        policy.check()?;
        let stored = Stored {
            version: VERSION,
            policy,
        };
        let json = serde_json::to_vec(&stored).expect("numbers serialise");
        self.change(Change::Entries(vec![(ENTRY.to_owned(), Some(Zeroizing::new(json)))]))
            .await?;
        self.follow_policy();
        self.shared().notice(VaultNotice::PolicyChanged);
        Ok(())
    }

    /// The vault was opened, or the settings changed: the time without use is the owner's.
    pub(super) fn follow_policy(&self) {
        let minutes = self.policy().ok().and_then(|policy| policy.lock_after_minutes);
        let own = minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
        self.idle().set_own_lock_after(own);
    }

    /// The platform says for how many minutes at most the owner's organisation lets agents work while nobody is there. It can say too
    /// much, up to `TIME_ALONE_CEILING`; to grant it takes the owner all the same. A longer time that was granted before ends with it.
    pub fn set_grant_longest(&self, minutes: Option<u32>) {
        let longest = minutes.unwrap_or(GRANT_LONGEST).clamp(1, TIME_ALONE_CEILING);
        self.idle().set_grant_longest(longest);
        let end = self.shared().clock.now().saturating_add(Millis::from(longest) * MINUTE);
        if self.idle().granted_until() > end {
            self.idle().grant_until(end);
            self.shared().notice(VaultNotice::PolicyChanged);
        }
    }

    /// For how many minutes at most the owner may grant.
    pub(crate) fn grant_longest(&self) -> u32 {
        self.idle().grant_longest()
    }

    /// Leaves the vault open for so long, used or not, so that the agent can work; it locks earlier when somebody asks.
    ///
    /// # Errors
    /// [`VaultError::Policy`] above [`Self::grant_longest`]; [`VaultError::Locked`].
    pub(crate) fn grant(&self, _proof: &FreshProof, minutes: u32) -> Result<Millis, VaultError> {
        let longest = self.grant_longest();
        if !(1..=longest).contains(&minutes) {
            let most = if longest == 60 {
                "1 hour".to_owned()
            } else if longest.is_multiple_of(60) {
                format!("{} hours", longest / 60)
            } else {
                format!("{longest} minutes")
            };
            return Err(VaultError::Policy(format!(
                "An agent may work alone for {most} at most (what your organisation says, or GRANT_LONGEST)."
            )));
        }
        if !self.shared().keyring.is_open() {
            return Err(VaultError::Locked);
        }
        let until = self.shared().clock.now().saturating_add(Millis::from(minutes) * MINUTE);
        self.idle().grant_until(until);
        self.shared().notice(VaultNotice::PolicyChanged);
        Ok(until)
    }

    /// Ends that time.
    pub(crate) fn end_grant(&self) {
        if self.idle().grant_until(0) != 0 {
            self.shared().notice(VaultNotice::PolicyChanged);
        }
    }

    /// Until when the agent may work while nobody is there; none when there is no such time, or it is over.
    pub fn granted_until(&self) -> Option<Millis> {
        let until = self.idle().granted_until();
        (self.shared().keyring.is_open() && until > self.shared().clock.now()).then_some(until)
    }

    /// After how long without use it locks, as the operator has it, in minutes.
    pub(crate) fn usual_lock_after_minutes(&self) -> u32 {
        u32::try_from(self.idle().usual_lock_after() / MINUTE).unwrap_or(LOCK_AFTER_LONGEST)
    }
}
