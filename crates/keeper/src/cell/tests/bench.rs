//! A cell with everything around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::SlotId;
use protocol::channel::SlotKind;
use protocol::control::{AgentState, KeeperStatus, Outcome, PlatformOp};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vault::Kek;
use vault::opaque::{ClientRegistration, Names};

use super::agent::PlayedAgent;
use super::platform::PlayedPlatform;
use crate::activity::Activity;
use crate::approvals::Approvals;
use crate::broker::{Broker, BrokerParts, Routes};
use crate::cell::{Cell, Parts};
use crate::clock::SystemClock;
use crate::egress::NamedAddresses;
use crate::guide::Guide;
use crate::home::tests::store::Store;
use crate::home::{Home, Owner};
use crate::platform::{ChannelSocket, Platform, PlatformRequests, Welcome};
use crate::rates::Rates;
use crate::secrets::Secrets;
use crate::template::Templates;
use crate::unlock_link::UnlockLink;
use crate::vault_service::{ModelKind, ModelSettings, VaultError, VaultService};
use crate::write_behind::WriteBehind;

/// The folder, the platform and the key; they outlive the keeper.
pub struct Bench {
    folder: TempDir,
    pub platform: PlayedPlatform,
    pub agent: Arc<PlayedAgent>,
    slot: Option<SlotId>,
    kek: Kek,
}

/// A keeper with a runtime of its own, which ends like a process that is killed.
pub struct Keeper {
    pub cell: Cell,
    pub vault: VaultService,
    pub secrets: Secrets,
    pub templates: Templates,
    runtime: Option<Runtime>,
}

impl Keeper {
    /// Nothing of it runs any more when this returns.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take();
        drop(self);
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Requests {
    vault: VaultService,
    cell: Cell,
}

impl PlatformRequests for Requests {
    fn welcome<'a>(&'a self, welcome: &'a Welcome) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async {
            self.vault
                .bind_cell(welcome.cell)
                .await
                .map_err(|error| error.to_string())
        })
    }

    fn policy(&self, _policy: protocol::control::TenantPolicy) {}

    fn second_demanded(&self) {}

    fn channel(&self, _socket: ChannelSocket) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    fn request(&self, op: PlatformOp) -> BoxFuture<'static, Outcome> {
        let cell = self.cell.clone();
        Box::pin(async move { cell.handle(op).await })
    }
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::create_dir(folder.path().join("vault")).unwrap();
        let agent = Arc::new(PlayedAgent::new(&folder.path().join("home")));
        let container = agent.clone();
        let platform = PlayedPlatform::serve(&folder.path().join("platform.sock"), Store::default(), move || {
            container.set(AgentState::Waiting);
        });
        Self {
            folder,
            platform,
            agent,
            slot: None,
            kek: Kek::random(),
        }
    }

    /// The slot that its vault was made with, and the key that opens it.
    pub fn slot(&self) -> SlotId {
        self.slot.unwrap()
    }

    pub fn kek(&self) -> &Kek {
        &self.kek
    }

    /// Starts a keeper; its vault is not unlocked.
    pub async fn keeper(&mut self) -> Keeper {
        let path = self.folder.path().to_owned();
        let agent = self.agent.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let started = runtime.spawn(async move {
            let vault = take_over(&path.join("vault")).await;
            let status = KeeperStatus {
                vault: vault.state(),
                agent: AgentState::Absent,
                busy: false,
                claim: None,
                wake_at: None,
                approvals: Vec::new(),
            };
            let platform = Platform::new(&path.join("platform.sock"), status);
            let owner = Owner {
                uid: rustix::process::getuid().as_raw(),
                gid: rustix::process::getgid().as_raw(),
            };
            let write_behind = WriteBehind::new(vault.clone());
            let activity = Activity::new(vault.clone(), write_behind.clone());
            let secrets = Secrets::new(vault.clone(), activity.clone());
            let approvals = Approvals::new(vault.clone(), activity.clone(), Arc::new(SystemClock));
            let named = NamedAddresses::default();
            let rates = Rates::new(vault.clone(), activity.clone(), write_behind);
            let routes = Routes::new(vault.clone(), secrets.clone(), activity, approvals, rates, named);
            let templates = Templates::new(vault.clone());
            let (cell, life) = Cell::new(Parts {
                vault: vault.clone(),
                home: Home::new(&path.join("home"), owner, platform.blobs()),
                agent,
                platform: platform.clone(),
                broker: Broker::new(BrokerParts {
                    source: Arc::new(vault.clone()),
                    named: NamedAddresses::default(),
                    routes: None,
                    tools: None,
                    spending: None,
                    unlock: UnlockLink::default(),
                }),
                clock: Arc::new(SystemClock),
                guide: Some(Guide::new(routes, secrets.clone())),
                templates: Some(templates.clone()),
            });
            let requests = Arc::new(Requests {
                vault: vault.clone(),
                cell: cell.clone(),
            });
            let mut welcome = platform.welcome();
            tokio::spawn(life);
            tokio::spawn(async move { drop(platform.run(requests).await) });
            welcome.wait_for(Option::is_some).await.unwrap();
            (cell, vault, secrets, templates)
        });
        let (cell, vault, secrets, templates) = started.await.unwrap();
        Keeper {
            cell,
            vault,
            secrets,
            templates,
            runtime: Some(runtime),
        }
    }

    /// Opens a vault that exists, if it lets one.
    pub fn try_unlock(&self, keeper: &Keeper) -> Result<(), VaultError> {
        keeper.vault.unlock(self.slot.expect("a vault"), &self.kek).map(drop)
    }

    /// Opens the vault; makes it the first time.
    pub async fn unlock(&mut self, keeper: &Keeper) {
        let vault = &keeper.vault;
        if self.slot.is_some() {
            self.try_unlock(keeper).unwrap_or_else(|error| panic!("{error}"));
            return;
        }
        let claim = protocol::b64::decode(&vault.claim().unwrap()).unwrap();
        let secret = vault::password_secret("a password").unwrap_or_else(|error| panic!("{error}"));
        let (registration, request) = ClientRegistration::start(&secret).unwrap_or_else(|error| panic!("{error}"));
        let (slot, response) = vault
            .first_registration_start(&claim, SlotKind::Password, &request)
            .unwrap();
        let names = Names {
            cell: self.platform.cell.uuid(),
            slot: slot.uuid(),
        };
        let registered = registration
            .finish(&response, &names)
            .unwrap_or_else(|error| panic!("{error}"));
        vault.first_registration_finish(slot, &registered.record).unwrap();
        vault
            .create(slot, &self.kek)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        self.slot = Some(slot);
    }

    /// A keeper whose agent answers.
    pub async fn ready(&mut self) -> Keeper {
        let keeper = self.keeper().await;
        self.unlock(&keeper).await;
        if keeper.vault.model().unwrap().is_none() {
            connect_model(&keeper, "model-1").await;
        }
        keeper.cell.ready().await.unwrap();
        self.platform
            .status(|status| !status.busy && status.agent == AgentState::Ready)
            .await;
        self.agent.asked();
        self.platform.ops();
        keeper
    }

    /// What a keeper that starts now, in an empty cell, brings back of this file.
    pub async fn sealed(&mut self, name: &str) -> Option<String> {
        let home = self.folder.path().join("home");
        std::fs::remove_dir_all(&home).unwrap();
        std::fs::create_dir(&home).unwrap();
        self.agent.set(AgentState::Waiting);
        let keeper = self.ready().await;
        keeper.kill().await;
        self.agent.read(name)
    }
}

/// Opens the vault's folder. What a test called of the last keeper itself goes on in the test's runtime, which no kill of the
/// keeper's ends: the folder is free when that is through.
async fn take_over(folder: &Path) -> VaultService {
    let opened = async {
        loop {
            match VaultService::open(folder, Arc::new(SystemClock)) {
                Err(VaultError::InUse) => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened)
        .await
        .expect("nothing of the last keeper runs any more")
}

pub async fn connect_model(keeper: &Keeper, model: &str) {
    let settings = ModelSettings {
        id: protocol::ProviderId::new(),
        price: None,
        kind: ModelKind::OpenAi,
        base_url: "https://models.example/v1".to_owned(),
        key: SecretString::from("sk-1"),
        model: model.to_owned(),
    };
    keeper.vault.set_model(&settings).await.unwrap();
}
