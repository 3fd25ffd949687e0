//! What two keepers say to each other about what is shared: `0x01 || JSON`, sealed for the other one, of the relay's topic 1
//! (`docs/protocol.md`, section 7.5).

use protocol::{Millis, b64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Capability, PublicIdentity};
use zeroize::Zeroizing;

use super::group::{GroupOffer, is_first};
use super::present::Answered;
use crate::relay::{Outgoing, Record, Topic};
use crate::versioned::encode;

/// What a holder asks for, with what allows it.
#[derive(Serialize, Deserialize)]
pub(super) struct Call {
    pub id: Uuid,
    /// Nobody waits for it from then on.
    pub until: Millis,
    #[serde(with = "b64")]
    pub presentation: Vec<u8>,
}

/// One of them.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Message {
    /// From its issuer: this is yours to use.
    Offer {
        capability: Box<Capability>,
        /// What it is of a group's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Box<GroupOffer>>,
    },
    /// From its holder: it is kept.
    Kept {
        id: Uuid,
        /// Of the newest words of it that are kept.
        #[serde(default, skip_serializing_if = "is_first")]
        revision: u64,
    },
    /// From a holder: carry this out, or do not begin it after its time.
    Use(Call),
    /// From a holder who manages it: do this to who else may use it, or do not begin it after its time.
    Manage(Call),
    /// What came of it.
    Answered { id: Uuid, answer: Answered },
    /// Why nothing came of it.
    Refused { id: Uuid, code: String, message: String },
    /// From a holder: what is shared with them is yours to use, too.
    PassOn {
        /// The last one is the receiver's.
        chain: Vec<Capability>,
        /// The public keys of whoever issued the first: it is used through their keeper.
        #[serde(with = "b64")]
        owner: Vec<u8>,
    },
    /// From a holder, to whoever issued the first: it was passed on.
    PassedOn {
        chain: Vec<Capability>,
        /// The public keys of who holds the last one.
        #[serde(with = "b64")]
        to: Vec<u8>,
    },
    /// From its issuer: what this says, in case nobody answers for it. A holder's keeper that has a higher number of it keeps that.
    Copy {
        id: Uuid,
        number: u64,
        /// When the service was asked.
        at: Millis,
        answer: Answered,
    },
    /// From its holder: the copy of this number is kept.
    CopyKept { id: Uuid, number: u64 },
    /// From anybody: please share something with me.
    Ask { id: Uuid, words: String },
}

impl Message {
    /// On its way to somebody, together with what is to be remembered of it.
    pub fn to(&self, receiver: &PublicIdentity, with: Vec<Record>) -> Outgoing {
        Outgoing {
            to: receiver.clone(),
            topic: Topic::Sharing,
            content: Zeroizing::new(encode(self)),
            with,
        }
    }
}
