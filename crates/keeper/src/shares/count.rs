//! How often each link of a chain was used: `share/use/<id>`; and which presentations were seen: `share/nonces`.

use protocol::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Body, Constraints, Nonce, Presentation};

use super::{ShareError, Shares};
use crate::limits;
use crate::relay::Record;
use crate::vault_service::{VaultError, VaultService};
use crate::versioned::{decode, encode};

const USE: &str = "share/use/";
const NONCES: &str = "share/nonces";

/// How often one link was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uses {
    pub calls: u64,
    pub last: Option<Millis>,
    /// The times that its rate still counts, the oldest first.
    recent: Vec<Millis>,
    /// When the link ends, and this with it.
    until: Millis,
}

impl Uses {
    /// One more use, if there is room for it.
    fn take(&mut self, constraints: &Constraints, now: Millis, until: Millis) -> Result<(), ShareError> {
        if constraints.max_calls.is_some_and(|most| self.calls >= most) {
            return Err(ShareError::UsedUp);
        }
        if let Some(rate) = constraints.rate {
            let window = Millis::try_from(rate.per_ms).unwrap_or(Millis::MAX);
            self.recent.retain(|at| now.saturating_sub(*at) < window);
            let most = usize::try_from(rate.calls)
                .unwrap_or(usize::MAX)
                .min(limits::SHARE_RATE_CALLS);
            if self.recent.len() >= most {
                return Err(ShareError::TooOften);
            }
            self.recent.push(now);
        }
        self.calls += 1;
        self.last = Some(now);
        self.until = until;
        Ok(())
    }

    /// What both have counted.
    fn with(mut self, other: Self) -> Self {
        self.recent.extend(other.recent);
        self.recent.sort_unstable();
        self.recent.dedup();
        Self {
            calls: self.calls.max(other.calls),
            last: self.last.max(other.last),
            recent: self.recent,
            until: self.until.max(other.until),
        }
    }
}

/// Each count of this vault and the nonces that it has seen, together with those of another one, whose content takes its place: nothing can be
/// used once more by that. What is not understood here stays as it is.
pub(crate) fn counted_since(vault: &VaultService, other: &Body) -> Result<Vec<(String, Vec<u8>)>, VaultError> {
    fn both<T: serde::de::DeserializeOwned>(now: &[u8], other: Option<&[u8]>) -> Option<(T, T)> {
        Some((decode(now)?, decode(other?)?))
    }
    let mut records = Vec::new();
    for name in vault.list_records(USE)?.into_iter().chain([NONCES.to_owned()]) {
        let Some(now) = vault.get_record(&name)? else { continue };
        let other = other.get(&name);
        let merged = if name == NONCES {
            both::<Vec<(Nonce, Millis)>>(&now, other).map(|(mut now, other)| {
                now.retain(|seen| !other.contains(seen));
                now.extend(other);
                encode(&now)
            })
        } else {
            both::<Uses>(&now, other).map(|(now, other)| encode(&now.with(other)))
        };
        records.push((name, merged.unwrap_or_else(|| now.to_vec())));
    }
    Ok(records)
}

/// Whether each call of a rate can be remembered.
pub(super) fn check_rate(constraints: &Constraints) -> Result<(), ShareError> {
    let is_low = |calls| usize::try_from(calls).is_ok_and(|calls| calls <= limits::SHARE_RATE_CALLS);
    match constraints.rate.is_none_or(|rate| is_low(rate.calls)) {
        true => Ok(()),
        false => Err(ShareError::RateTooHigh),
    }
}

impl Shares {
    /// The uses of one link. Ones that are not understood are an error, never none.
    pub(super) fn uses(&self, id: Uuid) -> Result<Uses, ShareError> {
        match self.vault.get_record(&format!("{USE}{id}"))? {
            None => Ok(Uses::default()),
            Some(bytes) => decode(&bytes).ok_or(ShareError::Unknown),
        }
    }

    /// One more use of this link, to be stored for as long as the link lasts: one after it may end sooner.
    pub(super) fn counted(&self, link: &vault::Link, now: Millis) -> Result<Record, ShareError> {
        let mut uses = self.uses(link.id)?;
        uses.take(&link.constraints, now, link.until)?;
        Ok((format!("{USE}{}", link.id), Some(encode(&uses))))
    }

    /// Remembers a nonce, to be stored; one that is known was presented before.
    pub(super) fn seen(&self, nonce: Nonce, now: Millis) -> Result<Record, ShareError> {
        let mut nonces: Vec<(Nonce, Millis)> = match self.vault.get_record(NONCES)? {
            None => Vec::new(),
            Some(bytes) => decode(&bytes).ok_or(ShareError::Unknown)?,
        };
        nonces.retain(|(_, at)| now.saturating_sub(*at) <= Presentation::remembered_for());
        if nonces.iter().any(|(known, _)| *known == nonce) {
            return Err(ShareError::Replayed);
        }
        if nonces.len() >= limits::SHARE_NONCES {
            return Err(ShareError::Busy);
        }
        nonces.push((nonce, now));
        Ok((NONCES.to_owned(), Some(encode(&nonces))))
    }

    /// Counts of links that have ended.
    pub(super) fn counts_over(&self, now: Millis) -> Result<Vec<Record>, VaultError> {
        let over = |name: &String| {
            let uses: Option<Uses> = self
                .vault
                .get_record(name)
                .ok()
                .flatten()
                .and_then(|bytes| decode(&bytes));
            uses.is_some_and(|uses| uses.until < now)
        };
        let names = self.vault.list_records(USE)?;
        Ok(names.into_iter().filter(over).map(|name| (name, None)).collect())
    }
}
