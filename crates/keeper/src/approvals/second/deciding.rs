//! The side of the second person: what others ask of them, `second/asked/<user>/<id>`, a version byte and JSON; and their answers.

use protocol::{ApprovalId, EnvelopeId, Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::{Hash, PublicIdentity, SignerKey};

use super::is_of_two;
use super::message::Said;
use crate::activity::{Deed, What};
use crate::approvals::{Action, ApprovalError, Approvals};
use crate::contacts::Contact;
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
    /// The public keys of whom it is to be shared with, which are those of the action; empty where it is not shared, or an older version asks.
    #[serde(default, with = "b64", skip_serializing_if = "Vec::is_empty")]
    holder: Vec<u8>,
    /// It is to be shared with this vault's owner themself, or is theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    with_me: bool,
    /// The message with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<EnvelopeId>,
    /// The answer has not reached whoever asked: it is sent again at the next unlock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
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

    /// The answer that was given.
    fn said(&self) -> Option<Said> {
        let (allow, reason) = match &self.state {
            Stands::Allowed { .. } => (true, String::new()),
            Stands::Denied { reason, .. } => (false, reason.clone()),
            Stands::Waiting | Stands::Over { .. } => return None,
        };
        let id = self.id;
        Some(Said { id, allow, reason })
    }

    /// Whom it is to be shared with, or whose it is, by their key: as this vault's owner knows them, else their digits. The name in the action
    /// is the word of whoever asks.
    fn receiver(&self, contacts: &[Contact]) -> Value {
        let Some(key) = self.action.concerns() else {
            return Value::Null;
        };
        let keys = match &self.action {
            Action::CallShared { of: Some(whose), .. } => &whose.keys,
            _ => &self.holder,
        };
        let known = contacts.iter().find(|each| each.identity.signer() == key);
        let digits = known.map(|known| known.identity.fingerprint());
        let digits = digits.or_else(|| Some(PublicIdentity::decode(keys).ok()?.fingerprint()));
        json!({"me": self.with_me, "name": known.map(|known| &known.name), "fingerprint": digits})
    }

    fn shown(&self, contacts: &[Contact], now: Millis) -> Value {
        let (state, at, reason) = match &self.state {
            Stands::Waiting if now < self.until => ("waiting", None, ""),
            Stands::Waiting => ("expired", Some(self.until), ""),
            Stands::Allowed { at } => ("allowed", Some(*at), ""),
            Stands::Denied { at, reason } => ("denied", Some(*at), reason.as_str()),
            Stands::Over { at } => ("over", Some(*at), ""),
        };
        json!({"id": self.id, "user": self.user, "name": self.name, "asked_at": self.asked_at, "expires_at": self.until,
            "action": self.action, "hash": self.hash, "state": state, "at": at, "reason": reason, "receiver": self.receiver(contacts),
            "lost": self.lost})
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
        // Nobody is known where they cannot be looked up: then digits are shown.
        let contacts = self.contacts().ok().and_then(|contacts| contacts.list().ok());
        let contacts = contacts.unwrap_or_default();
        let asked = self.asked_of_me()?;
        Ok(asked.iter().map(|asked| asked.shown(&contacts, now)).collect())
    }

    pub(super) async fn hear_ask(
        &self,
        received: Received,
        id: ApprovalId,
        until: Millis,
        action: Action,
        holder: &[u8],
    ) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let own = self.vault.identity().await?.public().signer();
        let records = self.take(&received.from, own, id, until, action, holder)?;
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
        own: SignerKey,
        id: ApprovalId,
        until: Millis,
        action: Action,
        holder: &[u8],
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
        let concerns = action.concerns();
        let holder = PublicIdentity::decode(holder).ok();
        let holder = holder.filter(|holder| Some(holder.signer()) == concerns);
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
            holder: holder.map(|holder| holder.encode()).unwrap_or_default(),
            with_me: concerns == Some(own),
            sent: None,
            lost: false,
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
        let contact = self.asker(&asked)?;
        let (what, state) = if said.allow {
            (What::ApprovalGiven, Stands::Allowed { at: now })
        } else {
            let reason = said.reason;
            (What::ApprovalDenied, Stands::Denied { at: now, reason })
        };
        let deed = Deed::new(what, contact.name).because("as the second person");
        self.activity.note_first(deed).await?;
        self.send_answer(&asked.ended(state), &contact.identity).await
    }

    /// Who asked, if they have the keys still with which they did.
    fn asker(&self, asked: &Asked) -> Result<Contact, ApprovalError> {
        let contact = self.contacts()?.known(asked.user).ok();
        let same = contact.filter(|contact| contact.identity.signer() == asked.key);
        same.ok_or(ApprovalError::NotCompared)
    }

    /// Signs the answer that this holds and sends it, in one write with this. `one_at_a_time` is held.
    async fn send_answer(&self, asked: &Asked, to: &PublicIdentity) -> Result<(), ApprovalError> {
        let Some(said) = asked.said() else { return Ok(()) };
        let identity = self.vault.identity().await?;
        let answer = said.sign(&identity, asked.key, asked.hash, asked.until);
        let under_way = Asked {
            lost: false,
            ..asked.clone()
        };
        let sent = self.relay()?.send(answer.to(to, vec![under_way.put()])).await?;
        let sent = Some(sent);
        let sent = Asked { sent, ..under_way };
        self.vault.put_records(vec![sent.put()]).await?;
        self.changed();
        Ok(())
    }

    /// The relay has lost a message: if it was an answer, whoever asked does not know of it. `one_at_a_time` is held.
    pub(super) async fn answer_was_lost(&self, id: EnvelopeId) -> Result<(), ApprovalError> {
        let now = self.clock.now();
        let mut asked = self.asked_of_me()?.into_iter();
        let Some(answered) = asked.find(|each| each.sent == Some(id) && now < each.until) else {
            return Ok(());
        };
        let deed = Deed::new(What::SecondLost, answered.name.as_str()).because("an answer");
        self.activity.note(deed)?;
        let lost = Asked {
            sent: None,
            lost: true,
            ..answered
        };
        self.vault.put_records(vec![lost.put()]).await?;
        self.changed();
        Ok(())
    }

    /// Sends again the answers that were lost.
    pub(super) async fn answer_again(&self) {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let Ok(asked) = self.asked_of_me() else { return };
        for lost in asked.iter().filter(|each| each.lost && now < each.until) {
            let again = async { self.send_answer(lost, &self.asker(lost)?.identity).await };
            if let Err(error) = again.await {
                tracing::info!(
                    code = error.code(),
                    "an answer of a second person is not sent again now"
                );
            }
        }
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
