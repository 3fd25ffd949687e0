//! One connection to the relay: proves whose mailbox it is, then sends what waits in the vault and takes what arrives.

mod fetching;
mod sending;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use protocol::channel::VaultState;
use protocol::limits::RELAY_WINDOW;
use protocol::relay::frame::{MailboxFrame, RelayFrame};
use protocol::relay::{Following, FromMailbox, FromRelay, MailboxKey, PROOF_PURPOSE, Refusal, VERSION, proof_message};
use protocol::{EnvelopeId, b64};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use vault::Identity;

use super::incoming::Incoming;
use super::records;
use super::revocations::{settle, take_epoch};
use super::service::{Answered, Asked, Shared};
use super::{Received, RelayError, RelayNotice, Taken, Topic};
use crate::limits::{RELAY_ANSWER, RELAY_PUBLISH_AGAIN, RELAY_SILENCE};
use crate::platform::ChannelSocket;

/// Between two looks for what is missing for too long.
const LOOK: Duration = Duration::from_secs(1);
/// Which relay this vault knows.
const KNOWN: &str = "relay/known";

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("the connection broke")]
    Broken,
    #[error("it did not answer in time")]
    Silent,
    #[error("it sent what this keeper does not understand")]
    Malformed,
    #[error("it ended the connection: {0}")]
    Refused(String),
    #[error("the vault was locked")]
    Locked,
    #[error("the vault: {0}")]
    Vault(#[from] RelayError),
}

/// What an envelope waits for that was sent.
struct Flight {
    to: MailboxKey,
    /// Its record.
    name: String,
    message: EnvelopeId,
    last_part: bool,
    link: [u8; 32],
    since: Instant,
}

/// A message that is with the application.
struct Serving {
    from: MailboxKey,
    numbers: Vec<u64>,
    after: records::From,
    /// It is not, since whoever receives its topic could not take it: it is given to them at the next look.
    waits: Option<(Topic, Received)>,
}

struct Session<'a> {
    shared: &'a Shared,
    identity: Identity,
    own: MailboxKey,
    sink: SplitSink<ChannelSocket, Message>,
    /// Receivers to whom something is under way: one at a time each, so that what is refused leaves no gap.
    busy: HashSet<MailboxKey>,
    flights: HashMap<EnvelopeId, Flight>,
    incoming: HashMap<MailboxKey, (vault::PublicIdentity, Incoming)>,
    serving: HashMap<EnvelopeId, Serving>,
    taken: mpsc::Sender<Taken>,
    /// The relay's numbers that came on this connection.
    came: HashSet<u64>,
    checks: HashMap<u64, oneshot::Sender<Result<Answered, RelayError>>>,
    next_check: u64,
    /// So many of our epochs the relay had when it was reached.
    relay_had: u64,
    /// Since when the vault has so few of them and waits for the next.
    behind: Option<(Instant, u64)>,
    /// Our last epoch that the relay has; none when it refused one.
    published: Option<u64>,
    /// Since when one is under way.
    publishing: Option<Instant>,
    /// Since when none is brought, as it keeps no more for now.
    resting: Option<Instant>,
    /// When the relay last sent anything, and when it last said what became of something that was sent to it.
    heard: Instant,
    answered: Instant,
}

/// Serves one connection to its end.
pub(super) async fn run(shared: &Shared, welcomed: &mut bool) -> Ended {
    match serve(shared, welcomed).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn serve(shared: &Shared, welcomed: &mut bool) -> Result<std::convert::Infallible, Ended> {
    let identity = shared.vault.identity().await.map_err(RelayError::from)?;
    let own = MailboxKey(identity.public().signing_key());
    let mut state = shared.vault.watch();
    let mut socket = shared.platform.dial_relay().await.map_err(Ended::Unreachable)?;
    let proving = prove(shared, &identity, own, &mut socket);
    let epoch = tokio::time::timeout(RELAY_ANSWER, proving)
        .await
        .map_err(|_| Ended::Silent)??;
    *welcomed = true;

    let (sink, mut stream) = socket.split();
    let (taken, mut to_write_down) = mpsc::channel(RELAY_WINDOW);
    let (asked, mut questions) = mpsc::unbounded_channel();
    let mut session = Session {
        shared,
        identity,
        own,
        sink,
        busy: HashSet::new(),
        flights: HashMap::new(),
        incoming: HashMap::new(),
        serving: HashMap::new(),
        taken,
        came: HashSet::new(),
        checks: HashMap::new(),
        next_check: 1,
        relay_had: epoch,
        behind: Some((Instant::now(), 0)),
        published: Some(epoch),
        publishing: None,
        resting: None,
        heard: Instant::now(),
        answered: Instant::now(),
    };
    settle(shared, &session.identity, epoch).await?;
    session.follow_all(epoch).await?;
    shared.answer_with(Some(asked));
    session.send_waiting().await?;
    session.publish().await?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = locked(&mut state) => return Err(Ended::Locked),
            () = shared.changed.notified() => {
                session.send_waiting().await?;
                session.publish().await?;
            }
            message = next(&mut stream) => {
                let message = message?;
                session.heard = Instant::now();
                match message {
                    Message::Binary(frame) => session.frame(&frame).await?,
                    Message::Text(text) => session.text(&text).await?,
                    _ => {}
                }
            }
            Some(taken) = to_write_down.recv() => session.write_down(taken).await?,
            Some(asked) = questions.recv() => session.ask(asked).await?,
            _ = look.tick() => {
                session.is_answered()?;
                session.is_shown()?;
                session.look().await?;
                session.publish_again().await?;
            }
        }
    }
}

async fn locked(state: &mut watch::Receiver<VaultState>) {
    // A vault that is gone is locked, too.
    let _locked = state.wait_for(|state| *state != VaultState::Unlocked).await;
}

async fn next(stream: &mut SplitStream<ChannelSocket>) -> Result<Message, Ended> {
    match stream.next().await {
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended::Broken),
        Some(Ok(message)) => Ok(message),
    }
}

/// The handshake; gives the number of our last epoch that the relay has.
async fn prove(
    shared: &Shared,
    identity: &Identity,
    own: MailboxKey,
    socket: &mut ChannelSocket,
) -> Result<u64, Ended> {
    let FromRelay::Challenge {
        version: VERSION,
        relay,
        challenge,
    } = hear(socket).await?
    else {
        return Err(Ended::Malformed);
    };
    let relay: [u8; 32] = relay.try_into().map_err(|_| Ended::Malformed)?;
    let challenge = challenge.try_into().map_err(|_| Ended::Malformed)?;
    let prove = FromMailbox::Prove {
        version: VERSION,
        key: own,
        signature: identity
            .sign_for(PROOF_PURPOSE, &proof_message(&relay, &challenge))
            .to_vec(),
    };
    let text = serde_json::to_string(&prove).map_err(|_| Ended::Malformed)?;
    socket.send(Message::text(text)).await.map_err(|_| Ended::Broken)?;
    let epoch = match hear(socket).await? {
        FromRelay::Welcome { epoch, .. } => epoch,
        FromRelay::Error { message, .. } => return Err(Ended::Refused(message)),
        _ => return Err(Ended::Malformed),
    };
    know(shared, own, &relay).await?;
    Ok(epoch)
}

/// Remembers which relay this is; another one than before is named.
async fn know(shared: &Shared, own: MailboxKey, relay: &[u8; 32]) -> Result<(), Ended> {
    let known = shared.vault.get_record(KNOWN).map_err(RelayError::from)?;
    match known.as_deref().map(Vec::as_slice) {
        Some(known) if known == relay => return Ok(()),
        Some(_) => {
            let what = "this is another relay than before: what waited at the other one may not come".to_owned();
            shared.notice(RelayNotice::Odd { about: own, what });
        }
        None => {}
    }
    let remembered = shared.vault.put_record(KNOWN, relay).await;
    Ok(remembered.map_err(RelayError::from)?)
}

async fn hear(socket: &mut ChannelSocket) -> Result<FromRelay, Ended> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).map_err(|_| Ended::Malformed),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Ended::Broken),
        }
    }
}

impl Session<'_> {
    /// Sends. Nothing else is looked at meanwhile, so a relay that does not read is left; and at once when the vault is locked, since the
    /// keys of the vault are here.
    async fn put(&mut self, message: Message) -> Result<(), Ended> {
        let mut state = self.shared.vault.watch();
        tokio::select! {
            () = locked(&mut state) => Err(Ended::Locked),
            sent = tokio::time::timeout(RELAY_ANSWER, self.sink.send(message)) => match sent {
                Ok(sent) => sent.map_err(|_| Ended::Broken),
                Err(_) => Err(Ended::Silent),
            },
        }
    }

    async fn say(&mut self, message: &FromMailbox) -> Result<(), Ended> {
        let text = serde_json::to_string(message).map_err(|_| Ended::Malformed)?;
        self.put(Message::text(text)).await
    }

    async fn acknowledge(&mut self, numbers: Vec<u64>) -> Result<(), Ended> {
        if numbers.is_empty() {
            return Ok(());
        }
        let frame = MailboxFrame::Ack(numbers).encode();
        self.put(Message::binary(frame)).await
    }

    /// A relay that leaves without an answer what was sent, or is not there any more and nobody has said so, is left: the next connection
    /// sends it again.
    fn is_answered(&self) -> Result<(), Ended> {
        let sent = self.flights.values().map(|flight| flight.since);
        // One that is slow and goes on answering is waited for.
        let late = sent
            .chain(self.publishing)
            .any(|since| since.max(self.answered).elapsed() > RELAY_ANSWER);
        match late || self.heard.elapsed() > RELAY_SILENCE {
            true => Err(Ended::Silent),
            false => Ok(()),
        }
    }

    /// Whether the relay was given our epoch of this number, and has not said yet what became of it.
    fn is_under_way(&self, number: u64) -> bool {
        self.publishing.is_some() && self.published.is_some_and(|published| published + 1 == number)
    }

    /// A relay that says that it has more of our epochs than this vault brings them: nothing is told of what is taken back here until then.
    fn is_shown(&mut self) -> Result<(), Ended> {
        let Some((since, before)) = self.behind else {
            return Ok(());
        };
        let has = records::own_head(&self.shared.vault)?.number;
        self.behind = if has >= self.relay_had {
            None
        } else if has > before {
            Some((Instant::now(), has))
        } else if since.elapsed() <= RELAY_ANSWER {
            Some((since, before))
        } else {
            let had = self.relay_had;
            let what = format!(
                "it says that it has {had} of this vault's revocations, and brings none after number {has}: until it does, nobody is told what is taken back here"
            );
            self.wrong(self.own, what);
            None
        };
        Ok(())
    }

    fn wrong(&self, about: MailboxKey, what: impl Into<String>) {
        let what = what.into();
        self.shared.notice(RelayNotice::Wrong { about, what });
    }

    fn odd(&self, about: MailboxKey, what: impl Into<String>) {
        let what = what.into();
        self.shared.notice(RelayNotice::Odd { about, what });
    }

    async fn frame(&mut self, frame: &[u8]) -> Result<(), Ended> {
        match RelayFrame::decode(frame).map_err(|_| Ended::Malformed)? {
            RelayFrame::Accepted(ids) => {
                self.answered = Instant::now();
                self.accepted(&ids).await
            }
            RelayFrame::Deliver { number, at, id, sealed } => self.delivered(number, at, id, sealed).await,
            RelayFrame::Returned { number, id, to } => self.returned(number, id, to).await,
        }
    }

    async fn text(&mut self, text: &str) -> Result<(), Ended> {
        match serde_json::from_str(text).map_err(|_| Ended::Malformed)? {
            FromRelay::Refused { id, code, message } => {
                self.answered = Instant::now();
                self.refused(id, code, message).await
            }
            FromRelay::Published { number } if !self.is_under_way(number) => {
                let what = format!(
                    "it says that it has taken this vault's revocations of number {number}, which were not sent to it"
                );
                self.wrong(self.own, what);
                Ok(())
            }
            FromRelay::Published { number } => {
                self.published = Some(number);
                self.publishing = None;
                self.answered = Instant::now();
                self.publish().await
            }
            FromRelay::NotPublished { number, .. } if self.publishing.is_none() => {
                let what =
                    format!("it refuses revocations after number {number} of this vault, which were not sent to it");
                self.wrong(self.own, what);
                Ok(())
            }
            // The next connection brings it again.
            FromRelay::NotPublished {
                code: Refusal::Unavailable,
                message,
                ..
            } => Err(Ended::Refused(message)),
            FromRelay::NotPublished {
                code: Refusal::LimitReached,
                message,
                ..
            } => {
                tracing::info!("the relay keeps no more of what this vault has revoked for now: {message}");
                self.shared.notice(RelayNotice::NotTold);
                self.publishing = None;
                self.resting = Some(Instant::now());
                self.answered = Instant::now();
                Ok(())
            }
            FromRelay::NotPublished { number, message, .. } => {
                self.odd(
                    self.own,
                    format!("it does not take this vault's revocations, of which it has {number}: {message}"),
                );
                self.published = None;
                self.publishing = None;
                Ok(())
            }
            FromRelay::Epoch { epoch } => {
                if take_epoch(self.shared, &self.own, &epoch).await? {
                    self.behind = None;
                }
                settle(self.shared, &self.identity, self.relay_had).await?;
                self.publish().await
            }
            FromRelay::Checked {
                request,
                revoked,
                epoch,
                ..
            } => {
                self.answer(request, Ok(Answered { revoked, epoch }));
                Ok(())
            }
            FromRelay::NotChecked { request, code } => {
                let message = "it cannot look now".to_owned();
                self.answer(request, Err(RelayError::Refused { code, message }));
                Ok(())
            }
            FromRelay::Error { message, .. } => Err(Ended::Refused(message)),
            FromRelay::Challenge { .. } | FromRelay::Welcome { .. } => Err(Ended::Malformed),
        }
    }

    fn answer(&mut self, request: u64, answer: Result<Answered, RelayError>) {
        if let Some(waiting) = self.checks.remove(&request) {
            let _gave_up = waiting.send(answer);
        }
    }

    async fn ask(&mut self, asked: Asked) -> Result<(), Ended> {
        match asked {
            Asked::Check {
                issuer,
                capability,
                answer,
            } => {
                let request = self.next_check;
                self.next_check += 1;
                self.checks.retain(|_, waiting| !waiting.is_closed());
                self.checks.insert(request, answer);
                self.say(&FromMailbox::Check {
                    request,
                    issuer,
                    capability,
                })
                .await
            }
            Asked::Follow(issuer) => {
                let issuers = vec![self.following(issuer)?];
                self.say(&FromMailbox::Follow { issuers }).await
            }
            Asked::Unfollow(issuer) => self.say(&FromMailbox::Unfollow { issuer }).await,
        }
    }

    fn following(&self, issuer: MailboxKey) -> Result<Following, RelayError> {
        let known = records::issuer(&self.shared.vault, &issuer)?;
        let after = known.map_or(0, |known| known.head().number);
        Ok(Following { issuer, after })
    }

    /// Follows whom this vault follows; and itself, from the last that it remembers, to see that it is the same one and what it does not.
    async fn follow_all(&mut self, epoch: u64) -> Result<(), Ended> {
        // What comes goes on from what is in the vault.
        self.shared.issuers.lock().await.clear();
        let mut issuers = Vec::new();
        for issuer in records::issuers(&self.shared.vault)? {
            match self.following(issuer) {
                Ok(following) => issuers.push(following),
                // Of a newer version, which goes on with it: until then all of theirs counts as revoked.
                Err(RelayError::Unreadable) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let own = records::own_head(&self.shared.vault)?.number;
        if epoch > 0 && epoch >= own {
            issuers.push(Following {
                issuer: self.own,
                after: own.saturating_sub(1),
            });
        }
        // Some at a time: a message has a limit.
        for some in issuers.chunks(100) {
            let issuers = some.to_vec();
            self.say(&FromMailbox::Follow { issuers }).await?;
        }
        Ok(())
    }

    /// Goes on where the relay kept no more for a while.
    async fn publish_again(&mut self) -> Result<(), Ended> {
        if self
            .resting
            .take_if(|since| since.elapsed() >= RELAY_PUBLISH_AGAIN)
            .is_some()
        {
            self.publish().await?;
        }
        Ok(())
    }

    /// Sends the next of our epochs that the relay does not have.
    async fn publish(&mut self) -> Result<(), Ended> {
        let Some(published) = self.published.filter(|_| self.publishing.is_none()) else {
            return Ok(());
        };
        if published >= records::own_head(&self.shared.vault)?.number {
            return Ok(());
        }
        if self.resting.is_some() {
            self.shared.notice(RelayNotice::NotTold);
            return Ok(());
        }
        let Some(epoch) = records::own(&self.shared.vault, published + 1)? else {
            return Ok(());
        };
        self.publishing = Some(Instant::now());
        self.say(&FromMailbox::Publish { epoch }).await
    }
}

/// An id as it stands in a line of the log.
fn short(key: &MailboxKey) -> String {
    b64::encode(&key.0[..6])
}
