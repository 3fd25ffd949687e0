//! One secret, and how it is written in the vault.

use std::borrow::Cow;

use protocol::{Millis, SecretId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::SecretError;
use crate::limits;

/// First byte of a stored secret.
const VERSION: u8 = 1;

/// What kind of thing it is: decides what the page shows and how it is injected unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    ApiKey,
    OauthToken,
    /// A user name and a password.
    Login,
    Text,
}

/// What the owner lets the agent do with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentMay {
    /// Nothing: it is only kept.
    Nothing,
    /// Have the keeper put it into a request, without seeing it.
    Use,
    /// Be told its value.
    See,
}

/// A secret. Has no `Debug`.
#[derive(Clone)]
pub struct Secret {
    pub id: SecretId,
    pub name: String,
    pub kind: SecretKind,
    pub agent: AgentMay,
    pub username: String,
    pub url: String,
    pub value: SecretString,
    pub changed: Millis,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    name: Cow<'a, str>,
    kind: SecretKind,
    agent: AgentMay,
    username: Cow<'a, str>,
    url: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    changed: Millis,
}

impl Secret {
    /// The record that holds the secret of this id.
    pub fn record(id: SecretId) -> String {
        format!("secret/{id}")
    }

    /// Whether it can be stored.
    pub fn check(&self) -> Result<(), SecretError> {
        let value = self.value.expose_secret().len();
        if self.name.trim().is_empty() {
            Err(SecretError::NoName)
        } else if self.name.len() > limits::SECRET_NAME_BYTES {
            Err(SecretError::NameTooLong)
        } else if self.username.len().max(self.url.len()) > limits::SECRET_FIELD_BYTES {
            Err(SecretError::FieldTooLong)
        } else if value == 0 {
            Err(SecretError::NoValue)
        } else if value > limits::SECRET_VALUE_BYTES {
            Err(SecretError::ValueTooLong)
        } else {
            Ok(())
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let value = self.value.expose_secret();
        let stored = Stored {
            name: Cow::Borrowed(&self.name),
            kind: self.kind,
            agent: self.agent,
            username: Cow::Borrowed(&self.username),
            url: Cow::Borrowed(&self.url),
            value: Cow::Borrowed(value),
            changed: self.changed,
        };
        // A byte of text is at most six of JSON: growing would leave copies behind.
        let room = 6 * (self.name.len() + self.username.len() + self.url.len() + value.len()) + 200;
        let mut bytes = Vec::with_capacity(room);
        bytes.push(VERSION);
        serde_json::to_writer(&mut bytes, &stored).expect("a struct of text serialises");
        bytes
    }

    pub fn decode(id: SecretId, bytes: &Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
        let Some((&VERSION, json)) = bytes.split_first() else {
            return Err(SecretError::Newer);
        };
        let stored: Stored<'_> = serde_json::from_slice(json).map_err(|_| SecretError::Newer)?;
        Ok(Self {
            id,
            name: stored.name.into_owned(),
            kind: stored.kind,
            agent: stored.agent,
            username: stored.username.into_owned(),
            url: stored.url.into_owned(),
            value: SecretString::from(stored.value.into_owned()),
            changed: stored.changed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it.
    const FIXTURE: &[u8] = b"\x01{\"name\":\"GitHub\",\"kind\":\"api_key\",\"agent\":\"use\",\"username\":\"\",\"url\":\"https://github.com\",\"value\":\"ghp \\\"x\\\"\",\"changed\":7}";

    #[test]
    fn a_stored_secret_of_the_first_version_is_read_and_written_the_same() {
        let id = SecretId::new();
        let secret = Secret::decode(id, &Zeroizing::new(FIXTURE.to_vec())).ok().unwrap();
        assert_eq!(
            (secret.name.as_str(), secret.kind, secret.agent),
            ("GitHub", SecretKind::ApiKey, AgentMay::Use)
        );
        assert_eq!((secret.value.expose_secret(), secret.changed), ("ghp \"x\"", 7));
        assert_eq!(secret.encode(), FIXTURE);
    }

    #[test]
    fn what_a_newer_version_wrote_is_not_guessed_at() {
        for bytes in [b"".to_vec(), b"\x02{}".to_vec(), b"\x01{}".to_vec()] {
            assert!(matches!(
                Secret::decode(SecretId::new(), &Zeroizing::new(bytes)),
                Err(SecretError::Newer)
            ));
        }
    }
}
