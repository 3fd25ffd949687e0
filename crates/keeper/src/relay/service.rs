//! The relay as the rest of the keeper uses it: a message is in the vault before anything is sent, and a connection to the relay is
//! kept while the vault is open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use protocol::EnvelopeId;
use protocol::channel::VaultState;
use protocol::limits::{ENVELOPE_CLASSES, RELAY_WINDOW, RELAYED_BYTES};
use protocol::relay::MailboxKey;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::records::{self, Issuer, Out, To};
use super::session::Ended;
use super::{Courier, Lost, Outgoing, Received, RelayError, RelayNotice, Topic, session};
use crate::clock::Clock;
use crate::limits::{ATTACH_BACKOFF_FIRST, OUTBOX_BYTES, RELAY_BACKOFF_LONGEST};
use crate::platform::Platform;
use crate::vault_service::{VaultService, unpoisoned};

/// Notices that a slow listener may lag behind.
const NOTICES: usize = 256;
const PART_BYTES: usize = ENVELOPE_CLASSES[ENVELOPE_CLASSES.len() - 1];

/// This vault's way to others. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub vault: VaultService,
    pub platform: Platform,
    pub clock: Arc<dyn Clock>,
    pub notices: broadcast::Sender<RelayNotice>,
    /// There is something to send, or to publish.
    pub changed: Notify,
    topics: Mutex<HashMap<Topic, mpsc::Sender<Received>>>,
    asked: Mutex<Option<mpsc::UnboundedSender<Asked>>>,
    /// One at a time changes what is to be sent, or what is revoked.
    pub writing: tokio::sync::Mutex<()>,
    /// One at a time changes what is known of issuers. Of those who are read again it is here before it is in the vault, which is not written
    /// for each epoch of which nothing is held.
    pub issuers: tokio::sync::Mutex<HashMap<MailboxKey, Issuer>>,
    /// Counts the epochs of others that were taken, or found wrong.
    pub epochs: watch::Sender<u64>,
}

/// What is asked of the connection of this moment.
pub(super) enum Asked {
    Check {
        issuer: MailboxKey,
        capability: protocol::CapabilityId,
        answer: oneshot::Sender<Result<Answered, RelayError>>,
    },
    Follow(MailboxKey),
    Unfollow(MailboxKey),
}

/// What the relay says of a capability.
pub(super) struct Answered {
    pub revoked: bool,
    pub epoch: u64,
}

impl Shared {
    /// Who receives a topic.
    pub fn topic(&self, topic: Topic) -> Option<mpsc::Sender<Received>> {
        unpoisoned(&self.topics).get(&topic).cloned()
    }

    pub fn notice(&self, notice: RelayNotice) {
        match &notice {
            RelayNotice::Wrong { about, what } => tracing::warn!(%about, "the relay: {what}"),
            RelayNotice::Odd { about, what } => tracing::warn!(%about, "through the relay: {what}"),
            _ => {}
        }
        let _nobody_listens = self.notices.send(notice);
    }

    /// Asks the connection, if there is one.
    pub fn ask(&self, asked: Asked) -> Result<(), RelayError> {
        let sender = unpoisoned(&self.asked);
        let sender = sender.as_ref().ok_or(RelayError::Unreachable)?;
        sender.send(asked).map_err(|_| RelayError::Unreachable)
    }

    pub fn answer_with(&self, sender: Option<mpsc::UnboundedSender<Asked>>) {
        *unpoisoned(&self.asked) = sender;
    }
}

impl Relay {
    /// Over this platform's socket. Nothing is connected until [`Self::run`].
    pub fn new(vault: VaultService, platform: Platform, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            vault,
            platform,
            clock,
            notices: broadcast::Sender::new(NOTICES),
            changed: Notify::new(),
            topics: Mutex::default(),
            asked: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            issuers: tokio::sync::Mutex::default(),
            epochs: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Connects whenever the vault is open, for ever.
    pub async fn run(&self) -> std::convert::Infallible {
        let mut state = self.shared.vault.watch();
        let mut pause = ATTACH_BACKOFF_FIRST;
        let mut told = String::new();
        loop {
            if state.wait_for(|state| *state == VaultState::Unlocked).await.is_err() {
                // The vault is gone; whoever runs this ends, too.
                std::future::pending::<()>().await;
            }
            let mut welcomed = false;
            let ended = session::run(&self.shared, &mut welcomed).await;
            let why = ended.to_string();
            self.shared.answer_with(None);
            // One that takes connections and nothing else is not asked without a rest.
            if welcomed && !matches!(ended, Ended::Silent | Ended::Refused(_)) {
                pause = ATTACH_BACKOFF_FIRST;
            }
            if *state.borrow_and_update() == VaultState::Unlocked {
                if welcomed || why != told {
                    tracing::info!("relay: {why}");
                    told = why;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RELAY_BACKOFF_LONGEST);
            }
        }
    }

    /// What was lost and not seen to yet. It is written down in one write with the loss: a notice that nobody heard loses nothing.
    ///
    /// # Errors
    /// [`RelayError::Vault`].
    pub(crate) fn lost(&self) -> Result<Vec<Lost>, RelayError> {
        records::lost(&self.shared.vault)
    }

    async fn take(&self, message: Outgoing) -> Result<EnvelopeId, RelayError> {
        if message.content.len() > RELAYED_BYTES {
            return Err(RelayError::TooLarge);
        }
        let shared = &self.shared;
        let vault = &shared.vault;
        let _one_at_a_time = shared.writing.lock().await;
        let waiting: usize = vault
            .list_records(records::OUT)?
            .iter()
            .filter_map(|name| vault.get_record(name).ok()?)
            .map(|record| record.len())
            .sum();
        if waiting + message.content.len() > OUTBOX_BYTES {
            return Err(RelayError::OutboxFull);
        }
        let to = MailboxKey(message.to.signing_key());
        let mut with = message.with;
        if records::to(vault, &to)?.is_none() {
            with.push(records::put_to(&to, &To::new(&message.to, shared.clock.now())));
        }
        let mut parts: Vec<&[u8]> = message.content.chunks(PART_BYTES).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let ids: Vec<EnvelopeId> = parts.iter().map(|_| EnvelopeId::new()).collect();
        let last = *ids.last().ok_or(RelayError::TooLarge)?;
        let count = u16::try_from(parts.len()).map_err(|_| RelayError::TooLarge)?;
        for ((number, part), id) in (0..count).zip(parts).zip(ids) {
            let out = Out::new(last, message.topic as u8, number, count, part);
            with.push(records::put_out(records::out_name(&to, id), &out));
        }
        vault.put_records(with).await?;
        shared.changed.notify_one();
        Ok(last)
    }
}

impl Courier for Relay {
    fn send(&self, message: Outgoing) -> BoxFuture<'_, Result<EnvelopeId, RelayError>> {
        Box::pin(self.take(message))
    }

    fn receive(&self, topic: Topic) -> mpsc::Receiver<Received> {
        let (sender, receiver) = mpsc::channel(RELAY_WINDOW);
        unpoisoned(&self.shared.topics).insert(topic, sender);
        receiver
    }

    fn notices(&self) -> broadcast::Receiver<RelayNotice> {
        self.shared.notices.subscribe()
    }
}
