//! What two keepers say to each other about a request: `0x01 || JSON`, sealed for the other one, of the relay's topic 4.

use protocol::{ApprovalId, Millis, b64};
use serde::{Deserialize, Serialize};
use vault::{Hash, Identity, PublicIdentity, SignerKey};
use zeroize::Zeroizing;

use crate::approvals::Action;
use crate::relay::{Outgoing, Record, Topic};
use crate::versioned;

const PURPOSE: &str = "second-person/v1";

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Message {
    /// From whoever has allowed it: do you, too?
    Ask {
        id: ApprovalId,
        until: Millis,
        action: Box<Action>,
        /// Whom it is to be shared with, where it is: their public keys, whose digits are what two people compare.
        #[serde(default, with = "b64", skip_serializing_if = "Vec::is_empty")]
        holder: Vec<u8>,
    },
    /// The answer.
    Answer {
        #[serde(flatten)]
        answer: Said,
        #[serde(with = "b64")]
        signature: Vec<u8>,
    },
    /// There is nothing to answer any more.
    Over { id: ApprovalId },
}

/// What a second person says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub id: ApprovalId,
    pub allow: bool,
    /// Why not; empty otherwise.
    pub reason: String,
}

/// What is signed, in its canonical writing: an answer is good for whoever asked, what they asked, and until then.
#[derive(Serialize)]
struct Signed<'a> {
    asker: SignerKey,
    hash: Hash,
    until: Millis,
    #[serde(flatten)]
    answer: &'a Said,
}

fn signed(asker: SignerKey, hash: Hash, until: Millis, answer: &Said) -> Vec<u8> {
    let signed = Signed {
        asker,
        hash,
        until,
        answer,
    };
    serde_json_canonicalizer::to_vec(&signed).expect("a struct of text and numbers serialises")
}

impl Said {
    /// Signs it for whoever asked.
    pub fn sign(self, by: &Identity, asker: SignerKey, hash: Hash, until: Millis) -> Message {
        let signature = by.sign_for(PURPOSE, &signed(asker, hash, until, &self)).to_vec();
        Message::Answer {
            answer: self,
            signature,
        }
    }

    /// Whether they said it of this request.
    pub fn is_of(&self, by: &PublicIdentity, signature: &[u8], asker: SignerKey, hash: Hash, until: Millis) -> bool {
        let Ok(signature) = signature.try_into() else {
            return false;
        };
        by.signed_for(PURPOSE, &signed(asker, hash, until, self), signature)
    }
}

impl Message {
    /// On its way to somebody, together with what is to be remembered of it.
    pub fn to(&self, receiver: &PublicIdentity, with: Vec<Record>) -> Outgoing {
        Outgoing {
            to: receiver.clone(),
            topic: Topic::Approvals,
            content: Zeroizing::new(versioned::encode(self)),
            with,
        }
    }

    /// None for one of another version.
    pub fn decode(content: &[u8]) -> Option<Self> {
        versioned::decode(content)
    }
}
