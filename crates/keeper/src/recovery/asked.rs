//! Requests of others who are locked out, as this keeper has seen them. The time that has to pass is counted here, from the moment
//! when this keeper saw the request first: the platform can hide a request, and cannot make the wait shorter.

use protocol::{Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use vault::{RELEASE_PURPOSE, RecoveryRequest, seal_to};

use super::own::to_json;
use super::{Recovery, RecoveryFailure};
use crate::limits::{RECOVERY_REQUEST_LIFE, RECOVERY_REQUESTS};

const ASKED: &str = "recovery/asked/";
const VERSION: u8 = 1;

/// What became of a request here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Nobody has confirmed it yet.
    Open,
    /// The code was right.
    Approved,
    Released,
    Refused,
    /// By the owner of the vault.
    Stopped,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    user: UserId,
    #[serde(with = "b64")]
    request: Vec<u8>,
    seen: Millis,
    answer: Answer,
}

/// What is shown of a request.
#[derive(Debug, Serialize)]
pub(super) struct AskedShown {
    id: String,
    user: UserId,
    name: String,
    seen: Millis,
    releases_at: Millis,
    answer: Answer,
}

fn record(id: &str) -> Result<String, RecoveryFailure> {
    let hex = id.len() == 32
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    hex.then(|| format!("{ASKED}{id}"))
        .ok_or(RecoveryFailure::UnknownRequest)
}

fn life() -> Millis {
    Millis::try_from(RECOVERY_REQUEST_LIFE.as_millis()).unwrap_or(Millis::MAX)
}

impl Recovery {
    fn asked(&self, id: &str) -> Result<Option<(Stored, RecoveryRequest)>, RecoveryFailure> {
        let Some(json) = self.vault.get_record(&record(id)?)? else {
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(&json).map_err(|_| RecoveryFailure::Unreadable)?;
        let request = RecoveryRequest::decode(&stored.request)?;
        match stored.v {
            VERSION => Ok(Some((stored, request))),
            _ => Err(RecoveryFailure::Unreadable),
        }
    }

    /// A request that was seen and is still good, with the share that it asks for.
    fn good(&self, id: &str) -> Result<(Stored, RecoveryRequest, super::held::Held), RecoveryFailure> {
        let (stored, request) = self.asked(id)?.ok_or(RecoveryFailure::UnknownRequest)?;
        match stored.answer {
            Answer::Stopped => return Err(RecoveryFailure::Stopped),
            Answer::Refused => return Err(RecoveryFailure::Refused),
            Answer::Open | Answer::Approved | Answer::Released => {}
        }
        self.check_age(&request, stored.seen)?;
        let held = self.holds(stored.user, &request)?;
        Ok((stored, request, held))
    }

    fn holds(&self, user: UserId, request: &RecoveryRequest) -> Result<super::held::Held, RecoveryFailure> {
        self.held(user)?
            .filter(|held| held.share.terms.cell == request.cell && held.share.terms.slot == request.slot)
            .ok_or(RecoveryFailure::NotHeld)
    }

    /// An old request that is brought up again is refused, as is one that claims to come from the future.
    fn check_age(&self, request: &RecoveryRequest, seen: Millis) -> Result<(), RecoveryFailure> {
        let now = self.clock.now();
        let old = |since: Millis| now.saturating_sub(since) > life();
        let future = request.made > now.saturating_add(24 * 60 * 60 * 1000);
        match old(seen) || old(request.made) || future {
            true => Err(RecoveryFailure::Expired),
            false => Ok(()),
        }
    }

    async fn put_asked(&self, id: &str, stored: &Stored) -> Result<(), RecoveryFailure> {
        Ok(self.vault.put_record(&record(id)?, &to_json(stored)?).await?)
    }

    fn shown(&self, id: &str) -> Result<AskedShown, RecoveryFailure> {
        let (stored, _) = self.asked(id)?.ok_or(RecoveryFailure::UnknownRequest)?;
        let held = self.held(stored.user)?;
        let wait = held.as_ref().map_or(0, |held| held.share.terms.wait_ms);
        Ok(AskedShown {
            id: id.to_owned(),
            user: stored.user,
            name: held.map(|held| held.name).unwrap_or_default(),
            seen: stored.seen,
            releases_at: stored
                .seen
                .saturating_add(Millis::try_from(wait).unwrap_or(Millis::MAX)),
            answer: stored.answer,
        })
    }

    /// Requests that were seen and are not too old.
    pub(super) fn all_asked(&self) -> Result<Vec<AskedShown>, RecoveryFailure> {
        let names = self.vault.list_records(ASKED)?;
        let ids = names.iter().filter_map(|name| name.strip_prefix(ASKED));
        let now = self.clock.now();
        let shown = ids.map(|id| self.shown(id));
        shown
            .filter(|shown| !matches!(shown, Ok(shown) if now.saturating_sub(shown.seen) > life()))
            .collect()
    }

    /// Takes note of a request that the platform brought. From now on the time counts.
    pub(super) async fn see(&self, user: UserId, request: &[u8]) -> Result<AskedShown, RecoveryFailure> {
        let parsed = RecoveryRequest::decode(request)?;
        let id = parsed.id();
        if self.asked(&id)?.is_some() {
            return self.shown(&id);
        }
        let now = self.clock.now();
        self.check_age(&parsed, now)?;
        self.holds(user, &parsed)?;
        self.forget_old().await?;
        if self.vault.list_records(ASKED)?.len() >= RECOVERY_REQUESTS {
            return Err(RecoveryFailure::TooManyRequests);
        }
        let stored = Stored {
            v: VERSION,
            user,
            request: request.to_vec(),
            seen: now,
            answer: Answer::Open,
        };
        self.put_asked(&id, &stored).await?;
        self.shown(&id)
    }

    /// What is so old that its request would be refused by its age alone.
    async fn forget_old(&self) -> Result<(), RecoveryFailure> {
        let now = self.clock.now();
        let mut old = Vec::new();
        for name in self.vault.list_records(ASKED)? {
            let Some((stored, request)) = name.strip_prefix(ASKED).map(|id| self.asked(id)).transpose()?.flatten()
            else {
                continue;
            };
            if now.saturating_sub(stored.seen) > life() && now.saturating_sub(request.made) > life() {
                old.push((name, None));
            }
        }
        match old.is_empty() {
            true => Ok(()),
            false => Ok(self.vault.put_records(old).await?),
        }
    }

    /// The contact has spoken with the owner and typed what the owner read out.
    pub(super) async fn approve(&self, id: &str, code: &str) -> Result<AskedShown, RecoveryFailure> {
        let (mut stored, request, _) = self.good(id)?;
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        if digits(code) != digits(&request.code()) {
            return Err(RecoveryFailure::CodeDiffers);
        }
        if stored.answer == Answer::Open {
            stored.answer = Answer::Approved;
            self.put_asked(id, &stored).await?;
        }
        self.shown(id)
    }

    /// The contact does not want to release anything for this request.
    pub(super) async fn refuse(&self, id: &str) -> Result<AskedShown, RecoveryFailure> {
        let (mut stored, _) = self.asked(id)?.ok_or(RecoveryFailure::UnknownRequest)?;
        stored.answer = Answer::Refused;
        self.put_asked(id, &stored).await?;
        self.shown(id)
    }

    /// The owner has stopped the request; one that was not seen yet is remembered as stopped.
    pub(crate) async fn take_stop(
        &self,
        user: UserId,
        owner: &vault::PublicIdentity,
        id: &str,
    ) -> Result<(), RecoveryFailure> {
        let held = self.held(user)?.ok_or(RecoveryFailure::NotHeld)?;
        if held.owner != *owner {
            return Err(RecoveryFailure::WrongSender);
        }
        let now = self.clock.now();
        let stored = match self.asked(id)? {
            Some((stored, _)) if stored.user != user => return Err(RecoveryFailure::WrongSender),
            Some((stored, _)) => Stored {
                answer: Answer::Stopped,
                ..stored
            },
            None => Stored {
                v: VERSION,
                user,
                // Nobody can ask for anything with it: it stands for the one that may still come under this id.
                request: RecoveryRequest {
                    cell: held.share.terms.cell,
                    slot: held.share.terms.slot,
                    key: vault::AgreementKey([0; 32]),
                    made: now,
                }
                .encode(),
                seen: now,
                answer: Answer::Stopped,
            },
        };
        self.put_asked(id, &stored).await
    }

    /// The share, sealed to the key of the request: once it was approved and the time has passed.
    pub(super) async fn release(&self, id: &str) -> Result<Vec<u8>, RecoveryFailure> {
        let (mut stored, request, held) = self.good(id)?;
        if stored.answer == Answer::Open {
            return Err(RecoveryFailure::NotApproved);
        }
        let wait = Millis::try_from(held.share.terms.wait_ms).unwrap_or(Millis::MAX);
        let left = stored.seen.saturating_add(wait).saturating_sub(self.clock.now());
        if left > 0 {
            return Err(RecoveryFailure::TooEarly {
                retry_after_ms: u64::try_from(left).unwrap_or(0),
            });
        }
        let identity = self.vault.identity().await?;
        let (share, context) = (held.share.encode(), request.encode());
        let sealed = seal_to(&identity, &request.key, RELEASE_PURPOSE, &context, &share)?;
        if stored.answer != Answer::Released {
            stored.answer = Answer::Released;
            self.put_asked(id, &stored).await?;
        }
        Ok(sealed)
    }
}
