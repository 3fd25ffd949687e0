//! A person's channel to their keeper: the vault made or opened, a model connected, turns sent and followed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::{
    Channel, ClientError, ClientSecret, Events, Handshake, Known, NewSlot, Phrase, RestoreProgress, RestoreState,
    Ticket, password_secret,
};
use protocol::channel::SlotKind;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Person;
use crate::process::wait_until;

/// How long an agent may take from nothing to ready on a machine that does other work too.
pub const CELL_START: Duration = Duration::from_secs(300);
/// How long a turn may take, the sealing of the home included.
pub const TURN: Duration = Duration::from_secs(240);

/// A channel whose vault is open.
pub struct Session {
    pub channel: Channel,
    events: Arc<Mutex<Vec<Value>>>,
    count: watch::Receiver<usize>,
}

/// What a person has who made a vault.
pub struct NewVault {
    pub session: Session,
    pub phrase: String,
}

/// One turn as the person saw it.
#[derive(Debug)]
pub struct Turn {
    pub id: String,
    /// What came token by token.
    pub text: String,
    /// Kinds of its events, in order.
    pub kinds: Vec<String>,
    pub events: Vec<Value>,
}

impl Person {
    /// Dials the channel. The keeper has not proved itself yet.
    pub async fn dial(&self, known: Option<Known>) -> Result<Handshake<reqwest::Upgraded>, ClientError> {
        let token = self.gateway_token().await;
        let socket = client::dial(crate::http(), self.base(), &token).await?;
        Handshake::open(socket, known).await
    }

    /// What opens the first registration: asks for it until the keeper has told it.
    pub async fn claim(&self) -> Vec<u8> {
        self.post("/api/v1/cell/wake", &Value::Null).await.ok();
        let claim = wait_until("the keeper tells its claim", Duration::from_secs(60), async || {
            let cell = self.get("/api/v1/cell").await.ok();
            cell["claim"].as_str().map(str::to_owned)
        })
        .await;
        protocol::b64::decode(&claim).expect("a claim is base64url")
    }

    /// The first visit: makes the vault with a password and a recovery phrase.
    pub async fn make_vault(&self, password: &str) -> NewVault {
        let session = self.try_make_vault(password).await.expect("the vault is made");
        let phrase = Phrase::random();
        let slot = NewSlot {
            kind: SlotKind::RecoveryPhrase,
            name: None,
            passkey: None,
            secret: &phrase.secret(),
            replaces: None,
        };
        session.channel.add_slot(slot).await.expect("the phrase is taken");
        NewVault {
            session,
            phrase: phrase.words().collect::<Vec<_>>().join(" "),
        }
    }

    /// The first visit up to where the vault is there.
    pub async fn try_make_vault(&self, password: &str) -> Result<Session, ClientError> {
        let claim = self.claim().await;
        Session::make_vault(self.dial(None).await?, &claim, password).await
    }

    /// Comes back with the password.
    pub async fn unlock(&self, password: &str) -> Session {
        self.come_back(SlotKind::Password, &secret(password)).await
    }

    /// Comes back with the recovery phrase.
    pub async fn unlock_with_phrase(&self, phrase: &str) -> Session {
        let phrase = Phrase::parse(phrase).expect("a phrase");
        self.come_back(SlotKind::RecoveryPhrase, &phrase.secret()).await
    }

    /// A connection that ends because the cell falls asleep just then is made once more, as by every client of ours.
    async fn come_back(&self, kind: SlotKind, secret: &ClientSecret) -> Session {
        let opened = match self.try_unlock(kind, secret, None).await {
            Err(ClientError::Closed(_)) => self.try_unlock(kind, secret, None).await,
            opened => opened,
        };
        opened.expect("the vault opens")
    }

    /// Comes back by one kind of slot, as a client that remembers the keeper.
    pub async fn try_unlock(
        &self,
        kind: SlotKind,
        secret: &ClientSecret,
        known: Option<Known>,
    ) -> Result<Session, ClientError> {
        let mut handshake = self.dial(known).await?;
        let slot = handshake
            .hello()
            .slots
            .iter()
            .find(|slot| slot.kind == kind)
            .map(|slot| slot.id);
        let (channel, events) = handshake.login(slot.expect("such a slot"), secret).await?;
        channel.unlock().await?;
        Ok(Session::new(channel, events))
    }

    /// Comes back with a ticket, while the vault is open.
    pub async fn resume(&self, ticket: &Ticket, known: Known) -> Result<Session, ClientError> {
        let (channel, events) = self.dial(Some(known)).await?.resume(ticket).await?;
        Ok(Session::new(channel, events))
    }
}

/// What goes into OPAQUE for a password.
pub fn secret(password: &str) -> ClientSecret {
    password_secret(password).expect("a password")
}

impl Session {
    /// Registers with a keeper whose vault is new, and makes the vault.
    pub async fn make_vault(
        mut handshake: Handshake<reqwest::Upgraded>,
        claim: &[u8],
        password: &str,
    ) -> Result<Self, ClientError> {
        let secret = secret(password);
        let registered = handshake.register(claim, SlotKind::Password, &secret).await?;
        let (channel, events) = handshake.login(registered.slot, &secret).await?;
        let session = Self::new(channel, events);
        session.channel.create_vault().await?;
        Ok(session)
    }

    fn new(channel: Channel, mut from: Events) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (counted, count) = watch::channel(0);
        let list = Arc::clone(&events);
        tokio::spawn(async move {
            while let Some(Ok(event)) = from.next().await {
                let number = {
                    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                    list.push(json!({ "event": event.event, "data": event.data }));
                    list.len()
                };
                counted.send_replace(number);
            }
        });
        Self { channel, events, count }
    }

    /// Calls a method; panics with the keeper's refusal.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        match self.channel.call(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error}"),
        }
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first event, since the channel opened, that `is` takes. `None` when the channel ends first.
    pub async fn event(&self, limit: Duration, is: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut count = self.count.clone();
        let mut looked = 0;
        let look = async {
            loop {
                {
                    let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(found) = events[looked..].iter().find(|event| is(event)) {
                        return Some(found.clone());
                    }
                    looked = events.len();
                }
                if count.changed().await.is_err() && self.events().len() == looked {
                    return None;
                }
            }
        };
        tokio::time::timeout(limit, look).await.ok().flatten()
    }

    /// The bytes of a backup, as its owner takes it away.
    pub async fn backup(&self) -> Vec<u8> {
        let started = self.channel.start_backup().await.expect("a backup is begun");
        let mut file = Vec::new();
        loop {
            let part = self.channel.read_backup(&started.backup).await;
            let part = part.expect("the backup is read");
            file.extend(part.data);
            if part.done {
                return file;
            }
        }
    }

    /// Reads a backup to its end, opened by one of its own ways in. Nothing is replaced yet.
    pub async fn read_backup(&self, file: &[u8], kind: SlotKind, secret: &ClientSecret) -> RestoreState {
        let mut state = self.channel.start_restore().await.expect("a restore is begun");
        for part in file.chunks(protocol::limits::BACKUP_PART_BYTES) {
            state = self
                .channel
                .write_restore(&state.backup, part)
                .await
                .expect("the backup is taken");
            if state.state == RestoreProgress::NeedsKey {
                let slot = state
                    .slots
                    .iter()
                    .find(|slot| slot.kind == kind)
                    .expect("such a slot")
                    .id;
                state = self
                    .channel
                    .open_restore(&state, slot, secret)
                    .await
                    .unwrap_or_else(|error| panic!("{kind:?} does not open the backup: {error}"));
            }
        }
        assert_eq!(state.state, RestoreProgress::Complete, "{state:?}");
        state
    }

    /// Connects a model; the agent starts.
    pub async fn connect_model(&self, base_url: &str, key: &str) {
        let model = json!({ "kind": "openai", "base_url": base_url, "key": key, "model": "scripted" });
        let tested = self.call("model.test", model.clone()).await;
        assert_eq!(tested["ok"], true, "{tested}");
        self.call("model.set", model).await;
    }

    /// Waits until the agent answers; panics with the reason if it fails.
    pub async fn ready(&self) {
        self.comes_to(&["ready"]).await;
    }

    /// Waits until the cell, which starts, is in one of these phases, and tells in which; panics with the reason if it fails.
    pub async fn comes_to(&self, phases: &[&str]) -> String {
        let is = |data: &Value| phases.iter().any(|phase| data["phase"] == *phase);
        let which = |data: &Value| data["phase"].as_str().unwrap_or_default().to_owned();
        let now = self.call("cell.start", json!({})).await;
        if is(&now) {
            return which(&now);
        }
        let event = self
            .event(CELL_START, |event| {
                event["event"] == "cell" && (is(&event["data"]) || event["data"]["phase"] == "failed")
            })
            .await;
        let event = event.unwrap_or_else(|| panic!("not {phases:?}, but {:?}", self.phases()));
        assert!(is(&event["data"]), "{event}");
        which(&event["data"])
    }

    /// The phases of the cell so far, each with its time.
    pub fn phases(&self) -> Vec<(String, i64)> {
        let events = self.events();
        let cells = events
            .iter()
            .filter(|event| event["event"] == "cell")
            .map(|event| &event["data"]);
        cells
            .map(|data| {
                let phase = data["phase"].as_str().unwrap_or_default().to_owned();
                (phase, data["since"].as_i64().unwrap_or_default())
            })
            .collect()
    }

    /// A new conversation, opened.
    pub async fn conversation(&self) -> String {
        let made = self.call("chat.create", json!({})).await;
        // An id, or the row of the list.
        let id = made["conversation"]["id"].as_str().or(made["conversation"].as_str());
        let id = id.expect("a conversation has an id").to_owned();
        self.open(&id).await;
        id
    }

    /// Opens a conversation: its messages, and its events from now on.
    pub async fn open(&self, conversation: &str) -> Value {
        self.call("chat.open", json!({ "conversation": conversation })).await
    }

    /// Sends a message; returns once the keeper has written it down.
    pub async fn send(&self, conversation: &str, text: &str) -> String {
        let key = uuid::Uuid::new_v4().to_string();
        let params = json!({ "conversation": conversation, "text": text, "key": key });
        let sent = self.call("chat.send", params).await;
        sent["turn"].as_str().unwrap_or(&key).to_owned()
    }

    /// Waits for one kind of event of a turn.
    pub async fn turn_event(&self, turn: &str, kind: &str) -> Value {
        let found = self
            .event(TURN, |event| {
                let data = &event["data"];
                let ended = matches!(
                    data["kind"].as_str(),
                    Some("failed" | "aborted" | "interrupted" | "saved")
                );
                event["event"] == "chat" && data["turn"] == turn && (data["kind"] == kind || ended)
            })
            .await;
        let found = found.unwrap_or_else(|| panic!("no {kind:?} for turn {turn}: {:#?}", self.turn(turn)));
        assert_eq!(found["data"]["kind"], kind, "{found}");
        found["data"].clone()
    }

    /// Sends a message and waits until the answer is sealed.
    pub async fn ask(&self, conversation: &str, text: &str) -> Turn {
        let id = self.send(conversation, text).await;
        self.turn_event(&id, "saved").await;
        self.turn(&id)
    }

    /// What came of a turn so far.
    pub fn turn(&self, id: &str) -> Turn {
        let events: Vec<Value> = self
            .events()
            .into_iter()
            .filter(|event| event["event"] == "chat" && event["data"]["turn"] == id)
            .map(|event| event["data"].clone())
            .collect();
        Turn {
            id: id.to_owned(),
            text: events.iter().filter_map(|event| event["delta"].as_str()).collect(),
            kinds: events
                .iter()
                .filter_map(|event| event["kind"].as_str().map(str::to_owned))
                .collect(),
            events,
        }
    }

    /// The messages of a conversation as text, `user: …` and `assistant: …`.
    pub async fn transcript(&self, conversation: &str) -> Vec<String> {
        let opened = self.open(conversation).await;
        let messages = opened["messages"].as_array().cloned().unwrap_or_default();
        messages
            .iter()
            .map(|message| {
                let parts = message["parts"].as_array().cloned().unwrap_or_default();
                let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
                format!("{}: {text}", message["role"].as_str().unwrap_or_default())
            })
            .collect()
    }
}
