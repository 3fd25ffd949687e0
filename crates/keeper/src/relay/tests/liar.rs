//! A relay that lies: it speaks the protocol, keeps everything in memory, and does with it what a test tells it to.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{SinkExt as _, StreamExt as _};
use protocol::EnvelopeId;
use protocol::relay::epoch::SignedEpoch;
use protocol::relay::frame::{MailboxFrame, RelayFrame};
use protocol::relay::{FromMailbox, FromRelay, MailboxKey, PROOF_PURPOSE, Refusal, VERSION, proof_message};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    Honest,
    /// Says that it keeps the n-th envelope, and does not.
    Drop(u64),
    /// Delivers the n-th after the one after it.
    Late(u64),
    /// Delivers everything twice.
    Twice,
    /// Delivers, beside everything, something of its own.
    Invent,
    /// Takes envelopes and epochs without a word, and keeps none.
    Mute,
    /// Takes the n-th for the receiver's last, and says that the mailbox is full.
    Refuse(u64),
    /// Keeps what was acknowledged, and delivers it again.
    Keep,
    /// Does not push this epoch, and those after it.
    Skip(u64),
    /// Pushes no epoch from this one on, and says that it has none of them.
    SkipAndSay(u64),
    /// Says that everything is revoked.
    AllRevoked,
    /// Says that it has no epochs of anybody.
    NoneRevoked,
    /// Says of each envelope that it has taken revocations, too, of which there are none.
    Published,
    /// Says that it keeps no more revocations for now.
    Full,
    /// Reads nothing more of those who are connected, who stay so. It hears those who come now.
    Deaf,
}

struct Kept {
    number: u64,
    id: EnvelopeId,
    sealed: Vec<u8>,
}

struct State {
    lie: Lie,
    relay: [u8; 32],
    number: u64,
    kept: HashMap<MailboxKey, Vec<Kept>>,
    /// All that it was ever given, as it was given.
    passed: Vec<Vec<u8>>,
    late: Option<(MailboxKey, Message)>,
    epochs: HashMap<MailboxKey, Vec<Vec<u8>>>,
    follow: HashSet<(MailboxKey, MailboxKey)>,
    connected: HashMap<MailboxKey, mpsc::UnboundedSender<Message>>,
    connections: usize,
    swallowed: usize,
}

#[derive(Clone)]
pub struct Liar {
    _dir: Arc<TempDir>,
    pub socket: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Liar {
    pub fn start(lie: Lie) -> Self {
        let dir = TempDir::new().unwrap();
        let socket = dir.path().join("platform.sock");
        let liar = Self {
            _dir: Arc::new(dir),
            socket,
            state: Arc::new(Mutex::new(State {
                lie,
                relay: [7; 32],
                number: 0,
                kept: HashMap::new(),
                passed: Vec::new(),
                late: None,
                epochs: HashMap::new(),
                follow: HashSet::new(),
                connected: HashMap::new(),
                connections: 0,
                swallowed: 0,
            })),
        };
        liar.listen(&liar.socket);
        liar
    }

    fn listen(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let state = self.state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(state.clone(), stream));
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self, lie: Lie) {
        self.state().lie = lie;
    }

    /// Ends a connection.
    pub fn hang_up(&self, who: MailboxKey) {
        self.state().connected.remove(&who);
    }

    pub fn waiting(&self, who: MailboxKey) -> usize {
        self.state().kept.get(&who).map_or(0, Vec::len)
    }

    /// How often somebody came.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How many it took without a word.
    pub fn swallowed(&self) -> usize {
        self.state().swallowed
    }

    /// Everything that it could read, of all envelopes that it was ever given.
    pub fn passed(&self) -> Vec<Vec<u8>> {
        self.state().passed.clone()
    }

    /// Becomes another relay, with nothing of this one.
    pub fn be_another(&self) {
        let mut state = self.state();
        state.relay = [8; 32];
        state.kept.clear();
        state.epochs.clear();
        state.connected.clear();
    }
}

fn text(message: &FromRelay) -> Message {
    Message::text(serde_json::to_string(message).unwrap())
}

async fn serve(state: Arc<Mutex<State>>, stream: UnixStream) {
    let Ok(mut socket) = accept_async(stream).await else {
        return;
    };
    let relay = state.lock().unwrap().relay;
    let challenge = FromRelay::Challenge {
        version: VERSION,
        relay: relay.to_vec(),
        challenge: vec![9; 32],
    };
    socket.send(text(&challenge)).await.unwrap();
    let Some(Ok(Message::Text(proof))) = socket.next().await else {
        return;
    };
    let FromMailbox::Prove { key, signature, .. } = serde_json::from_str(&proof).unwrap() else {
        panic!()
    };
    let message = proof_message(&relay, &[9; 32]);
    assert!(key.signed(PROOF_PURPOSE, &message, &signature.try_into().unwrap()));
    let (sender, mut to_send) = mpsc::unbounded_channel();
    {
        let mut state = state.lock().unwrap();
        let epoch = state.epochs.get(&key).map_or(0, Vec::len) as u64;
        sender.send(text(&FromRelay::Welcome { waiting: 0, epoch })).unwrap();
        for kept in state.kept.get(&key).into_iter().flatten() {
            sender.send(deliver(kept)).unwrap();
        }
        state.connected.insert(key, sender);
        state.connections += 1;
    }
    let is_deaf = || state.lock().unwrap().lie == Lie::Deaf;
    let comes_late = is_deaf();
    let mut deaf = false;
    loop {
        deaf |= is_deaf() && !comes_late;
        tokio::select! {
            message = to_send.recv() => match message {
                Some(message) => if socket.send(message).await.is_err() { return },
                None => return,
            },
            message = socket.next(), if !deaf => match message {
                Some(Ok(Message::Binary(frame))) => state.lock().unwrap().frame(key, &frame),
                Some(Ok(Message::Text(text))) => state.lock().unwrap().text(key, &text),
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

fn deliver(kept: &Kept) -> Message {
    let Kept { number, id, sealed } = kept;
    Message::binary(
        RelayFrame::Deliver {
            number: *number,
            at: 1,
            id: *id,
            sealed,
        }
        .encode(),
    )
}

impl State {
    fn tell(&self, who: MailboxKey, message: Message) {
        if let Some(connected) = self.connected.get(&who) {
            let _gone = connected.send(message);
        }
    }

    fn frame(&mut self, from: MailboxKey, frame: &[u8]) {
        match MailboxFrame::decode(frame).unwrap() {
            MailboxFrame::Ack(_) if self.lie == Lie::Keep => {}
            MailboxFrame::Ack(numbers) => {
                if let Some(kept) = self.kept.get_mut(&from) {
                    kept.retain(|kept| !numbers.contains(&kept.number));
                }
            }
            MailboxFrame::Send { .. } if self.lie == Lie::Mute => self.swallowed += 1,
            MailboxFrame::Send { to, id, sealed } => {
                self.number += 1;
                self.passed.push(sealed.to_vec());
                if self.lie == Lie::Published {
                    self.tell(from, text(&FromRelay::Published { number: 99 }));
                }
                let number = self.number;
                if self.lie == Lie::Refuse(number) {
                    let (code, message) = (Refusal::MailboxFull, "full".to_owned());
                    return self.tell(from, text(&FromRelay::Refused { id, code, message }));
                }
                self.tell(from, Message::binary(RelayFrame::Accepted(vec![id]).encode()));
                let kept = Kept {
                    number,
                    id,
                    sealed: sealed.to_vec(),
                };
                let message = deliver(&kept);
                match self.lie {
                    Lie::Drop(dropped) if dropped == number => return,
                    Lie::Late(late) if late == number => self.late = Some((to, message)),
                    lie => {
                        self.tell(to, message.clone());
                        if lie == Lie::Twice {
                            self.tell(to, message);
                        }
                        if lie == Lie::Invent {
                            let (number, id) = (number + 1000, EnvelopeId::new());
                            self.tell(
                                to,
                                deliver(&Kept {
                                    number,
                                    id,
                                    sealed: vec![1; sealed.len()],
                                }),
                            );
                        }
                        if let Some((to, late)) = self.late.take() {
                            self.tell(to, late);
                        }
                    }
                }
                self.kept.entry(to).or_default().push(kept);
            }
        }
    }

    fn text(&mut self, from: MailboxKey, message: &str) {
        match serde_json::from_str(message).unwrap() {
            FromMailbox::Prove { .. } => panic!(),
            FromMailbox::Publish { .. } if self.lie == Lie::Mute => self.swallowed += 1,
            FromMailbox::Publish { .. } if self.lie == Lie::Full => {
                self.swallowed += 1;
                let number = self.epochs.get(&from).map_or(0, Vec::len) as u64;
                let (code, message) = (Refusal::LimitReached, "EPOCHS_A_DAY".to_owned());
                self.tell(from, text(&FromRelay::NotPublished { number, code, message }));
            }
            FromMailbox::Publish { epoch } => {
                let number = SignedEpoch::decode(&epoch).unwrap().epoch().number;
                let epochs = self.epochs.entry(from).or_default();
                assert_eq!(epochs.len() as u64 + 1, number);
                epochs.push(epoch);
                self.tell(from, text(&FromRelay::Published { number }));
                let followers: Vec<_> = self
                    .follow
                    .iter()
                    .filter(|(_, issuer)| *issuer == from)
                    .copied()
                    .collect();
                for (follower, issuer) in followers {
                    self.push(follower, issuer, number - 1);
                }
            }
            FromMailbox::Follow { issuers } => {
                for following in issuers {
                    self.follow.insert((from, following.issuer));
                    self.push(from, following.issuer, following.after);
                }
            }
            FromMailbox::Unfollow { issuer } => {
                self.follow.remove(&(from, issuer));
            }
            FromMailbox::Check { request, issuer, .. } => {
                let epoch = match self.lie {
                    Lie::NoneRevoked => 0,
                    Lie::SkipAndSay(number) => number - 1,
                    _ => self.epochs.get(&issuer).map_or(0, Vec::len) as u64,
                };
                let revoked = self.lie == Lie::AllRevoked;
                self.tell(
                    from,
                    text(&FromRelay::Checked {
                        request,
                        revoked,
                        epoch,
                        at: 0,
                    }),
                );
            }
        }
    }

    fn push(&self, to: MailboxKey, issuer: MailboxKey, after: u64) {
        for (epoch, number) in self.epochs.get(&issuer).into_iter().flatten().zip(1_u64..) {
            let is_hidden = match self.lie {
                Lie::Skip(hidden) => number == hidden,
                Lie::SkipAndSay(hidden) => number >= hidden,
                _ => false,
            };
            if number > after && !is_hidden {
                self.tell(to, text(&FromRelay::Epoch { epoch: epoch.clone() }));
            }
        }
    }
}
