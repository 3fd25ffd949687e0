//! The side of the second person: what others ask of them, `second/asked/<user>/<id>`, a version byte and JSON; and their answers.

use protocol::{ApprovalId, Millis, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::{Hash, PublicIdentity, SignerKey};

use super::is_of_two;
use super::message::Said;
use crate::activity::{Deed, What};
use crate::approvals::{Action, ApprovalError, Approvals};
use crate::limits;
use crate::relay::{Courier as _, Received};
use crate::vault_service::VaultError;
use crate::versioned;

const PREFIX: &str = "second/asked/";

/// Records to write, and those to take away.
type Changes = Vec<(String, Option<Vec<u8>>)>;

/// What somebody asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::approvals) struct Asked {
    pub id: ApprovalId,
    user: UserId,
    /// As this vault's owner knows them, and the key that asked.
    name: String,
    key: SignerKey,
    pub asked_at: Millis,
    pub until: Millis,
    action: Action,
    hash: Hash,
    #[serde(flatten)]
    state: Stands,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Stands {
    Waiting,
    Allowed { at: Millis },
    Denied { at: Millis, reason: String },
    Over { at: Millis },
}

impl Asked {
    fn record(&self) -> String {
        format!("{PREFIX}{}/{}", self.user, self.id)
    }

    fn put(&self) -> (String, Option<Vec<u8>>) {
        (self.record(), Some(versioned::encode(self)))
    }

    pub fn is_waiting(&self, now: Millis) -> bool {
        self.state == Stands::Waiting && now < self.until
    }

    /// With another state, and without what was to be sent.
    fn ended(&self, state: Stands) -> Self {
        Self {
            action: self.action.shortened(),
            state,
            ..self.clone()
        }
    }

    fn shown(&self, now: Millis) -> Value {
        let (state, at, reason) = match &self.state {
            Stands::Waiting if now < self.until => ("waiting", None, ""),
            Stands::Waiting => ("expired", Some(self.until), ""),
            Stands::Allowed { at } => ("allowed", Some(*at), ""),
            Stands::Denied { at, reason } => ("denied", Some(*at), reason.as_str()),
            Stands::Over { at } => ("over", Some(*at), ""),
        };
        json!({"id": self.id, "user": self.user, "name": self.name, "asked_at": self.asked_at, "expires_at": self.until,
            "action": self.action, "hash": self.hash, "state": state, "at": at, "reason": reason})
    }
}

/// What the second person says, to what they were shown.
#[derive(Deserialize)]
pub(in crate::approvals) struct SecondAnswer {
    user: UserId,
    id: ApprovalId,
    hash: Hash,
    allow: bool,
    #[serde(default)]
    reason: String,
}

impl Approvals {
    /// What others ask, the newest first.
    pub(in crate::approvals) fn asked_of_me(&self) -> Result<Vec<Asked>, VaultError> {
        let names = self.vault.list_records(PREFIX)?;
        let read = |name: String| Some(versioned::decode::<Asked>(&self.vault.get_record(&name).ok()??));
        let mut asked: Vec<_> = names.into_iter().filter_map(read).flatten().collect();
        asked.sort_by_key(|each| std::cmp::Reverse(each.asked_at));
        Ok(asked)
    }

    pub(in crate::approvals) fn shown_asked(&self) -> Result<Vec<Value>, VaultError> {
        let now = self.clock.now();
        Ok(self.asked_of_me()?.iter().map(|asked| asked.shown(now)).collect())
    }

    pub(super) async fn hear_ask(
        &self,
        received: Received,
        id: ApprovalId,
        until: Millis,
        action: Action,
    ) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let records = self.take(&received.from, id, until, action)?;
        let news = !records.is_empty();
        received.ack(records).await?;
        if news {
            self.changed();
        }
        Ok(())
    }

    /// What is to be remembered of it: nothing of a stranger's, nothing that a person could not look through, and not more of one person
    /// than may wait.
    fn take(
        &self,
        from: &PublicIdentity,
        id: ApprovalId,
        until: Millis,
        action: Action,
    ) -> Result<Changes, ApprovalError> {
        let now = self.clock.now();
        let contacts = self.contacts()?.list().map_err(|_| VaultError::Locked)?;
        let Some(contact) = contacts.into_iter().find(|contact| contact.identity == *from) else {
            return Ok(Vec::new());
        };
        let known = self.asked_of_me()?;
        let waiting = || known.iter().filter(|each| each.is_waiting(now));
        let of_them = waiting().filter(|each| each.user == contact.user).count();
        let bytes: usize = waiting().map(|each| each.action.size()).sum();
        let room = of_them < limits::SECOND_ASKED_WAITING && bytes + action.size() <= limits::SECOND_ASKED_BYTES;
        let longest = Millis::try_from(2 * limits::SECOND_LIFE.as_millis()).unwrap_or(Millis::MAX);
        let fits =
            is_of_two(&action) && action.size() <= limits::APPROVAL_BYTES && until > now && until - now <= longest;
        let new = !known.iter().any(|each| each.user == contact.user && each.id == id);
        if !fits || !new || !room {
            return Ok(Vec::new());
        }
        let mut over = known.iter().filter(|each| !each.is_waiting(now));
        let mut records: Vec<_> = over
            .by_ref()
            .take(limits::APPROVALS_KEPT)
            .filter(|each| each.state == Stands::Waiting && each.action != each.action.shortened())
            .map(|each| each.ended(Stands::Over { at: each.until }).put())
            .collect();
        records.extend(over.map(|each| (each.record(), None)));
        let asked = Asked {
            id,
            user: contact.user,
            key: from.signer(),
            asked_at: now,
            until,
            hash: action.hash(),
            action,
            state: Stands::Waiting,
            name: contact.name.clone(),
        };
        let deed = Deed::new(What::ApprovalAsked, contact.name).because("wants you as the second person");
        self.activity.note(deed)?;
        records.push(asked.put());
        Ok(records)
    }

    pub(super) async fn hear_over(
        &self,
        received: Received,
        from: &PublicIdentity,
        id: ApprovalId,
    ) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let of_them = |each: &Asked| each.key == from.signer() && each.id == id && each.is_waiting(now);
        let ended = self.asked_of_me()?.into_iter().find(of_them);
        let record = ended.map(|asked| asked.ended(Stands::Over { at: now }).put());
        received.ack(Vec::from_iter(record)).await?;
        self.changed();
        Ok(())
    }

    /// Takes the second person's answer to what they were shown, signs it, and sends it.
    pub(in crate::approvals) async fn answer_as_second(&self, said: SecondAnswer) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let same = |each: &Asked| each.user == said.user && each.id == said.id;
        let asked = self.asked_of_me()?.into_iter().find(same);
        let asked = asked.ok_or(ApprovalError::Unknown)?;
        if asked.state != Stands::Waiting {
            return Err(ApprovalError::Decided);
        }
        if now >= asked.until {
            return Err(ApprovalError::Expired);
        }
        let hash = asked.action.hash();
        if asked.hash != said.hash || hash != said.hash {
            return Err(ApprovalError::Changed);
        }
        if said.reason.chars().count() > limits::DENY_REASON_CHARS {
            return Err(ApprovalError::Reason);
        }
        let contact = self
            .contacts()?
            .known(asked.user)
            .map_err(|_| ApprovalError::NotCompared)?;
        if contact.identity.signer() != asked.key {
            return Err(ApprovalError::NotCompared);
        }
        let reason = if said.allow { String::new() } else { said.reason };
        let (what, state) = if said.allow {
            (What::ApprovalGiven, Stands::Allowed { at: now })
        } else {
            let reason = reason.clone();
            (What::ApprovalDenied, Stands::Denied { at: now, reason })
        };
        let deed = Deed::new(what, contact.name).because("as the second person");
        self.activity.note_first(deed).await?;
        let identity = self.vault.identity().await?;
        let answer = Said {
            id: asked.id,
            allow: said.allow,
            reason,
        };
        let answer = answer.sign(&identity, asked.key, hash, asked.until);
        let answer = answer.to(&contact.identity, vec![asked.ended(state).put()]);
        self.relay()?.send(answer).await?;
        self.changed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 writes it: today's keeper reads it, and writes the same.
    const WRITTEN: &str = concat!(
        r#"{"id":"0195c000-0000-7000-8000-000000000001","user":"0195c000-0000-7000-8000-000000000002","name":"Bob","#,
        r#""key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","asked_at":1,"until":2,"#,
        r#""action":{"kind":"run_command","command":"ls","folder":"/"},"#,
        r#""hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","state":"denied","at":3,"reason":"no"}"#
    );

    #[test]
    fn a_record_of_the_first_version_is_read_and_one_of_a_newer_is_not() {
        let written = [&[1], WRITTEN.as_bytes()].concat();
        let asked: Asked = versioned::decode(&written).expect("it is read");
        assert_eq!(asked.put().1.as_deref(), Some(written.as_slice()));
        let newer = [&[2], WRITTEN.as_bytes()].concat();
        assert_eq!(versioned::decode::<Asked>(&newer), None);
    }
}
