//! A relay in the hands of somebody who lies: it stands between the platform and a relay that runs by itself, reads all that goes through,
//! and does with it what a test tells it to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{SinkExt as _, StreamExt as _};
use protocol::relay::epoch::SignedEpoch;
use protocol::relay::frame::{MailboxFrame, RelayFrame};
use protocol::relay::{FromMailbox, FromRelay, MailboxKey, PATH};
use protocol::{CapabilityId, EnvelopeId};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, connect_async};
use vault::{AgreementKey, Identity, Place, seal_envelope};

/// What it does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Passes everything on as it is.
    None,
    /// Passes nothing on, and ends no connection: as when the network is cut between.
    Silence,
    /// Brings each envelope twice.
    Twice,
    /// Brings, before each envelope, all that it brought to that mailbox before and that need not come again.
    Old,
    /// Says that everything is revoked, and that what is revoked is something else: this.
    Invent(CapabilityId),
    /// Says that nothing is revoked, and brings nobody's revocations.
    Hide,
}

/// What it does with one envelope. Whoever sends it is told each time that it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    PassOn,
    Drop,
    /// After the next one of the same sender.
    Late,
    /// To another mailbox than it is for.
    To(MailboxKey),
    /// In its place one to the same receiver, whose agreement key this is, under keys that the relay has made: in it the relay asks for
    /// something to be shared.
    Reseal(AgreementKey),
}

#[derive(Default)]
struct State {
    leads_to: String,
    lie: Option<Lie>,
    /// What is done with the next envelopes of somebody.
    deeds: HashMap<MailboxKey, VecDeque<Deed>>,
    late: HashMap<MailboxKey, Vec<u8>>,
    /// It was said of them already that they are kept.
    accepted: HashSet<EnvelopeId>,
    /// What it has brought to somebody.
    brought: HashMap<MailboxKey, Vec<Vec<u8>>>,
    brought_again: usize,
    /// All that it could read.
    heard: Vec<u8>,
}

/// The liar. It ends when it is dropped.
pub struct Liar {
    address: String,
    state: Arc<Mutex<State>>,
    /// Ends all connections when it changes.
    ended: watch::Sender<()>,
    serving: JoinHandle<()>,
}

impl Liar {
    /// In front of the relay at this address.
    pub async fn before(relay: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let state = State {
            leads_to: relay.to_owned(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let (ended, _) = watch::channel(());
        let serving = tokio::spawn(serve(listener, Arc::clone(&state), ended.subscribe()));
        Self {
            address,
            state,
            ended,
            serving,
        }
    }

    /// `host:port`, for `relay.address`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on.
    pub fn lies(&self, lie: Lie) {
        lock(&self.state).lie = Some(lie);
    }

    /// With the next envelopes of this sender.
    pub fn will(&self, sender: MailboxKey, deeds: &[Deed]) {
        lock(&self.state).deeds.entry(sender).or_default().extend(deeds);
    }

    /// What it was told to do with envelopes, and has not done yet.
    pub fn left_to_do(&self) -> usize {
        lock(&self.state).deeds.values().map(VecDeque::len).sum()
    }

    /// How many envelopes it has brought that need not have come again.
    pub fn brought_again(&self) -> usize {
        lock(&self.state).brought_again
    }

    /// From now on another relay is behind it. Whoever is connected has to come again.
    pub fn leads_to(&self, relay: &str) {
        relay.clone_into(&mut lock(&self.state).leads_to);
        self.hangs_up();
    }

    /// Whoever is connected has to come again.
    pub fn hangs_up(&self) {
        self.ended.send_replace(());
    }

    /// Writes down all that it could read so far.
    pub fn write_down(&self, file: &Path) {
        std::fs::write(file, &lock(&self.state).heard).expect("a file can be written");
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, ended: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (state, mut ended) = (Arc::clone(&state), ended.clone());
        connections.spawn(async move {
            ended.mark_unchanged();
            tokio::select! {
                _ = ended.changed() => {}
                _ = join(stream, &state) => {}
            }
        });
    }
}

/// One keeper's connection; `None` when either side ends it.
async fn join(keeper: TcpStream, state: &Mutex<State>) -> Option<()> {
    let relay = format!("ws://{}{PATH}", lock(state).leads_to);
    let mut keeper = accept_async(keeper).await.ok()?;
    let (mut relay, _) = connect_async(relay).await.ok()?;
    let mut whose = None;
    loop {
        tokio::select! {
            message = keeper.next() => {
                let message = message?.ok()?;
                let (on, back) = lock(state).of_keeper(&mut whose, message);
                for message in on {
                    relay.send(message).await.ok()?;
                }
                for message in back {
                    keeper.send(message).await.ok()?;
                }
            }
            message = relay.next() => {
                let message = message?.ok()?;
                let on = lock(state).of_relay(whose, message);
                for message in on {
                    keeper.send(message).await.ok()?;
                }
            }
        }
    }
}

impl State {
    fn hear(&mut self, message: &Message) {
        if let Message::Text(_) | Message::Binary(_) = message {
            self.heard.extend_from_slice(&message.clone().into_data());
        }
    }

    /// What goes on to the relay, and what is answered.
    fn of_keeper(&mut self, whose: &mut Option<MailboxKey>, message: Message) -> (Vec<Message>, Vec<Message>) {
        self.hear(&message);
        if self.lie == Some(Lie::Silence) {
            return Default::default();
        }
        if let Message::Text(text) = &message
            && let Ok(FromMailbox::Prove { key, .. }) = serde_json::from_str(text)
        {
            *whose = Some(key);
        }
        let Message::Binary(frame) = &message else {
            return (vec![message], Vec::new());
        };
        let (Some(from), Ok(MailboxFrame::Send { to, id, sealed })) = (*whose, MailboxFrame::decode(frame)) else {
            return (vec![message], Vec::new());
        };
        let late = self.late.remove(&from).map(Message::binary);
        let deed = self.deeds.get_mut(&from).and_then(VecDeque::pop_front);
        let kept = || vec![Message::binary(RelayFrame::Accepted(vec![id]).encode())];
        let (on, back) = match deed.unwrap_or(Deed::PassOn) {
            Deed::PassOn => (Some(message), Vec::new()),
            Deed::Drop => (None, kept()),
            Deed::Late => {
                self.late.insert(from, frame.to_vec());
                self.accepted.insert(id);
                (None, kept())
            }
            Deed::To(to) => (
                Some(Message::binary(MailboxFrame::Send { to, id, sealed }.encode())),
                Vec::new(),
            ),
            Deed::Reseal(receiver) => {
                let sealed = &resealed(&receiver, id);
                (
                    Some(Message::binary(MailboxFrame::Send { to, id, sealed }.encode())),
                    Vec::new(),
                )
            }
        };
        (on.into_iter().chain(late).collect(), back)
    }

    /// What goes on to the keeper.
    fn of_relay(&mut self, whose: Option<MailboxKey>, message: Message) -> Vec<Message> {
        self.hear(&message);
        if self.lie == Some(Lie::Silence) {
            return Vec::new();
        }
        match &message {
            Message::Text(text) => match serde_json::from_str(text) {
                Ok(said) => self.said(said).iter().map(text_of).collect(),
                Err(_) => vec![message],
            },
            Message::Binary(frame) => match RelayFrame::decode(frame) {
                Ok(RelayFrame::Accepted(ids)) => {
                    let new: Vec<_> = ids.into_iter().filter(|id| !self.accepted.remove(id)).collect();
                    match new.is_empty() {
                        true => Vec::new(),
                        false => vec![Message::binary(RelayFrame::Accepted(new).encode())],
                    }
                }
                Ok(RelayFrame::Deliver { .. }) => {
                    let brought = whose.map(|whose| self.brought.entry(whose).or_default());
                    let mut before: Vec<Message> = match self.lie {
                        Some(Lie::Twice) => vec![message.clone()],
                        Some(Lie::Old) => brought
                            .iter()
                            .flat_map(|old| old.iter().cloned())
                            .map(Message::binary)
                            .collect(),
                        _ => Vec::new(),
                    };
                    if let Some(brought) = brought {
                        brought.push(frame.to_vec());
                    }
                    self.brought_again += before.len();
                    before.push(message);
                    before
                }
                _ => vec![message],
            },
            _ => vec![message],
        }
    }

    fn said(&self, said: FromRelay) -> Option<FromRelay> {
        match (said, self.lie) {
            (FromRelay::Epoch { .. }, Some(Lie::Hide)) => None,
            (FromRelay::Checked { request, .. }, Some(Lie::Hide)) => Some(FromRelay::Checked {
                request,
                revoked: false,
                epoch: 0,
                at: 0,
            }),
            (FromRelay::Epoch { epoch }, Some(Lie::Invent(capability))) => {
                let signed = SignedEpoch::decode(&epoch).expect("a keeper has signed it");
                let mut invented = signed.epoch().clone();
                invented.revoked = vec![capability];
                // Another's signature is all that it has.
                let signature = &epoch[epoch.len() - 64..];
                Some(FromRelay::Epoch {
                    epoch: [&invented.to_sign(), signature].concat(),
                })
            }
            (FromRelay::Checked { request, epoch, at, .. }, Some(Lie::Invent(_))) => Some(FromRelay::Checked {
                request,
                revoked: true,
                epoch,
                at,
            }),
            (said, _) => Some(said),
        }
    }
}

/// What the relay says in somebody's place. It has neither their keys nor a word of what they have sealed.
fn resealed(receiver: &AgreementKey, id: EnvelopeId) -> Vec<u8> {
    const SHARES: u8 = 1;
    let first = Place {
        stream: 1,
        sequence: 1,
        base: 1,
        previous: [0; 32],
        part: 0,
        parts: 1,
    };
    let ask = json!({"kind": "ask", "id": id, "words": "Let me see everything"});
    let (own, id, content) = (
        Identity::random(),
        id.uuid(),
        [&[1], ask.to_string().as_bytes()].concat(),
    );
    seal_envelope(&own, receiver, id.as_bytes(), SHARES, &first, &content, &[7; 32]).expect("it can be sealed")
}

fn text_of(message: &FromRelay) -> Message {
    Message::text(serde_json::to_string(message).expect("it is JSON"))
}
