//! A keeper in a folder of its own, and what a client needs to reach it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Channel, ClientError, ClientSecret, Events, Handshake, Known, password_secret};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use keeper::activity::Activity;
use keeper::approvals::Approvals;
use keeper::channel::{ChannelHost, Methods, Subscriber, websocket_config};
use keeper::clock::Clock;
use keeper::egress::NamedAddresses;
use keeper::guide::Guide;
use keeper::platform::Platform;
use keeper::rates::Rates;
use keeper::relay::Relay;
use keeper::services::Services;
use keeper::shares::Shares;
use keeper::vault_service::VaultService;
use protocol::channel::{ChannelError, SlotKind};
use protocol::control::{AgentState, KeeperStatus};
use protocol::{CellId, Millis, SlotId, b64};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::DuplexStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::agent_side::{AgentSide, Hosts, Service};

const PLATFORM: &str = "platform.sock";
pub const PASSWORD: &str = "correct horse battery staple";

pub type Socket = WebSocketStream<DuplexStream>;
pub type Opened = Result<(Channel, Events), ClientError>;

/// A clock that stands where it is put.
#[derive(Default)]
pub struct StillClock(AtomicI64);

impl StillClock {
    pub fn forward(&self, millis: Millis) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}

/// Methods to try the channel with.
pub struct TestMethods {
    /// Released by the method `test.release`.
    pub gate: Notify,
    /// Notified when a call of `test.wait` is dropped where it waits.
    pub dropped: Arc<Notify>,
    /// Has a permit for each call of `test.wait` that waits.
    waiting: Semaphore,
}

impl Default for TestMethods {
    fn default() -> Self {
        Self {
            gate: Notify::new(),
            dropped: Arc::default(),
            waiting: Semaphore::new(0),
        }
    }
}

impl TestMethods {
    /// Ends when one more call of `test.wait` waits.
    pub async fn one_waits(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Methods for TestMethods {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "test.echo" => Ok(params),
                "test.wait" => {
                    let _guard = NotifyOnDrop(Arc::clone(&self.dropped));
                    self.waiting.add_permits(1);
                    self.gate.notified().await;
                    Ok(json!("released"))
                }
                "test.release" => {
                    self.gate.notify_one();
                    Ok(json!({}))
                }
                "test.events" => {
                    let count = params["count"].as_u64().unwrap_or(0);
                    let filler = "x".repeat(usize::try_from(params["bytes"].as_u64().unwrap_or(0)).unwrap());
                    for n in 0..count {
                        if !subscriber.event("test", &json!({"n": n, "filler": filler})) {
                            break;
                        }
                    }
                    Ok(json!({}))
                }
                _ => Err(ChannelError::new("unknown_method", "no such test")),
            }
        }
        .boxed()
    }
}

pub struct TestKeeper {
    dir: TempDir,
    pub cell: CellId,
    pub clock: Arc<StillClock>,
    pub vault: VaultService,
    pub host: ChannelHost,
    pub methods: Arc<TestMethods>,
    pub platform: Platform,
    /// What the operator named.
    pub named: NamedAddresses,
    pub agent: AgentSide,
    /// What its agent is told.
    pub guide: Guide,
    pub activity: Activity,
    pub approvals: Approvals,
    pub shares: Shares,
    pub rates: Rates,
    connections: Mutex<Vec<AbortHandle>>,
}

impl TestKeeper {
    /// With an empty volume.
    pub async fn new() -> Self {
        Self::on(TempDir::new().unwrap(), CellId::new(), Arc::default()).await
    }

    /// With the vault that another keeper of this cell left.
    pub async fn released(cell: CellId, now: Millis, vault: &[u8]) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir_all(dir.path().join("vault")).unwrap();
        std::fs::write(dir.path().join("vault/vault"), vault).unwrap();
        let clock = StillClock::default();
        clock.forward(now);
        Self::on(dir, cell, Arc::new(clock)).await
    }

    async fn on(dir: TempDir, cell: CellId, clock: Arc<StillClock>) -> Self {
        let clock_of_vault: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let vault = VaultService::open(&dir.path().join("vault"), clock_of_vault).unwrap();
        vault.bind_cell(cell).await.unwrap();
        let methods = Arc::new(TestMethods::default());
        let named = NamedAddresses::with_lookup(Arc::new(Hosts));
        let status = KeeperStatus {
            vault: vault.state(),
            agent: AgentState::Absent,
            busy: false,
            claim: None,
            wake_at: None,
            approvals: Vec::new(),
        };
        // Nobody listens there, unless a test does: what is sent to others waits in the vault.
        let platform = Platform::new(&dir.path().join(PLATFORM), status);
        let relay = Relay::new(vault.clone(), platform.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
        let named_for_agent = named.clone();
        let services = Services::new(
            &vault,
            Arc::clone(&clock) as Arc<dyn Clock>,
            &named,
            named_for_agent,
            relay,
        );
        services.write_behind.write_before_lock();
        let agent = AgentSide::before(dir.path(), services.broker, services.egress);
        let (guide, approvals, shares) = (services.guide, services.approvals, services.shares);
        let (activity, rates) = (services.activity, services.rates);
        services.unlock.set_installation("https://holdfast.example");
        let router = services
            .router
            .namespace("test", Arc::clone(&methods) as Arc<dyn Methods>);
        Self {
            host: ChannelHost::new(vault.clone(), router),
            dir,
            cell,
            clock,
            vault,
            methods,
            platform,
            named,
            agent,
            guide,
            activity,
            approvals,
            shares,
            rates,
            connections: Mutex::default(),
        }
    }

    /// Ends without a word, then starts again on the same volume.
    pub async fn restarted(self) -> Self {
        self.restarted_after(|_| {}).await
    }

    /// As [`Self::restarted`]; `meddle` has the volume in between.
    pub async fn restarted_after(self, meddle: impl FnOnce(&Path)) -> Self {
        let Self {
            dir,
            cell,
            clock,
            vault,
            host,
            methods,
            platform,
            named,
            agent,
            guide,
            activity,
            approvals,
            shares,
            rates,
            connections,
        } = self;
        for connection in connections.into_inner().unwrap() {
            connection.abort();
        }
        drop((
            vault, host, methods, platform, named, agent, guide, activity, approvals, shares, rates,
        ));
        // The folder is free once the tasks have seen that nobody holds the vault.
        let folder = dir.path().join("vault");
        let lock = std::fs::File::open(folder.join("lock")).unwrap();
        while lock.try_lock().is_err() {
            tokio::task::yield_now().await;
        }
        lock.unlock().unwrap();
        drop(lock);
        meddle(&folder);
        Self::on(dir, cell, clock).await
    }

    /// Where its platform would listen.
    pub fn platform_socket(&self) -> PathBuf {
        self.dir.path().join(PLATFORM)
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("vault")
    }

    pub fn claim(&self) -> Vec<u8> {
        b64::decode(&self.vault.claim().unwrap()).unwrap()
    }

    /// A connection straight to this keeper.
    pub async fn connect(&self) -> Socket {
        let (near, far) = pair().await;
        let host = self.host.clone();
        let connection = tokio::spawn(async move { host.serve(far).await });
        self.connections.lock().unwrap().push(connection.abort_handle());
        near
    }

    pub async fn handshake(&self, known: Option<Known>) -> Handshake<DuplexStream> {
        Handshake::open(self.connect().await, known).await.unwrap()
    }

    pub async fn login(&self, slot: SlotId, secret: &ClientSecret, known: Option<Known>) -> Opened {
        self.handshake(known).await.login(slot, secret).await
    }

    /// What a service with a key, kept here, is connected by, under this name; it is reached where it stands.
    pub async fn route_to(&self, channel: &Channel, service: &Service, name: &str) -> Value {
        self.named.set([service.at.to_string()]);
        let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": "canary-0123456789"});
        let secret = channel.call("secret.set", secret).await.unwrap()["id"].clone();
        let inject = json!({"as": "header", "name": "x-api-key", "prefix": ""});
        json!({"name": name, "base_url": service.base_url(), "secret": secret, "inject": inject})
    }

    /// A keeper whose vault was just made with [`PASSWORD`], and the open channel.
    pub async fn with_vault() -> (Self, SlotId, Channel, Events) {
        Self::with_slot(SlotKind::Password, password()).await
    }

    /// The same, made with another way in.
    pub async fn with_slot(kind: SlotKind, secret: ClientSecret) -> (Self, SlotId, Channel, Events) {
        let keeper = Self::new().await;
        let mut handshake = keeper.handshake(None).await;
        let registered = handshake.register(&keeper.claim(), kind, &secret).await.unwrap();
        let (channel, events) = handshake.login(registered.slot, &secret).await.unwrap();
        channel.create_vault().await.unwrap();
        (keeper, registered.slot, channel, events)
    }
}

/// Two ends of one WebSocket.
pub async fn pair() -> (Socket, Socket) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::join!(
        WebSocketStream::from_raw_socket(near, Role::Client, Some(websocket_config())),
        WebSocketStream::from_raw_socket(far, Role::Server, Some(websocket_config())),
    )
}

pub fn password() -> ClientSecret {
    password_secret(PASSWORD).unwrap()
}

/// Reads events until the channel ends, and gives the reason; a channel that goes on is a failure.
pub async fn end_of(events: &mut Events) -> ClientError {
    let end = async {
        loop {
            match events.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("the channel ended without a reason"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), end)
        .await
        .expect("the channel did not end")
}

/// Why something was refused.
pub fn refused<T>(outcome: Result<T, ClientError>) -> ClientError {
    match outcome {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}
