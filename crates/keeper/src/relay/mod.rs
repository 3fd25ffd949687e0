//! Messages between vaults, and revocations, through a relay that is not trusted (`docs/protocol.md`, section 7).
//!
//! What is promised here: a message that was sent is in this vault until the relay keeps it, or until it is told that it is lost;
//! it arrives once, after all that this vault sent to the same receiver before it; and a relay that leaves out, repeats, exchanges or
//! invents is found and named.

mod error;
mod incoming;
mod records;
mod revocations;
mod service;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use protocol::relay::MailboxKey;
use protocol::{CapabilityId, EnvelopeId, Millis};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;
use vault::PublicIdentity;
use zeroize::Zeroizing;

use crate::limits;
pub use error::RelayError;
pub(crate) use records::{REVOKED, after_restore, revoked_record};
pub use service::Relay;

/// What is held here, by who can revoke it.
pub type Held = BTreeMap<MailboxKey, BTreeSet<CapabilityId>>;

/// A record of the vault: its name, and its value or none where it is deleted.
pub type Record = (String, Option<Vec<u8>>);

/// Which part of a keeper a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Topic {
    /// Capabilities, calls and their answers.
    Sharing = 1,
    /// What a second person is asked, and their answers.
    Approvals = 4,
}

impl Topic {
    /// By its number, if this version knows it.
    fn of(number: u8) -> Option<Self> {
        [Self::Sharing, Self::Approvals]
            .into_iter()
            .find(|topic| *topic as u8 == number)
    }
}

/// Something to send.
pub struct Outgoing {
    pub to: PublicIdentity,
    pub topic: Topic,
    /// At most `RELAYED_BYTES` (1 MiB).
    pub content: Zeroizing<Vec<u8>>,
    /// Written to the vault together with the message: both or neither.
    pub with: Vec<Record>,
}

/// Something that arrived. It comes again, at the next connection to the relay, until [`Received::ack`].
pub struct Received {
    /// The sender's, the same each time it comes.
    pub id: EnvelopeId,
    /// Whose key sealed and signed it. Compare it with the contact that it should be.
    pub from: PublicIdentity,
    pub content: Zeroizing<Vec<u8>>,
    /// When the relay says that it took it. A hint.
    pub taken_at: Millis,
    /// Who writes down that it was taken.
    pub taken: mpsc::Sender<Taken>,
}

/// What is to be written down of a message that was taken.
pub struct Taken {
    pub id: EnvelopeId,
    pub with: Vec<Record>,
    /// Said before it is written: who has given up waiting goes on as if it were not, so then it is not.
    pub begins: oneshot::Sender<()>,
    pub done: oneshot::Sender<Result<(), RelayError>>,
}

impl Received {
    /// It was dealt with, and does not come again. `with` is written to the vault in the same write: so what the message did is
    /// done once, whatever stops in between.
    ///
    /// # Errors
    /// [`RelayError::Vault`]: nothing was written, and it comes again. [`RelayError::Unreachable`]: the connection to the relay does not get
    /// on; nothing was written, nor will be. Whoever holds something meanwhile does not hold it for as long as a relay likes.
    pub async fn ack(self, with: Vec<Record>) -> Result<(), RelayError> {
        let ((begins, mut begun), (done, answer)) = (oneshot::channel(), oneshot::channel());
        let id = self.id;
        let taken = Taken { id, with, begins, done };
        let taking = async {
            self.taken.send(taken).await.map_err(|_| RelayError::Ended)?;
            (&mut begun).await.map_err(|_| RelayError::Ended)
        };
        let in_time = timeout(limits::RELAY_ANSWER, taking).await;
        begun.close();
        match in_time {
            Ok(taken) => taken?,
            // It may have begun in this very moment.
            Err(_) => begun.try_recv().map_err(|_| RelayError::Unreachable)?,
        }
        answer.await.map_err(|_| RelayError::Ended)?
    }
}

/// A message of this vault's that did not reach somebody, and which was not seen to yet.
pub(crate) struct Lost {
    /// Deleted by whoever sees to it, in the write that does so.
    pub record: String,
    pub to: MailboxKey,
    /// None where it came back from the relay: nothing is kept here of what was taken there.
    pub topic: Option<u8>,
    pub code: protocol::relay::Refusal,
}

/// What there is to know beside messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayNotice {
    /// Something of ours is kept by the relay.
    Accepted { id: EnvelopeId },
    /// Something of ours was not taken, or was never fetched: it is lost, and will not be sent again. Whoever must not miss it reads what is
    /// written down of it.
    Lost {
        id: EnvelopeId,
        to: MailboxKey,
        code: protocol::relay::Refusal,
        message: String,
    },
    /// The relay lies, or lost something: what only a relay can make, in words that name it.
    Wrong { about: MailboxKey, what: String },
    /// Something does not fit, in words that name it. It may be the relay's doing, or that of whoever is at the other end, or come of a restore
    /// or of another relay.
    Odd { about: MailboxKey, what: String },
    /// The relay keeps no more of this vault's revocations for now: what is revoked is refused here, and others hear of it later.
    NotTold,
    /// An issuer that is followed has revoked these; or this vault had, and had forgotten it. With none of them, all that they have revoked is
    /// known again.
    Revoked {
        issuer: MailboxKey,
        capabilities: Vec<CapabilityId>,
    },
    /// An issuer's revocations cannot be believed any more: some were kept back, or exchanged. Every check of it says no.
    IssuerUnknown { issuer: MailboxKey },
}

/// Sends and receives. The way that the rest of the keeper sees it.
pub trait Courier: Send + Sync + 'static {
    /// Takes a message: when this returns it is in the vault, and goes out as soon as the relay is reached.
    fn send(&self, message: Outgoing) -> BoxFuture<'_, Result<EnvelopeId, RelayError>>;
    /// What arrives for a topic. Called once for each; what comes before it waits at the relay, and what comes for a topic
    /// that this version does not know is let go.
    fn receive(&self, topic: Topic) -> mpsc::Receiver<Received>;
    /// What else happens.
    fn notices(&self) -> broadcast::Receiver<RelayNotice>;
}

/// How a capability stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is on the issuer's list.
    Revoked,
    /// It is on no list that was signed up to then.
    NotRevoked {
        /// When the issuer signed the newest of them, by the issuer's clock.
        as_of: Millis,
    },
}

/// Publishes what this vault revokes, and knows what others have revoked.
pub trait Revocations: Send + Sync + 'static {
    /// Revokes capabilities that this vault has issued: durable in this vault when it returns, in one write with `with`, and sent to the
    /// relay at once and until it is there. With none, says that nothing was revoked up to now. A vault that was restored, and has not heard
    /// yet what its relay has of it, signs it then.
    fn publish(&self, revoked: Vec<CapabilityId>, with: Vec<Record>) -> BoxFuture<'_, Result<(), RelayError>>;
    /// How somebody else's capability stands, which is held here: what this vault has seen revoked is revoked; else the relay is asked.
    ///
    /// # Errors
    /// The relay cannot be reached, lies, or has less than what was seen before: it cannot be checked, so the answer is no.
    fn check(&self, issuer: MailboxKey, capability: CapabilityId) -> BoxFuture<'_, Result<Standing, RelayError>>;
    /// Whether this vault has seen that it was revoked, by what its issuer has signed; or knows that it has not seen all that they have signed,
    /// and then everything of theirs counts as revoked. Asks nobody.
    ///
    /// # Errors
    /// [`RelayError::Vault`], [`RelayError::Unreadable`]: it is not known, so it counts as revoked.
    fn has_seen_revoked(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<bool, RelayError>;
    /// Whether this vault has seen that it was revoked, by what its issuer has signed: that stays so, unlike a doubt. Asks nobody.
    ///
    /// # Errors
    /// [`RelayError::Vault`], [`RelayError::Unreadable`].
    fn is_revoked_for_good(&self, issuer: MailboxKey, capability: CapabilityId) -> Result<bool, RelayError>;
    /// Has the revocations of these issuers pushed and of nobody else, from now on and after a restart: [`RelayNotice::Revoked`].
    ///
    /// # Errors
    /// [`RelayError::TooManyIssuers`]: those for whom there is no room are not followed. [`RelayError::Vault`].
    fn follow(&self, held: Held) -> BoxFuture<'_, Result<(), RelayError>>;
}

#[cfg(test)]
pub(crate) mod tests;
