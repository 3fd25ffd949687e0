//! Copies of what the owner shares, of the one request for which they have said that it may be read while they are away: made here while the
//! vault is open, and brought to whom it is for. `share/copied/<id>` says what was.
//!
//! What is promised here: a copy says what its holder would be answered at that moment, and not more; of what was taken back, is over or paused
//! none is made, and none leaves once it was; each has a higher number than those before it.

use protocol::Millis;
use protocol::channel::VaultState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, timeout};
use uuid::Uuid;
use vault::{Hash, Presentable as _, PublicIdentity, Resource, SharedRequest, verify_chain};

use super::given::Given;
use super::message::Message;
use super::present::Answered;
use super::{ShareError, Shares, millis};
use crate::activity::{Deed, What};
use crate::limits;
use crate::rates::By;
use crate::relay::{Courier as _, Record};
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode, is_default};

pub(super) const COPIED: &str = "share/copied/";

/// Of what there is to be a copy: one request that reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyOf {
    /// Below the service's address; what is missing is the path that is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default)]
    pub query: String,
    /// A tool's arguments, as JSON; empty for none.
    #[serde(default)]
    pub body: String,
}

impl CopyOf {
    pub(super) fn request(self, resource: &Resource) -> SharedRequest {
        let content_type = if self.body.is_empty() { "" } else { "application/json" };
        SharedRequest {
            service: resource.service().to_owned(),
            method: "GET".to_owned(),
            path: self.path.unwrap_or_else(|| resource.path().to_owned()),
            query: self.query,
            content_type: content_type.to_owned(),
            body: self.body.into_bytes(),
        }
    }
}

/// What is remembered of the copies of one share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    /// The last one that was sent.
    #[serde(default)]
    sent: Option<Sent>,
    /// The last one that its holder's keeper said it has.
    #[serde(default)]
    there: Option<There>,
    /// Why there is no newer one.
    #[serde(default)]
    problem: Option<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    /// Rises from each to the next.
    number: u64,
    /// When the service was asked.
    at: Millis,
    bytes: usize,
    /// SHA-256 of the answer.
    answer: Hash,
    /// How many went before it of which nobody said that they arrived, one after the other.
    #[serde(default, skip_serializing_if = "is_default")]
    unheard: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct There {
    number: u64,
    at: Millis,
    bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Problem {
    code: String,
    words: String,
    /// When it was seen first.
    since: Millis,
    /// When it was last tried, and how often before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried: Option<Millis>,
    #[serde(default, skip_serializing_if = "is_default")]
    times: u32,
}

/// Whether it is time to try again what has failed so often before its last time.
fn is_time(last: Millis, times: u32, longest: Duration, now: Millis) -> bool {
    let wait = limits::SHARE_COPY_RETRY.saturating_mul(4_u32.saturating_pow(times));
    now.saturating_sub(last) >= millis(wait.min(longest))
}

impl Copied {
    fn record(&self, id: Uuid) -> Record {
        (format!("{COPIED}{id}"), Some(encode(self)))
    }

    /// Whether this answer need not go now.
    fn is_good_for(&self, answer: &Hash, now: Millis) -> bool {
        self.sent.as_ref().is_some_and(|sent| match self.has_arrived(sent) {
            true => sent.answer == *answer && now.saturating_sub(sent.at) < millis(limits::SHARE_COPY_AGAIN),
            false => !is_time(sent.at, sent.unheard, limits::SHARE_COPY_AGAIN, now),
        })
    }

    fn has_arrived(&self, sent: &Sent) -> bool {
        self.there.is_some_and(|there| there.number == sent.number)
    }

    /// Whether one is to be made before all are: the last time that came to nothing, or nobody has said that it arrived.
    fn is_to_be_tried(&self, now: Millis) -> bool {
        match (&self.problem, &self.sent) {
            (Some(problem), _) => {
                let last = problem.tried.unwrap_or(problem.since);
                is_time(last, problem.times, limits::SHARE_COPY_REFRESH, now)
            }
            (None, Some(sent)) => {
                !self.has_arrived(sent) && is_time(sent.at, sent.unheard, limits::SHARE_COPY_AGAIN, now)
            }
            (None, None) => true,
        }
    }

    /// Why there is no newer one, where it is for its owner to know.
    fn note(&mut self, error: &ShareError, now: Millis) {
        if matches!(error, ShareError::Vault(_)) {
            return;
        }
        let (code, words) = (error.code().to_owned(), error.to_string());
        let (since, times) = match &self.problem {
            Some(it) if it.code == code && it.words == words => (it.since, it.times.saturating_add(1)),
            Some(it) => (now, it.times.saturating_add(1)),
            None => (now, 0),
        };
        self.problem = Some(Problem {
            code,
            words,
            since,
            tried: Some(now),
            times,
        });
    }
}

/// Whether an answer is one that there may be a copy of.
pub(super) fn check_size(answer: &Answered) -> Result<(), ShareError> {
    let bytes = answer.body.len() + answer.content_type.len();
    match answer.cut || bytes > limits::SHARE_COPY_BYTES {
        true => Err(ShareError::CopyTooLarge),
        false => Ok(()),
    }
}

impl Shares {
    /// Reads again what there is a copy of, and brings it to whom it is for, changed or not.
    ///
    /// # Errors
    /// [`ShareError::Unknown`], [`ShareError::NoCopy`], [`ShareError::CopyTooLarge`], [`ShareError::CopyRefused`], and why a call of its
    /// holder would be refused: then the copy that lies there is as it was.
    pub async fn refresh_copy(&self, id: Uuid) -> Result<(), ShareError> {
        let given = self.was_given(id)?.ok_or(ShareError::Unknown)?;
        self.copy(&given, true).await
    }

    async fn copy(&self, given: &Given, asked: bool) -> Result<(), ShareError> {
        let request = given.capability.cached.clone().ok_or(ShareError::NoCopy)?;
        // What was read earlier does not go later.
        let _copy = self.one_copy_at_a_time.lock().await;
        let at = self.clock.now();
        let made = timeout(limits::SHARE_ANSWER, self.made_for_copy(given, request)).await;
        let made = made.unwrap_or(Err(ShareError::TooSlow));
        let _one = self.one_at_a_time.lock().await;
        // What was taken back while the service answered is not told any more, and nothing is noted of it.
        self.still_given(std::slice::from_ref(&given.capability))?;
        let id = given.capability.jti;
        let before = self.copied(id)?;
        let brought = match made {
            Ok((to, answer)) => self.bring_copy(given, before.clone(), &to, answer, at, asked).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &brought {
            let mut copied = before.clone().unwrap_or_default();
            copied.note(error, at);
            self.keep_copied(id, before.as_ref(), &copied).await?;
        }
        brought
    }

    /// To whom it goes, and what they would be answered now to the request that there is a copy of.
    async fn made_for_copy(
        &self,
        given: &Given,
        request: SharedRequest,
    ) -> Result<(PublicIdentity, Answered), ShareError> {
        let chain = std::slice::from_ref(&given.capability);
        let to = self.contacts.known(given.with)?.identity;
        if to.signer() != given.capability.sub {
            return Err(ShareError::Unknown);
        }
        let own = self.vault.identity().await?.public().signer();
        let revoked = self.revoked_of(chain)?;
        let granted = verify_chain(chain, &own, self.clock.now(), |id| revoked.contains(&id))?;
        request.check(&granted)?;
        self.check_call(&granted, &request)?;
        // Not counted: it is this keeper that asks, and not often. Who is paused gets no copy, either.
        self.rates
            .check(By::person(given.with, &given.name), &request.service)?;
        let answer = self.carry_out(given, chain, request).await?;
        if !(200..300).contains(&answer.status) {
            return Err(ShareError::CopyRefused(answer.status));
        }
        check_size(&answer)?;
        Ok((to, answer))
    }

    /// Sends it, unless what lies there is as good. `one_at_a_time` is held.
    async fn bring_copy(
        &self,
        given: &Given,
        before: Option<Copied>,
        to: &PublicIdentity,
        answer: Answered,
        at: Millis,
        asked: bool,
    ) -> Result<(), ShareError> {
        let id = given.capability.jti;
        let mut copied = before.clone().unwrap_or_default();
        copied.problem = None;
        let digest = Hash::of(&encode(&answer));
        if !asked && copied.is_good_for(&digest, at) {
            return self.keep_copied(id, before.as_ref(), &copied).await;
        }
        // Also where this vault was restored, and its holder has copies that it does not remember.
        let now = u64::try_from(at).unwrap_or_default();
        let last = copied.sent.as_ref();
        let number = last.map_or(now, |sent| now.max(sent.number + 1));
        let unheard = last.filter(|sent| !copied.has_arrived(sent));
        let unheard = unheard.map_or(0, |sent| sent.unheard.saturating_add(1));
        copied.sent = Some(Sent {
            number,
            at,
            bytes: answer.body.len(),
            answer: digest,
            unheard,
        });
        let message = Message::Copy { id, number, at, answer };
        self.relay.send(message.to(to, vec![copied.record(id)])).await?;
        self.changed();
        self.activity.note(Deed::new(What::ShareCopied, given.name.as_str()))?;
        Ok(())
    }

    async fn keep_copied(&self, id: Uuid, before: Option<&Copied>, copied: &Copied) -> Result<(), ShareError> {
        if before != Some(copied) {
            self.vault.put_records(vec![copied.record(id)]).await?;
            self.changed();
        }
        Ok(())
    }

    pub(super) fn copied(&self, id: Uuid) -> Result<Option<Copied>, VaultError> {
        let record = self.vault.get_record(&format!("{COPIED}{id}"))?;
        Ok(record.and_then(|bytes| decode(&bytes)))
    }

    /// What is to be remembered of a holder's word that a copy has arrived: nothing, where it is not the last one.
    pub(super) fn take_copy_kept(&self, given: &Given, number: u64) -> Result<Option<Record>, ShareError> {
        let id = given.capability.jti;
        let Some(mut copied) = self.copied(id)? else {
            return Ok(None);
        };
        let last = copied.sent.as_ref().filter(|sent| sent.number == number);
        let there = last.map(|sent| There {
            number,
            at: sent.at,
            bytes: sent.bytes,
        });
        Ok(there.map(|there| {
            copied.there = Some(there);
            copied.record(id)
        }))
    }

    /// Whether there can be a copy of one more, beside what was given.
    pub(super) fn check_room_for_copy(&self, given: &[Given]) -> Result<(), ShareError> {
        let mut live = 0;
        for each in given {
            live += usize::from(self.has_copies(each)?);
        }
        if live >= limits::SHARE_COPIES {
            return Err(ShareError::TooManyCopies);
        }
        Ok(())
    }

    fn has_copies(&self, given: &Given) -> Result<bool, VaultError> {
        let capability = &given.capability;
        Ok(capability.cached.is_some() && capability.exp > self.clock.now() && !self.is_revoked(capability.jti)?)
    }

    /// Reads again what there are copies of, for whom has what it is of: everything, or only that of which none
    /// was made yet, or has arrived, and whose time it is.
    pub(super) async fn refresh_copies(&self, all: bool) -> Result<(), ShareError> {
        let now = self.clock.now();
        for given in self.given()? {
            let due = given.arrived.is_some() && self.has_copies(&given)?;
            if due
                && (all
                    || self
                        .copied(given.capability.jti)?
                        .is_none_or(|copied| copied.is_to_be_tried(now)))
                && let Err(error) = self.copy(&given, false).await
            {
                tracing::info!(code = error.code(), "there is no newer copy of what is shared");
            }
        }
        Ok(())
    }

    /// Keeps copies fresh while the vault is open, and destroys those of others that may not lie here any more. Wakes nobody: where nothing
    /// runs, nothing is read.
    pub(super) async fn watch_copies(&self) {
        let mut vault = self.vault.watch();
        loop {
            if vault.wait_for(|state| *state == VaultState::Unlocked).await.is_err() {
                return;
            }
            let mut refreshed: Option<Instant> = None;
            while *vault.borrow_and_update() == VaultState::Unlocked {
                self.sweep_copies(None).await;
                let all = refreshed.is_none_or(|at| at.elapsed() >= limits::SHARE_COPY_REFRESH);
                if all {
                    refreshed = Some(Instant::now());
                }
                if let Err(error) = self.refresh_copies(all).await {
                    tracing::info!(code = error.code(), "copies of what is shared were not looked at");
                }
                tokio::select! {
                    turned = vault.changed() => if turned.is_err() { return },
                    () = self.copies_wanted.notified() => {}
                    () = tokio::time::sleep(limits::SHARE_COPIES_LOOK) => {}
                }
            }
        }
    }

    /// What lies with its holder, as the owner sees it; null where nothing may.
    pub(super) fn shown_copy(&self, given: &Given) -> Result<Value, ShareError> {
        if given.capability.cached.is_none() {
            return Ok(Value::Null);
        }
        let copied = self.copied(given.capability.jti)?.unwrap_or_default();
        let on_its_way = copied.sent.as_ref().is_some_and(|sent| !copied.has_arrived(sent));
        let problem = copied.problem.as_ref();
        let problem = problem.map(|it| json!({"code": it.code, "words": it.words, "since": it.since}));
        Ok(json!({
            "as_of": copied.there.map(|there| there.at), "bytes": copied.there.map(|there| there.bytes), "on_its_way": on_its_way,
            "problem": problem,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_version_remembered_of_copies_keeps_its_form() {
        let form = r#"{"sent":{"number":1700000000000,"at":1700000000000,"bytes":3,"answer":"R2IAJFDdFXDYzzu8cxS8hUvkDvD9ezmtbnW9cNNzYlA"},
            "there":{"number":1700000000000,"at":1700000000000,"bytes":3},"problem":{"code":"paused","words":"It is.","since":1}}"#;
        let bytes = [&[1], form.as_bytes()].concat();
        let read: Copied = decode(&bytes).unwrap();
        let again: Value = serde_json::from_slice(&encode(&read)[1..]).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(form).unwrap());
        assert_eq!(read.there.map(|there| there.number), Some(1_700_000_000_000));
    }
}
