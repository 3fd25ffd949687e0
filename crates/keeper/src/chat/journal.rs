//! What the keeper itself remembers of conversations, as sealed records in the vault: accepted turns until the home that
//! holds them is sealed, turns that never came to be in the home, and what OpenClaw cannot hold (titles, deletions).

use std::collections::VecDeque;

use protocol::Millis;
use protocol::channel::ChannelError;
use protocol::chat::{Part, Status};
use protocol::functions::Offer;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::{KEYS_REMEMBERED, KEYS_REMEMBERED_LONG};
use crate::vault_service::{VaultError, VaultService};

/// The version of each of these records.
const VERSION: u8 = 1;
const CONVERSATIONS: &str = "chat/conversation/";
const TURNS: &str = "chat/turn/";
const KEYS: &str = "chat/keys";

/// What a turn does to the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    Send,
    /// Takes the place of this user's message and of everything after it.
    Replace {
        message: String,
    },
}

/// How far a turn has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Accepted; the agent has not been given it.
    Waiting,
    /// The agent may have been given it.
    Sent,
    /// It ended without being whole in the agent's transcript.
    Ended {
        status: Status,
        error: Option<ChannelError>,
        parts: Vec<Part>,
    },
}

/// One accepted turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TurnRecord {
    version: u8,
    pub key: String,
    pub at: Millis,
    /// The turn before it: times alone do not order it, as OpenClaw takes its own when a turn begins.
    pub after: Option<String>,
    pub text: String,
    pub act: Act,
    pub stage: Stage,
    /// What the client offers the agent for this turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Offer>,
}

impl TurnRecord {
    pub(super) fn new(key: String, at: Millis, after: Option<String>, text: String, act: Act, stage: Stage) -> Self {
        Self {
            version: VERSION,
            key,
            at,
            after,
            text,
            act,
            stage,
            functions: None,
        }
    }
}

/// A turn that was completed, so that its key is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DoneKey {
    pub key: String,
    pub at: Millis,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConversationRecord {
    version: u8,
    pub id: String,
    pub title: String,
    /// The title was given by a person.
    pub named: bool,
    pub created: Millis,
    pub updated: Millis,
    pub answered: Millis,
    pub read: Millis,
    /// To be removed from the home as soon as the agent answers.
    pub deleted: bool,
    pub done: Vec<DoneKey>,
}

impl ConversationRecord {
    pub(super) fn new(id: String, now: Millis) -> Self {
        Self {
            version: VERSION,
            id,
            title: String::new(),
            named: false,
            created: now,
            updated: now,
            answered: 0,
            read: 0,
            deleted: false,
            done: Vec::new(),
        }
    }

    /// Remembers the key of a completed turn; the oldest makes way, and is for [`Keys`] to remember.
    pub(super) fn complete(&mut self, key: &str, at: Millis) -> Option<DoneKey> {
        if self.done.iter().any(|done| done.key == key) {
            return None;
        }
        let oldest = (self.done.len() >= KEYS_REMEMBERED).then(|| self.done.remove(0));
        self.done.push(DoneKey {
            key: key.to_owned(),
            at,
        });
        oldest
    }
}

/// Completed turns of all conversations whose keys these do not list any more, oldest first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Keys(VecDeque<(u64, Millis)>);

impl Keys {
    /// When the turn with this key was accepted.
    pub(super) fn find(&self, conversation: &str, key: &str) -> Option<Millis> {
        let digest = Self::digest(conversation, key);
        self.0.iter().find(|(known, _)| *known == digest).map(|(_, at)| *at)
    }

    /// Remembers one more; beyond [`KEYS_REMEMBERED_LONG`] the oldest is forgotten.
    pub(super) fn remember(&mut self, conversation: &str, done: &DoneKey) {
        self.0.push_back((Self::digest(conversation, &done.key), done.at));
        while self.0.len() > KEYS_REMEMBERED_LONG {
            self.0.pop_front();
        }
    }

    fn digest(conversation: &str, key: &str) -> u64 {
        let digest = Sha256::digest(format!("{conversation}/{key}"));
        digest[..8]
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    fn encode(&self) -> Vec<u8> {
        let each = self
            .0
            .iter()
            .flat_map(|(digest, at)| [digest.to_be_bytes(), at.to_be_bytes()]);
        std::iter::once(VERSION).chain(each.flatten()).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (numbers, []) = rest.as_chunks::<8>() else {
            return None;
        };
        let (each, []) = numbers.as_chunks::<2>() else {
            return None;
        };
        let known = each
            .iter()
            .map(|[digest, at]| (u64::from_be_bytes(*digest), Millis::from_be_bytes(*at)));
        (*version == VERSION).then(|| Self(known.collect()))
    }
}

/// Changes that become durable together.
#[derive(Default)]
pub(super) struct Changes(Vec<(String, Option<Vec<u8>>)>);

impl Changes {
    pub(super) fn put_turn(&mut self, conversation: &str, turn: &TurnRecord) -> &mut Self {
        self.put(turn_name(conversation, &turn.key), turn)
    }

    pub(super) fn delete_turn(&mut self, conversation: &str, key: &str) -> &mut Self {
        self.0.push((turn_name(conversation, key), None));
        self
    }

    pub(super) fn put_conversation(&mut self, record: &ConversationRecord) -> &mut Self {
        self.put(format!("{CONVERSATIONS}{}", record.id), record)
    }

    pub(super) fn put_keys(&mut self, keys: &Keys) -> &mut Self {
        self.0.push((KEYS.to_owned(), Some(keys.encode())));
        self
    }

    pub(super) fn delete_conversation(&mut self, id: &str) -> &mut Self {
        self.0.push((format!("{CONVERSATIONS}{id}"), None));
        self
    }

    fn put(&mut self, name: String, record: &impl Serialize) -> &mut Self {
        // These records hold strings and numbers alone, which are always JSON.
        let json = serde_json::to_vec(record).unwrap_or_default();
        self.0.push((name, Some(json)));
        self
    }
}

/// The records, through the vault.
#[derive(Clone)]
pub(super) struct Journal {
    vault: VaultService,
}

impl Journal {
    pub(super) fn new(vault: VaultService) -> Self {
        Self { vault }
    }

    /// Durable when it returns.
    pub(super) async fn write(&self, changes: &mut Changes) -> Result<(), VaultError> {
        self.vault.put_records(std::mem::take(&mut changes.0)).await
    }

    /// All conversations with their turns, oldest turn first.
    pub(super) fn load(&self) -> Result<Vec<(ConversationRecord, Vec<TurnRecord>)>, ChannelError> {
        let mut all = Vec::new();
        for name in self.vault.list_records(CONVERSATIONS)? {
            let record: ConversationRecord = self.read(&name)?;
            let mut turns = Vec::new();
            for name in self.vault.list_records(&turn_name(&record.id, ""))? {
                turns.push(self.read::<TurnRecord>(&name)?);
            }
            turns.sort_by_key(|turn| turn.at);
            all.push((record, turns));
        }
        Ok(all)
    }

    /// What is remembered of turns that were completed long ago.
    pub(super) fn keys(&self) -> Result<Keys, ChannelError> {
        match self.vault.get_record(KEYS)? {
            None => Ok(Keys::default()),
            Some(bytes) => Keys::decode(&bytes).ok_or_else(unreadable),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ChannelError> {
        let bytes = self.vault.get_record(name)?.ok_or_else(unreadable)?;
        let version = serde_json::from_slice::<Versioned>(&bytes)
            .map_err(|_| unreadable())?
            .version;
        if version != VERSION {
            return Err(unreadable());
        }
        serde_json::from_slice(&bytes).map_err(|_| unreadable())
    }
}

fn unreadable() -> ChannelError {
    let message = "A conversation's record in the vault was written by a newer keeper: update the platform.";
    ChannelError::new("journal_unreadable", message)
}

#[derive(Deserialize)]
struct Versioned {
    version: u8,
}

fn turn_name(conversation: &str, key: &str) -> String {
    format!("{TURNS}{conversation}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote them. A line that is changed here is a format that released keepers do not read.
    const CONVERSATION: &str = r#"{"version":1,"id":"one","title":"Tides","named":true,"created":1,"updated":4,"answered":3,"read":2,"deleted":false,"done":[{"key":"a","at":1}]}"#;
    const TURNS: [&str; 3] = [
        r#"{"version":1,"key":"b","at":2,"after":"a","text":"When?","act":"send","stage":"waiting"}"#,
        r#"{"version":1,"key":"c","at":3,"after":null,"text":"And now?","act":{"replace":{"message":"m"}},"stage":"sent"}"#,
        r#"{"version":1,"key":"d","at":4,"after":"c","text":"So?","act":"send","stage":{"ended":{"status":"failed","error":{"code":"agent","message":"It stopped."},"parts":[{"type":"text","text":"At"}]}}}"#,
    ];

    #[test]
    fn records_of_the_first_version_are_read_and_written_as_they_were() {
        let read: ConversationRecord = serde_json::from_str(CONVERSATION).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), CONVERSATION);
        for turn in TURNS {
            let read: TurnRecord = serde_json::from_str(turn).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), turn);
        }
        assert_eq!(VERSION, 1, "a new version gets fixtures of its own, beside these");
    }

    #[test]
    fn keys_of_long_ago_are_read_and_written_as_they_were_and_the_oldest_is_forgotten() {
        let record = b"\x01\x8e\xa0\xfc\x05\xdf\x82\x3a\xa2\0\0\0\0\0\0\0\x01";
        let mut keys = Keys::decode(record).unwrap();
        assert_eq!((keys.find("one", "a"), keys.find("two", "a")), (Some(1), None));
        assert_eq!(keys.encode(), record);
        assert_eq!(Keys::decode(&record[..16]), None);
        assert_eq!(Keys::decode(&[2]), None);
        for at in 2..=Millis::try_from(KEYS_REMEMBERED_LONG).unwrap() {
            let key = format!("k{at}");
            keys.remember("one", &DoneKey { key, at });
        }
        assert_eq!(keys.find("one", "a"), Some(1));
        let key = "last".to_owned();
        keys.remember("one", &DoneKey { key, at: 9 });
        assert_eq!((keys.find("one", "a"), keys.find("one", "last")), (None, Some(9)));
        assert_eq!(Keys::decode(&keys.encode()).unwrap(), keys);
    }
}
