//! A keeper as far as conversations need one: a real vault on disk, a cell whose agent is [`OpenClaw`], and a person who
//! listens.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::CellId;
use protocol::channel::{ChannelError, SlotKind};
use protocol::chat::{ChatEvent, ChatEventKind, Message, Part, Status};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;
use vault::Kek;
use vault::opaque::{ClientRegistration, Names};

use super::openclaw::{Home, OpenClaw};
use crate::chat::{Chat, Functions, Listener, NOT_SAVED, Seat, TurnUnderWay};
use crate::clock::SystemClock;
use crate::gateway::Gateway;
use crate::vault_service::VaultService;

/// Longest wait for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// The cell.
pub struct Cell {
    pub openclaw: OpenClaw,
    pub ready: watch::Sender<bool>,
    /// While it is not, the agent is about to be started again.
    pub settled: watch::Sender<bool>,
    /// What is sealed.
    pub sealed: Mutex<Home>,
    /// While it is there, nothing is sealed.
    pub seal_stopped: watch::Sender<bool>,
    /// While it is, sealing fails.
    pub disk_full: watch::Sender<bool>,
    pub sealing: Notify,
    pub removed: Mutex<Vec<String>>,
    /// What the next attempts to scrub come to; then they succeed.
    pub scrubs_refused: Mutex<Vec<ChannelError>>,
    /// While it does, the agent is said not to start.
    pub fails: AtomicBool,
    gateway: tokio::sync::Mutex<Option<Gateway>>,
}

#[derive(Clone)]
pub struct CellSeat(pub Arc<Cell>);

struct UnderWay(CellSeat);

impl Seat for CellSeat {
    fn ready(&self) -> BoxFuture<'_, Result<Gateway, ChannelError>> {
        async move {
            self.0.ready.subscribe().wait_for(|ready| *ready).await.unwrap();
            if self.0.fails.load(Ordering::SeqCst) {
                return Err(ChannelError::new("agent_failed", "The agent could not be started."));
            }
            let mut gateway = self.0.gateway.lock().await;
            match &*gateway {
                Some(open) if open.is_open() => Ok(open.clone()),
                _ => Ok(gateway.insert(self.0.openclaw.connect().await).clone()),
            }
        }
        .boxed()
    }

    fn is_ready(&self) -> bool {
        *self.0.ready.borrow() && *self.0.settled.borrow()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        async {
            self.0.settled.subscribe().wait_for(|settled| *settled).await.unwrap();
        }
        .boxed()
    }

    fn turn_started(&self) -> Box<dyn TurnUnderWay> {
        Box::new(UnderWay(self.clone()))
    }

    fn saved_at_last(&self) -> BoxFuture<'_, Result<(), ChannelError>> {
        async {
            let mut full = self.0.disk_full.subscribe();
            full.wait_for(|full| !full).await.unwrap();
            *self.0.sealed.lock().unwrap() = self.0.openclaw.home();
            Ok(())
        }
        .boxed()
    }

    fn remove_files(&self, paths: Vec<String>) -> BoxFuture<'_, Result<(), ChannelError>> {
        self.0.removed.lock().unwrap().extend(paths);
        async { Ok(()) }.boxed()
    }

    fn scrub(&self) -> BoxFuture<'_, Result<(), ChannelError>> {
        let left = self.0.scrubs_refused.lock().unwrap().pop();
        async { left.map_or(Ok(()), Err) }.boxed()
    }
}

impl TurnUnderWay for UnderWay {
    fn finished(self: Box<Self>) -> BoxFuture<'static, Result<(), ChannelError>> {
        async move {
            self.0.0.sealing.notify_one();
            self.0
                .0
                .seal_stopped
                .subscribe()
                .wait_for(|stopped| !stopped)
                .await
                .unwrap();
            if *self.0.0.disk_full.borrow() {
                return Err(ChannelError::new(NOT_SAVED, "The disk is full."));
            }
            *self.0.0.sealed.lock().unwrap() = self.0.0.openclaw.home();
            Ok(())
        }
        .boxed()
    }
}

/// A keeper and its person.
pub struct Keeper {
    pub chat: Chat,
    pub functions: Functions,
    pub cell: Arc<Cell>,
    pub vault: VaultService,
    dir: tempfile::TempDir,
    slot: protocol::SlotId,
    cell_id: CellId,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<ChatEvent>>,
    pub ear: Arc<Ear>,
}

/// A listener that writes everything down.
pub struct Ear {
    id: u64,
    heard: mpsc::UnboundedSender<ChatEvent>,
    open: Mutex<bool>,
}

impl Ear {
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<ChatEvent>) {
        let (heard, events) = mpsc::unbounded_channel();
        let id = Uuid::new_v4().as_u64_pair().0;
        let open = Mutex::new(true);
        (Arc::new(Self { id, heard, open }), events)
    }

    pub fn leave(&self) {
        *self.open.lock().unwrap() = false;
    }
}

impl Listener for Ear {
    fn id(&self) -> u64 {
        self.id
    }

    fn chat(&self, event: &ChatEvent) -> bool {
        *self.open.lock().unwrap() && self.heard.send(event.clone()).is_ok()
    }

    fn chats(&self) -> bool {
        *self.open.lock().unwrap()
    }
}

fn kek() -> Kek {
    Kek::copy_from(&[7; 32]).unwrap()
}

impl Keeper {
    /// A new vault, and an agent that is ready.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = VaultService::open(dir.path(), Arc::new(SystemClock)).unwrap();
        let cell_id = CellId::new();
        vault.bind_cell(cell_id).await.unwrap();
        let claim = protocol::b64::decode(&vault.claim().unwrap()).unwrap();
        let secret = vault::password_secret("correct horse battery").unwrap();
        let (state, request) = ClientRegistration::start(&secret).unwrap();
        let (slot, response) = vault
            .first_registration_start(&claim, SlotKind::Password, &request)
            .unwrap();
        let names = Names {
            cell: cell_id.uuid(),
            slot: slot.uuid(),
        };
        let registered = state.finish_at_cost(&response, &names, 64, 1, 1).unwrap();
        vault.first_registration_finish(slot, &registered.record).unwrap();
        vault.create(slot, &kek()).await.unwrap();
        Self::with(dir, vault, slot, cell_id, Home::new())
    }

    fn with(dir: tempfile::TempDir, vault: VaultService, slot: protocol::SlotId, cell_id: CellId, home: Home) -> Self {
        let cell = Arc::new(Cell {
            openclaw: OpenClaw::new(home.clone()),
            ready: watch::Sender::new(true),
            settled: watch::Sender::new(true),
            sealed: Mutex::new(home),
            seal_stopped: watch::Sender::new(false),
            disk_full: watch::Sender::new(false),
            sealing: Notify::new(),
            removed: Mutex::default(),
            scrubs_refused: Mutex::default(),
            fails: AtomicBool::new(false),
            gateway: tokio::sync::Mutex::default(),
        });
        let functions = Functions::default();
        let chat = Chat::new(
            vault.clone(),
            Arc::new(CellSeat(Arc::clone(&cell))),
            Arc::new(SystemClock),
            functions.clone(),
        );
        let (ear, events) = Ear::new();
        Self {
            chat,
            functions,
            cell,
            vault,
            dir,
            slot,
            cell_id,
            events: tokio::sync::Mutex::new(events),
            ear,
        }
    }

    /// `kill -9` of keeper and agent at this moment: what comes up again has the disk as it is now, and the sealed home.
    pub async fn killed(&self) -> Self {
        let dir = copy(self.dir.path());
        let home = self.cell.sealed.lock().unwrap().clone();
        self.revive(dir, home).await
    }

    /// `kill -9` of the keeper alone; the agent's home is taken over as it is.
    pub async fn killed_with_home(&self) -> Self {
        self.revive(copy(self.dir.path()), self.cell.openclaw.home()).await
    }

    async fn revive(&self, dir: tempfile::TempDir, home: Home) -> Self {
        let vault = VaultService::open(dir.path(), Arc::new(SystemClock)).unwrap();
        vault.bind_cell(self.cell_id).await.unwrap();
        let keeper = Self::with(dir, vault, self.slot, self.cell_id, home);
        keeper.unlock();
        keeper
    }

    /// Opens the vault again, after a lock.
    pub fn unlock(&self) {
        self.vault.unlock(self.slot, &kek()).unwrap();
    }

    /// From now on, or no more, nothing can be written into the vault's folder: what is to be written first stands there already.
    pub fn break_disk(&self, broken: bool) {
        let in_the_way = self.dir.path().join("vault.new");
        match broken {
            true => std::fs::create_dir(in_the_way).unwrap(),
            false => std::fs::remove_dir(in_the_way).unwrap(),
        }
    }

    pub async fn call(&self, method: &str, params: Value) -> Result<Value, ChannelError> {
        self.chat.handle(method, params, self.ear.clone()).await
    }

    pub async fn create(&self) -> String {
        let made = self.call("chat.create", json!({})).await.unwrap();
        let id = made["conversation"]["id"].as_str().unwrap().to_owned();
        self.open(&id).await;
        id
    }

    pub async fn open(&self, conversation: &str) -> Vec<Message> {
        let opened = self
            .call("chat.open", json!({"conversation": conversation}))
            .await
            .unwrap();
        serde_json::from_value(opened["messages"].clone()).unwrap()
    }

    /// Sends and answers with the turn's key.
    pub async fn send(&self, conversation: &str, text: &str) -> String {
        let key = Uuid::new_v4().to_string();
        let params = json!({"conversation": conversation, "text": text, "key": key});
        let sent = self.call("chat.send", params).await.unwrap();
        assert_eq!(sent["turn"], key);
        key
    }

    /// The next event that matches.
    pub async fn until(&self, wanted: impl Fn(&ChatEvent) -> bool) -> ChatEvent {
        let mut events = self.events.lock().await;
        let found = async {
            loop {
                let event = events.recv().await.unwrap();
                if wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the event came")
    }

    pub async fn until_saved(&self, key: &str) {
        self.until(|event| event.turn == key && event.kind == ChatEventKind::Saved)
            .await;
    }

    /// Everything that was heard until the turn is saved, in short.
    pub async fn story(&self, key: &str) -> Vec<String> {
        let mut story = Vec::new();
        let mut last = 0;
        loop {
            let event = self.until(|event| event.turn == key).await;
            assert!(last == 0 || event.seq == last + 1, "seq rises by one");
            last = event.seq;
            story.push(short(&event.kind));
            if event.kind == ChatEventKind::Saved {
                return story;
            }
        }
    }
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
        }
    }
    to
}

/// An event in a word or two.
pub fn short(kind: &ChatEventKind) -> String {
    match kind {
        ChatEventKind::Accepted { .. } => "accepted".into(),
        ChatEventKind::Phase { phase } => format!("phase {phase}"),
        ChatEventKind::Text { delta } => format!("text {delta}"),
        ChatEventKind::Tool { phase, .. } => format!("tool {phase:?}"),
        ChatEventKind::Calls { calls } => format!("calls {}", calls.len()),
        ChatEventKind::Answered { message } => format!("answered {}", brief(message)),
        ChatEventKind::Saved => "saved".into(),
        ChatEventKind::NotSaved { message } => format!("not saved: {message}"),
        ChatEventKind::Failed { code, .. } => format!("failed {code}"),
        ChatEventKind::Aborted { message, .. } => {
            format!("aborted {}", message.as_ref().map(brief).unwrap_or_default())
        }
        ChatEventKind::Interrupted { message } => {
            format!("interrupted {}", message.as_ref().map(brief).unwrap_or_default())
        }
    }
}

/// A message in short.
pub fn brief(message: &Message) -> String {
    let parts: Vec<String> = message
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text } => text.trim().to_owned(),
            Part::Tool {
                name, output, state, ..
            } => format!("[{name} {state:?}: {output}]"),
        })
        .collect();
    let status = match message.status {
        Status::Done => String::new(),
        status => format!(" ({status:?})"),
    };
    format!("{:?}: {}{status}", message.role, parts.join(" "))
}

/// A conversation in short.
pub fn briefs(messages: &[Message]) -> Vec<String> {
    messages.iter().map(brief).collect()
}
