//! One open channel to a cell in platform custody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::client::{Channel, ClientError, Handshake, Known, SecretBytes, platform_secret};
use cells::Cells;
use management::{AgentError, AgentEvent, CellRef, Custody, KnownKeeper};
use protocol::channel::{SlotKind, VaultState};
use tokio::sync::mpsc;

use super::hearing::Hearing;
use super::{busy, not_kept, refused, unavailable};

/// A channel whose vault is open. Ends when it is dropped.
pub(super) struct Line {
    channel: Channel,
    hearing: Arc<Hearing>,
    /// The conversations whose events come through it.
    opened: Mutex<HashSet<String>>,
}

impl Line {
    /// Wakes the cell, proves that the kept secret is its slot's, and opens the vault; makes it the first time.
    pub(super) async fn open(cells: &Cells, custody: &Custody, cell: CellRef) -> Result<Self, AgentError> {
        let kept = custody.kept(cell).await.map_err(not_kept)?;
        let secret = SecretBytes::copy_from(&*kept.secret).map_err(|error| AgentError::Failed(error.to_string()))?;
        let secret = platform_secret(&secret);
        let socket = cells::proxy::dial(cells, cell.cell, cell.tenant)
            .await
            .map_err(unavailable)?;
        let known = kept.keeper.map(|keeper| Known {
            cell: cell.cell,
            keeper_public_key: keeper.public_key,
            epoch: keeper.epoch,
        });
        let mut handshake = Handshake::open(socket, known).await.map_err(refused)?;
        let hello = handshake.hello();
        if hello.cell != cell.cell {
            let (expected, found) = (cell.cell, hello.cell);
            return Err(refused(ClientError::AnotherCell { expected, found }));
        }
        let is_new = hello.vault == VaultState::New;
        let slot = if is_new {
            let claim = cells
                .claim(cell.cell)
                .and_then(|claim| protocol::b64::decode(&claim).ok());
            let claim = claim.ok_or_else(|| busy("The cell's keeper is not ready."))?;
            let registered = handshake.register(&claim, SlotKind::Platform, &secret).await;
            registered.map_err(refused)?.slot
        } else {
            let ours = hello.slots.iter().find(|slot| slot.kind == SlotKind::Platform);
            ours.ok_or_else(|| AgentError::Failed("This cell's vault has no slot of the platform's.".to_owned()))?
                .id
        };
        let (channel, events) = handshake.login(slot, &secret).await.map_err(refused)?;
        let unlocked = match is_new {
            true => channel.create_vault().await,
            false => channel.unlock().await,
        };
        let epoch = unlocked.map_err(refused)?.epoch;
        let keeper = KnownKeeper {
            public_key: channel.known().keeper_public_key,
            epoch,
        };
        custody.remember(cell, &keeper).await.map_err(not_kept)?;
        Ok(Self {
            channel,
            hearing: Hearing::start(events),
            opened: Mutex::default(),
        })
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether the connection stands and the vault was open when it was last heard of.
    pub(super) fn is_open(&self) -> bool {
        self.hearing.is_open()
    }

    /// It is of no use any more: the next request opens another.
    pub(super) fn ended(&self) {
        self.hearing.end();
    }

    /// What happens in a conversation, and to the cell, from now on.
    pub(super) fn hear(&self, conversation: &str) -> mpsc::Receiver<AgentEvent> {
        self.hearing.hear(conversation)
    }

    /// A conversation that is gone.
    pub(super) fn forget(&self, conversation: &str) {
        self.opened().remove(conversation);
        self.hearing.forget(conversation);
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_opened(&self, conversation: &str) -> bool {
        self.opened().contains(conversation)
    }

    pub(super) fn note_opened(&self, conversation: String) {
        self.opened().insert(conversation);
    }
}
