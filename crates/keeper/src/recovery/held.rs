//! Shares that are held for others: one for each owner, the newest.

use protocol::{CellId, Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use vault::{PublicIdentity, RecoveryShare};
use zeroize::Zeroizing;

use super::own::to_json;
use super::{Recovery, RecoveryFailure};

const HELD: &str = "recovery/held/";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    name: String,
    #[serde(with = "b64")]
    owner: Vec<u8>,
    #[serde(with = "b64")]
    share: Vec<u8>,
    since: Millis,
}

/// A share and whose it is.
pub(super) struct Held {
    pub user: UserId,
    pub name: String,
    pub owner: PublicIdentity,
    pub share: RecoveryShare,
    pub since: Millis,
}

/// What is shown of it.
#[derive(Serialize)]
pub(super) struct HeldShown {
    user: UserId,
    name: String,
    cell: CellId,
    since: Millis,
    threshold: u8,
    count: u8,
    wait_ms: u64,
}

impl From<Held> for HeldShown {
    fn from(held: Held) -> Self {
        Self {
            user: held.user,
            name: held.name,
            cell: held.share.terms.cell.into(),
            since: held.since,
            threshold: held.share.terms.threshold,
            count: held.share.count(),
            wait_ms: held.share.terms.wait_ms,
        }
    }
}

fn record(user: UserId) -> String {
    format!("{HELD}{user}")
}

impl Recovery {
    pub(super) fn held(&self, user: UserId) -> Result<Option<Held>, RecoveryFailure> {
        let Some(json) = self.vault.get_record(&record(user))? else {
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(&json).map_err(|_| RecoveryFailure::Unreadable)?;
        if stored.v != VERSION {
            return Err(RecoveryFailure::Unreadable);
        }
        let share = Zeroizing::new(stored.share);
        Ok(Some(Held {
            user,
            name: stored.name,
            owner: PublicIdentity::decode(&stored.owner).map_err(|_| RecoveryFailure::Unreadable)?,
            share: RecoveryShare::decode(&share)?,
            since: stored.since,
        }))
    }

    pub(super) fn all_held(&self) -> Result<Vec<Held>, RecoveryFailure> {
        let names = self.vault.list_records(HELD)?;
        names
            .iter()
            .filter_map(|name| name.strip_prefix(HELD)?.parse::<UserId>().ok())
            .filter_map(|user| self.held(user).transpose())
            .collect()
    }

    /// Keeps a share that its owner sent. An older one than the one held, or one of another identity, is refused.
    pub(crate) async fn take_share(
        &self,
        user: UserId,
        name: &str,
        owner: &PublicIdentity,
        share: &[u8],
    ) -> Result<(), RecoveryFailure> {
        let share = RecoveryShare::decode(share)?;
        if let Some(held) = self.held(user)? {
            if held.owner != *owner {
                return Err(RecoveryFailure::WrongSender);
            }
            if held.share.terms.version >= share.terms.version {
                return Ok(());
            }
        }
        let stored = Stored {
            v: VERSION,
            name: name.to_owned(),
            owner: owner.encode(),
            share: share.encode().to_vec(),
            since: self.clock.now(),
        };
        Ok(self.vault.put_record(&record(user), &to_json(&stored)?).await?)
    }

    /// The owner has other contacts now: what is held up to this version is forgotten.
    pub(crate) async fn take_gone(
        &self,
        user: UserId,
        owner: &PublicIdentity,
        version: u64,
    ) -> Result<(), RecoveryFailure> {
        match self.held(user)? {
            Some(held) if held.owner != *owner => Err(RecoveryFailure::WrongSender),
            Some(held) if held.share.terms.version <= version => Ok(self.vault.delete_record(&record(user)).await?),
            _ => Ok(()),
        }
    }
}
