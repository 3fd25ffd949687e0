//! Somebody with an open vault and a way to the relay at a socket.

use std::path::Path;
use std::sync::Arc;

use protocol::channel::{SlotKind, VaultState};
use protocol::control::{AgentState, KeeperStatus};
use protocol::relay::MailboxKey;
use protocol::{CapabilityId, CellId, EnvelopeId, b64};
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use vault::opaque::{ClientRegistration, Names};
use vault::{Kek, PublicIdentity};

use crate::clock::{Clock, SystemClock};
use crate::platform::Platform;
use crate::relay::{Courier as _, Held, Outgoing, Received, Record, Relay, RelayNotice, Revocations as _, Topic};
use crate::vault_service::VaultService;

pub struct Person {
    _dir: TempDir,
    pub vault: VaultService,
    pub identity: PublicIdentity,
    pub relay: Relay,
    pub arriving: mpsc::Receiver<Received>,
    pub notices: broadcast::Receiver<RelayNotice>,
    running: JoinHandle<()>,
}

impl Person {
    pub async fn at(socket: &Path) -> Self {
        let dir = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let vault = VaultService::open(dir.path(), clock.clone()).unwrap();
        let cell = CellId::new();
        vault.bind_cell(cell).await.unwrap();
        let claim = b64::decode(&vault.claim().unwrap()).unwrap();
        let secret = vault::password_secret("p").unwrap();
        let (registration, request) = ClientRegistration::start(&secret).unwrap();
        let (slot, response) = vault
            .first_registration_start(&claim, SlotKind::Password, &request)
            .unwrap();
        let names = Names {
            cell: cell.uuid(),
            slot: slot.uuid(),
        };
        let registered = registration.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
        vault.first_registration_finish(slot, &registered.record).unwrap();
        vault.create(slot, &Kek::random()).await.unwrap();
        let identity = vault.identity().await.unwrap().public();
        let (relay, arriving, notices, running) = start(&vault, socket);
        Self {
            _dir: dir,
            vault,
            identity,
            relay,
            arriving,
            notices,
            running,
        }
    }

    /// The keeper ends and starts again; what was in memory is gone.
    pub async fn restart(&mut self, socket: &Path) {
        self.running.abort();
        let _aborted = (&mut self.running).await;
        (self.relay, self.arriving, self.notices, self.running) = start(&self.vault, socket);
    }

    pub fn key(&self) -> MailboxKey {
        MailboxKey(self.identity.signing_key())
    }

    pub async fn send(&self, to: &Self, content: &[u8]) -> EnvelopeId {
        let message = Outgoing {
            to: to.identity.clone(),
            topic: Topic::Sharing,
            content: content.to_vec().into(),
            with: Vec::new(),
        };
        self.relay.send(message).await.unwrap()
    }

    /// Follows somebody and nobody else, and holds this of what they can revoke.
    pub async fn follows(&self, issuer: &Self, held: &[CapabilityId]) {
        let held = Held::from([(issuer.key(), held.iter().copied().collect())]);
        self.relay.follow(held).await.unwrap();
    }

    /// Takes the next message.
    pub async fn take(&mut self) -> Vec<u8> {
        self.take_with(Vec::new()).await
    }

    pub async fn take_with(&mut self, with: Vec<Record>) -> Vec<u8> {
        let received = self.arriving.recv().await.unwrap();
        let content = received.content.to_vec();
        received.ack(with).await.unwrap();
        content
    }

    /// Waits until something of this kind is said.
    pub async fn until<T>(&mut self, wanted: impl Fn(&RelayNotice) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.notices.recv().await.unwrap()) {
                return found;
            }
        }
    }

    /// What the relay does wrong, in words.
    pub async fn wrong(&mut self) -> String {
        self.until(|notice| match notice {
            RelayNotice::Wrong { what, .. } => Some(what.clone()),
            _ => None,
        })
        .await
    }

    /// What does not fit, in words, while the relay is not accused of anything.
    pub async fn odd(&mut self) -> String {
        self.until(|notice| match notice {
            RelayNotice::Odd { what, .. } => Some(what.clone()),
            RelayNotice::Wrong { what, .. } => panic!("the relay is accused: {what}"),
            _ => None,
        })
        .await
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.running.abort();
    }
}

type Started = (
    Relay,
    mpsc::Receiver<Received>,
    broadcast::Receiver<RelayNotice>,
    JoinHandle<()>,
);

fn start(vault: &VaultService, socket: &Path) -> Started {
    let status = KeeperStatus {
        vault: VaultState::Unlocked,
        agent: AgentState::Absent,
        busy: false,
        claim: None,
        wake_at: None,
        approvals: Vec::new(),
    };
    let relay = Relay::new(vault.clone(), Platform::new(socket, status), Arc::new(SystemClock));
    let (arriving, notices) = (relay.receive(Topic::Sharing), relay.notices());
    let running = relay.clone();
    let running = tokio::spawn(async move { match running.run().await {} });
    (relay, arriving, notices, running)
}
