//! Between keepers and the relay (`docs/protocol.md`, section 7): who a mailbox is of, the handshake, and the text messages;
//! binary frames are in [`frame`], revocations in [`epoch`]. And what a relay tells the platform, in [`news`].

pub mod epoch;
pub mod frame;
pub mod news;

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{EnvelopeId, Millis, b64};

/// The version of the connection to the relay.
pub const VERSION: u32 = 1;
/// What a keeper signs to show that a mailbox is its own: relay (32) `||` challenge (32).
pub const PROOF_PURPOSE: &str = "relay/proof";
/// Where a cell's socket, and the relay itself, take connections.
pub const PATH: &str = "/relay";

/// Whose a mailbox is: an identity's Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxKey(pub [u8; 32]);

impl fmt::Display for MailboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64::encode(self.0))
    }
}

impl fmt::Debug for MailboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not 32 bytes of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 bytes in base64url without padding")]
pub struct NotAKey;

impl FromStr for MailboxKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = b64::decode(text).map_err(|_| NotAKey)?;
        bytes.try_into().map(Self).map_err(|_| NotAKey)
    }
}

impl Serialize for MailboxKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MailboxKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl MailboxKey {
    /// Whether this key signed `message` for `purpose` (`docs/protocol.md`, section 1.5); checked strictly.
    pub fn signed(&self, purpose: &str, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(&for_purpose(purpose, message), &Signature::from_bytes(signature))
                .is_ok()
        })
    }
}

/// What an identity signs when it signs `message` for a purpose: no two purposes share a signature.
pub fn for_purpose(purpose: &str, message: &[u8]) -> Vec<u8> {
    [b"holdfast/signed/v1/", purpose.as_bytes(), &[0], message].concat()
}

/// What the proof of a mailbox is over.
pub fn proof_message(relay: &[u8; 32], challenge: &[u8; 32]) -> [u8; 64] {
    let mut message = [0; 64];
    message[..32].copy_from_slice(relay);
    message[32..].copy_from_slice(challenge);
    message
}

/// Text messages of a keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromMailbox {
    /// The answer to the challenge: the first message.
    Prove {
        version: u32,
        key: MailboxKey,
        #[serde(with = "b64")]
        signature: Vec<u8>,
    },
    /// One more of this mailbox's own epochs of revocations ([`epoch::SignedEpoch::encode`]).
    Publish {
        #[serde(with = "b64")]
        epoch: Vec<u8>,
    },
    /// Send me what these issuers have revoked after those numbers, now and whenever there is more.
    Follow {
        issuers: Vec<Following>,
    },
    Unfollow {
        issuer: MailboxKey,
    },
    /// Is this one revoked?
    Check {
        request: u64,
        issuer: MailboxKey,
        capability: crate::CapabilityId,
    },
}

/// An issuer, and how far its epochs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    pub issuer: MailboxKey,
    /// The number of the last epoch that is known; 0 for none.
    pub after: u64,
}

/// Text messages of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromRelay {
    /// First message: who this relay says it is, and what to sign.
    Challenge {
        version: u32,
        #[serde(with = "b64")]
        relay: Vec<u8>,
        #[serde(with = "b64")]
        challenge: Vec<u8>,
    },
    /// The proof was right.
    Welcome {
        /// Envelopes that wait.
        waiting: u64,
        /// The number of this mailbox's last epoch of revocations that the relay has; 0 for none.
        epoch: u64,
    },
    /// An envelope was not taken.
    Refused {
        id: EnvelopeId,
        code: Refusal,
        message: String,
    },
    /// The epoch is kept, durably, and goes to those who follow.
    Published { number: u64 },
    /// The epoch is not the next one, or is not signed by this mailbox's key.
    NotPublished {
        number: u64,
        code: Refusal,
        message: String,
    },
    /// An epoch of an issuer that is followed ([`epoch::SignedEpoch::encode`]).
    Epoch {
        #[serde(with = "b64")]
        epoch: Vec<u8>,
    },
    /// How a capability stands, as far as this relay knows.
    Checked {
        request: u64,
        revoked: bool,
        /// The number of the issuer's last epoch that the relay has; 0 for none.
        epoch: u64,
        /// When the issuer signed that, milliseconds since the Unix epoch; 0 for none.
        at: Millis,
    },
    /// It cannot be looked up now: the answer is no.
    NotChecked { request: u64, code: Refusal },
    /// The connection ends: what was wrong.
    Error { code: Refusal, message: String },
}

/// Why the relay does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No keeper has ever shown that it has this key.
    NoSuchMailbox,
    /// So much waits for this receiver that no more is taken.
    MailboxFull,
    /// So much of this sender waits for this receiver that no more of it is taken.
    TooManyOfYours,
    /// Not of one of the sizes that envelopes have.
    Size,
    /// The database does not answer: nothing was taken, try again.
    Unavailable,
    /// Not the next epoch, or not signed by its issuer, or malformed.
    BadEpoch,
    /// The proof is wrong, or of another relay or connection.
    BadProof,
    /// A message that is not understood.
    Malformed,
    /// Too many mailboxes, or too many issuers followed.
    LimitReached,
    /// This mailbox was connected again: that connection counts.
    Replaced,
    /// Waited for longer than anything may, and was not fetched.
    Expired,
}
