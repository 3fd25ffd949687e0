use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use protocol::SlotId;
use protocol::channel::{SlotKind, VaultState};
use protocol::limits::{CHANNELS_PER_CELL, FRAME_BYTES};
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use vault::Kek;

use super::close::Close;
use super::handshake;
use super::methods::Router;
use super::outgoing::{Subscriber, event_bytes};
use super::session;
use super::tickets::Tickets;
use crate::vault_service::{LockReason, VaultNotice, VaultService, unpoisoned};

/// Everything that the channels of one keeper share. Cheap to clone.
#[derive(Clone)]
pub struct ChannelHost {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub vault: VaultService,
    pub router: Router,
    pub tickets: Tickets,
    /// The channels that are up, and the slot that each came in through.
    open: Mutex<HashMap<u64, (Subscriber, SlotId)>>,
    connections: AtomicUsize,
    next_id: AtomicU64,
    /// How many clients have said hello.
    pub greetings: watch::Sender<u64>,
    /// Changes when a channel comes up or ends.
    comings: watch::Sender<u64>,
}

/// How the WebSocket under a channel is set up: nothing larger than a frame is read.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
}

/// One more connection, as long as it lives.
pub(super) struct Connection {
    inner: Arc<Inner>,
    pub id: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inner.connections.fetch_sub(1, Ordering::Relaxed);
        unpoisoned(&self.inner.open).remove(&self.id);
        self.inner.somebody_came_or_went();
        self.inner.vault.forget_channel(self.id);
    }
}

impl ChannelHost {
    /// Channels to `vault`, whose other methods `router` answers. Must be called inside a tokio runtime.
    pub fn new(vault: VaultService, router: Router) -> Self {
        let host = Self {
            inner: Arc::new(Inner {
                vault,
                router,
                tickets: Tickets::default(),
                open: Mutex::new(HashMap::new()),
                connections: AtomicUsize::new(0),
                next_id: AtomicU64::new(1),
                greetings: watch::Sender::new(0),
                comings: watch::Sender::new(0),
            }),
        };
        tokio::spawn(tell_of_the_vault(
            host.inner.vault.notices(),
            Arc::downgrade(&host.inner),
        ));
        host
    }

    /// Serves one connection until it ends.
    pub async fn serve<S>(&self, mut socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.inner.connections.fetch_add(1, Ordering::Relaxed) >= CHANNELS_PER_CELL {
            self.inner.connections.fetch_sub(1, Ordering::Relaxed);
            handshake::close(&mut socket, Close::TooMany).await;
            return;
        }
        let connection = Connection {
            inner: Arc::clone(&self.inner),
            id: self.inner.next_id.fetch_add(1, Ordering::Relaxed),
        };
        if let Some(established) = handshake::run(&self.inner, connection.id, &mut socket).await {
            session::run(self, &connection, socket, established).await;
        }
    }

    /// Sends an event to every channel that is up.
    pub fn broadcast(&self, event: &str, data: &impl Serialize) {
        self.inner.broadcast(event, data);
    }

    /// Changes when a client says hello: somebody is about to use this cell.
    pub fn greetings(&self) -> watch::Receiver<u64> {
        self.inner.greetings.subscribe()
    }

    /// Changes when a channel comes up or ends.
    pub fn comings(&self) -> watch::Receiver<u64> {
        self.inner.comings.subscribe()
    }

    /// Whether a channel of a person is up. What the platform itself opens, where it keeps the vault's secret, is nobody's.
    pub fn is_attended(&self) -> bool {
        let slots = self.inner.vault.slots();
        let is_platforms = |id: &SlotId| {
            slots
                .iter()
                .any(|slot| slot.id == *id && slot.kind == SlotKind::Platform)
        };
        let open = unpoisoned(&self.inner.open);
        open.values().any(|(_, through)| !is_platforms(through))
    }

    /// How many channels are up: logged in, and not about to be closed.
    pub fn channels(&self) -> usize {
        let open = unpoisoned(&self.inner.open);
        open.values().filter(|(subscriber, _)| !subscriber.is_closed()).count()
    }
}

impl Inner {
    fn broadcast(&self, event: &str, data: &impl Serialize) {
        let Some(bytes) = event_bytes(event, data) else { return };
        for (subscriber, _) in unpoisoned(&self.open).values() {
            subscriber.send(bytes.clone());
        }
    }

    pub fn opened(&self, subscriber: &Subscriber, slot: SlotId) {
        unpoisoned(&self.open).insert(subscriber.id(), (subscriber.clone(), slot));
        self.somebody_came_or_went();
    }

    fn somebody_came_or_went(&self) {
        self.comings.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whoever came in through `slot` has to leave, but for the channel that replaced it: that one goes on with the new slot.
    pub fn slot_replaced(&self, slot: SlotId, by: SlotId, from: Option<&Subscriber>) {
        self.tickets.revoke_slot(slot);
        for (subscriber, through) in unpoisoned(&self.open).values_mut() {
            if from.is_some_and(|from| from.id() == subscriber.id()) {
                *through = by;
            } else if *through == slot {
                subscriber.close(Some(Close::SlotRemoved));
            }
        }
    }

    /// As [`Self::slot_replaced`], for a channel that is known by its number; where it came in through the slot, it gets a new ticket.
    fn slot_replaced_on(&self, slot: SlotId, by: SlotId, channel: u64) {
        let came_through_it = {
            let open = unpoisoned(&self.open);
            let from = open.get(&channel).filter(|(_, through)| *through == slot);
            from.map(|(subscriber, _)| subscriber.clone())
        };
        self.slot_replaced(slot, by, came_through_it.as_ref());
        if let Some(subscriber) = came_through_it {
            self.send_ready(&subscriber, by);
        }
    }

    /// Whoever came in through a slot that is not there any more has to leave.
    fn close_without_slot(&self) {
        let slots = self.vault.slots();
        for (subscriber, through) in unpoisoned(&self.open).values() {
            if !slots.iter().any(|slot| slot.id == *through) {
                subscriber.close(Some(Close::SlotRemoved));
            }
        }
    }

    /// Whoever came in through `slot` has to leave, but for the channel that took it away: that one goes on until it ends.
    pub fn slot_removed(&self, slot: SlotId, from: &Subscriber) {
        self.tickets.revoke_slot(slot);
        for (subscriber, through) in unpoisoned(&self.open).values() {
            if *through == slot && subscriber.id() != from.id() {
                subscriber.close(Some(Close::SlotRemoved));
            }
        }
    }

    /// Writes down that a slot was used. Nobody waits for it: it is for the person's eyes.
    pub fn remember_use(&self, slot: SlotId, kek: Option<Kek>) {
        let vault = self.vault.clone();
        tokio::spawn(async move {
            if let Err(error) = vault.slot_used(slot, kek.as_ref()).await {
                tracing::warn!(%error, "it was not written down when a way in was used");
            }
            vault.rotate_at_its_age().await;
        });
    }

    /// The slot that a channel came in through.
    pub fn slot_of(&self, subscriber: &Subscriber) -> Option<SlotId> {
        unpoisoned(&self.open).get(&subscriber.id()).map(|(_, slot)| *slot)
    }

    /// Gives a channel a fresh ticket, in the event `ready`.
    pub fn send_ready(&self, subscriber: &Subscriber, slot: SlotId) -> bool {
        let (ticket, secret) = self.tickets.issue(slot);
        let ready = super::own_methods::Ready::new(&ticket, &secret, self.vault.state());
        subscriber.event("ready", &ready)
    }
}

/// Passes on what happens to the vault, and takes the tickets back with a lock.
async fn tell_of_the_vault(mut notices: tokio::sync::broadcast::Receiver<VaultNotice>, host: Weak<Inner>) {
    loop {
        let notice = notices.recv().await;
        let Some(host) = host.upgrade() else { return };
        let data = match notice {
            Ok(VaultNotice::Unlocked) => json!({"vault": VaultState::Unlocked, "epoch": host.vault.epoch()}),
            Ok(VaultNotice::Epoch(epoch)) => json!({"vault": VaultState::Unlocked, "epoch": epoch}),
            Ok(VaultNotice::Locked { reason, saved }) => {
                host.tickets.revoke_all();
                let reason = match reason {
                    LockReason::Idle => "idle",
                    LockReason::Asked => "asked",
                    LockReason::Sleep => "sleep",
                    LockReason::Unusual => "unusual",
                };
                json!({"vault": VaultState::Locked, "reason": reason, "saved": saved})
            }
            Ok(VaultNotice::LocksIn(left)) => {
                json!({"vault": VaultState::Unlocked, "locks_in_ms": u64::try_from(left.as_millis()).unwrap_or(0)})
            }
            Ok(VaultNotice::Rotated | VaultNotice::RotationFinished | VaultNotice::PolicyChanged) => {
                json!({"vault": VaultState::Unlocked, "changed": true})
            }
            Ok(VaultNotice::SlotReplaced { slot, by, channel }) => {
                host.slot_replaced_on(slot, by, channel);
                continue;
            }
            Ok(VaultNotice::ModelChanged) => continue,
            Err(RecvError::Lagged(_)) => {
                // Among what was missed may be a lock, or a slot that was replaced.
                host.tickets.revoke_all();
                host.close_without_slot();
                json!({"vault": host.vault.state()})
            }
            Err(RecvError::Closed) => return,
        };
        host.broadcast("vault", &data);
    }
}
