//! Copies of what others share, as they lie here: `share/copy/<id>`. They are read where whoever shares it does not answer.
//!
//! What is promised here: a copy is kept only of what its sender has shared with this vault and has signed that it may be copied, and never in
//! the place of a newer one; it is given only right after the relay was asked whether it was taken back, and the platform whether its owner is
//! suspended or removed, and with its age; it is destroyed when what it is of may not be used any more, or when it cannot be known any more what its owner has taken back.

use std::collections::HashMap;
use std::sync::Mutex;

use protocol::Millis;
use protocol::relay::MailboxKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use uuid::Uuid;
use vault::{CapabilityError, PublicIdentity, SignerKey};

use super::copy_given::check_size;
use super::present::Answered;
use super::received::{Received, Standing as Stands};
use super::{ShareError, Shares};
use crate::activity::{Deed, What};
use crate::limits;
use crate::relay::{Record, Revocations as _, Standing};
use crate::vault_service::{VaultError, unpoisoned};
use crate::versioned::{decode, encode};

const HELD: &str = "share/copy/";
const HOUR: Duration = Duration::from_secs(60 * 60);

/// One that lies here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Its sender's, higher than of those before it.
    number: u64,
    /// When the service was asked, by its sender's clock.
    pub at: Millis,
    answer: Answered,
    /// Its sender was not known here yet when it came, and has not been since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    early: bool,
}

/// How many copies came of each sender since their hour began.
#[derive(Default)]
pub(super) struct Pace(Mutex<HashMap<SignerKey, (Instant, u32)>>);

impl Pace {
    /// One more of theirs, if there may be.
    fn count(&self, from: SignerKey) -> Result<(), ShareError> {
        let mut known = unpoisoned(&self.0);
        known.retain(|_, (since, _)| since.elapsed() < HOUR);
        let (_, count) = known.entry(from).or_insert_with(|| (Instant::now(), 0));
        if *count >= limits::SHARE_COPIES_OF_ONE_AN_HOUR {
            return Err(ShareError::CopiesTooOften);
        }
        *count += 1;
        Ok(())
    }
}

/// What a call of what others share came to.
#[derive(Debug, Clone, Serialize)]
pub struct Used {
    #[serde(flatten)]
    pub answer: Answered,
    /// Where it is out of a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<AsOf>,
}

/// How old a copy is, and why it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AsOf {
    pub as_of: Millis,
    /// Whose it is.
    pub owner: String,
    /// The same in words, for a model.
    pub words: String,
}

/// How long ago, in words.
fn ago(long: Millis) -> String {
    let (many, one) = match long / 60_000 {
        minutes @ ..60 => (minutes, "minute"),
        minutes @ 60..2880 => (minutes / 60, "hour"),
        minutes => (minutes / 1440, "day"),
    };
    match many {
        ..1 => "less than a minute ago".to_owned(),
        1 => format!("1 {one} ago"),
        many => format!("{many} {one}s ago"),
    }
}

pub(super) fn destroyed(id: Uuid) -> Record {
    (format!("{HELD}{id}"), None)
}

impl Shares {
    pub(super) fn held_copy(&self, id: Uuid) -> Result<Option<Held>, VaultError> {
        let record = self.vault.get_record(&format!("{HELD}{id}"))?;
        Ok(record.and_then(|bytes| decode(&bytes)))
    }

    fn copies_held(&self) -> Result<Vec<Uuid>, VaultError> {
        let names = self.vault.list_records(HELD)?;
        let id = |name: &String| name.strip_prefix(HELD)?.parse().ok();
        Ok(names.iter().filter_map(id).collect())
    }

    /// What is to be stored of a copy that somebody sends.
    pub(super) fn take_copy(
        &self,
        from: &PublicIdentity,
        id: Uuid,
        number: u64,
        at: Millis,
        answer: Answered,
    ) -> Result<Record, ShareError> {
        let received = self.one_received(id)?;
        if received.issued_by()? != *from {
            return Err(ShareError::NotReceived);
        }
        if received.capability.cached.is_none() {
            return Err(ShareError::NoCopy);
        }
        let early = self.standing(&received)? == Stands::UnknownOwner;
        if !early {
            self.usable(&received)?;
        }
        check_size(&answer)?;
        if self.held_copy(id)?.is_some_and(|held| held.number >= number) {
            return Err(ShareError::OlderCopy);
        }
        // Nobody's clock makes a copy younger than it can be.
        let at = at.min(self.clock.now());
        let record = encode(&Held {
            number,
            at,
            answer,
            early,
        });
        let mut bytes = record.len();
        let (mut theirs, mut unknown) = (bytes, if early { bytes } else { 0 });
        for other in self.copies_held()?.into_iter().filter(|other| *other != id) {
            let there = self.vault.get_record(&format!("{HELD}{other}"))?.unwrap_or_default();
            bytes += there.len();
            if let Ok(received) = self.one_received(other) {
                let same = received.capability.iss == from.signer();
                theirs += if same { there.len() } else { 0 };
                let nobodys = early && self.standing(&received)? == Stands::UnknownOwner;
                unknown += if nobodys { there.len() } else { 0 };
            }
        }
        if bytes > limits::SHARE_COPIES_BYTES
            || theirs > limits::SHARE_COPIES_OF_ONE_BYTES
            || unknown > limits::SHARE_COPIES_UNKNOWN_BYTES
        {
            return Err(ShareError::TooManyCopiesHeld);
        }
        self.copies_pace.count(from.signer())?;
        Ok((format!("{HELD}{id}"), Some(record)))
    }

    /// Whether what lies here of something may stay; once its owner is known, it does not stay when they are not any longer.
    fn may_stay(&self, held: &mut Held, received: &Received, unknown: Option<MailboxKey>) -> Result<bool, ShareError> {
        if unknown.is_some_and(|unknown| unknown.0 == received.capability.iss.0) {
            return Ok(false);
        }
        Ok(match self.standing(received)? {
            Stands::Given => {
                held.early = false;
                true
            }
            Stands::UnknownOwner => held.early,
            Stands::Offered | Stands::Stopped | Stands::Left | Stands::Over => false,
        })
    }

    /// What lies here of something, where there is a copy; once the relay has said that it was not taken back, and the platform that whoever shares
    /// it is neither suspended nor removed.
    ///
    /// # Errors
    /// It was, they are, it is over, or one of the two cannot be asked: unreachable means no.
    pub(super) async fn read_copy(&self, id: Uuid) -> Result<Option<Used>, ShareError> {
        let capability = self.one_received(id)?.capability;
        let standing = self
            .relay
            .check(MailboxKey(capability.iss.0), capability.jti.into())
            .await?;
        if standing == Standing::Revoked {
            return Err(CapabilityError::Revoked(capability.jti).into());
        }
        self.check_person(capability.iss).await?;
        let owner = self.usable(&self.one_received(id)?)?.name;
        let Some(held) = self.held_copy(id)? else {
            return Ok(None);
        };
        self.activity.note(Deed::new(What::CopyRead, owner.as_str()))?;
        let age = ago(self.clock.now().saturating_sub(held.at));
        let words = format!(
            "A copy, as of {age}, while {owner}'s agent sleeps. It may have changed since; with live nothing but {owner}'s agent is asked."
        );
        let copy = AsOf {
            as_of: held.at,
            owner,
            words,
        };
        Ok(Some(Used {
            answer: held.answer,
            copy: Some(copy),
        }))
    }

    /// Destroys the copies of what may not be used any more, and all of one whose word on what was taken back is not known any more.
    pub(super) async fn sweep_copies(&self, unknown: Option<MailboxKey>) {
        let _one = self.one_at_a_time.lock().await;
        if let Err(error) = self.sweep(unknown).await {
            tracing::info!(
                code = error.code(),
                "copies of what others share were not looked through"
            );
        }
    }

    async fn sweep(&self, unknown: Option<MailboxKey>) -> Result<(), ShareError> {
        let (mut records, mut of) = (Vec::new(), Vec::new());
        for id in self.copies_held()? {
            let received = match self.one_received(id) {
                Ok(received) => Some(received),
                Err(ShareError::NotReceived) => None,
                Err(error) => return Err(error),
            };
            let before = self.held_copy(id)?;
            let mut held = before.clone();
            let stays = match (&received, &mut held) {
                (Some(received), Some(held)) => self.may_stay(held, received, unknown)?,
                _ => false,
            };
            if stays && held != before {
                records.push((format!("{HELD}{id}"), held.as_ref().map(encode)));
            }
            if !stays {
                records.push(destroyed(id));
                let owner = received.map(|received| self.owner_of(&received)).transpose()?;
                of.push(owner.flatten().map(|owner| owner.name).unwrap_or_default());
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.vault.put_records(records).await?;
        for name in of {
            self.activity.note(Deed::new(What::CopyDestroyed, name))?;
        }
        self.changed();
        Ok(())
    }

    /// What lies here of something, as its owner and their agent see it; null where nothing does.
    pub(super) fn shown_held(&self, id: Uuid) -> Result<Value, VaultError> {
        let held = self.held_copy(id)?;
        Ok(held.map_or(
            Value::Null,
            |held| json!({"as_of": held.at, "bytes": held.answer.body.len()}),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_version_kept_of_a_copy_keeps_its_form() {
        let form = r#"{"number":1700000000000,"at":1700000000000,"answer":{"status":200,"content_type":"text/plain","body":"AQID","cut":false}}"#;
        let read: Held = decode(&[&[1], form.as_bytes()].concat()).unwrap();
        let again: Value = serde_json::from_slice(&encode(&read)[1..]).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(form).unwrap());
        assert_eq!(read.answer.body, [1, 2, 3]);
    }

    #[test]
    fn an_age_is_said_in_words() {
        let minutes = |minutes: Millis| ago(minutes * 60_000);
        assert_eq!(ago(-5), "less than a minute ago");
        assert_eq!(
            [
                minutes(0),
                minutes(1),
                minutes(59),
                minutes(60),
                minutes(180),
                minutes(2880)
            ],
            [
                "less than a minute ago",
                "1 minute ago",
                "59 minutes ago",
                "1 hour ago",
                "3 hours ago",
                "2 days ago"
            ]
        );
    }
}
