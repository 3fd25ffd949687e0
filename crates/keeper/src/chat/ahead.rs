//! A turn on its way to the agent. A new message is given to an agent that is ready while it is being written down, so that the first word
//! does not wait for the disk: nobody hears of it before it is written, and one that cannot be written is stopped.

use futures::FutureExt as _;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::conversation::Conversation;
use super::journal::{Act, TurnRecord};
use super::{Chat, TurnUnderWay};
use crate::gateway::{Gateway, GatewayError, GatewayEvent, SendStatus};
use crate::limits::{GATEWAY_RETRY, GATEWAY_RETRY_FOR};

/// A turn that is sent, and where its events are heard.
pub(super) struct Sent {
    pub gateway: Gateway,
    pub events: Receiver<GatewayEvent>,
    pub answer: JoinHandle<Result<SendStatus, GatewayError>>,
}

/// A turn that was sent before it is written down. Dropped before it is [taken](Self::taken), it is stopped.
pub(super) struct Ahead(Option<OnItsWay>);

struct OnItsWay {
    session: String,
    key: String,
    under_way: Box<dyn TurnUnderWay>,
    sent: Sent,
}

impl Sent {
    /// Sends it; again as long as an agent that starts says so.
    pub(super) fn to(gateway: Gateway, session: &str, key: &str, words: &str) -> Self {
        let events = gateway.events();
        let sending = gateway.clone();
        let (session, key, words) = (session.to_owned(), key.to_owned(), words.to_owned());
        let answer = tokio::spawn(async move {
            let started = Instant::now();
            loop {
                match sending.chat_send(&session, &key, &words).await {
                    Err(error) if is_retryable(&error) && started.elapsed() < GATEWAY_RETRY_FOR => {
                        tokio::time::sleep(GATEWAY_RETRY).await;
                    }
                    sent => break sent,
                }
            }
        });
        Self {
            gateway,
            events,
            answer,
        }
    }
}

fn is_retryable(error: &GatewayError) -> bool {
    match error {
        GatewayError::Starting { .. } => true,
        GatewayError::Refused { code, .. } => code == "UNAVAILABLE",
        GatewayError::Closed | GatewayError::TimedOut { .. } | GatewayError::Protocol(_) => false,
    }
}

impl Chat {
    /// Sends a new message, if the agent is ready this moment and there is no more to it than that.
    pub(super) fn ahead(&self, conversation: &Conversation, turn: &TurnRecord) -> Option<Ahead> {
        if turn.act != Act::Send || turn.functions.is_some() {
            return None;
        }
        let under_way = self.inner.seat.turn_started();
        let gateway = self.inner.seat.ready().now_or_never()?.ok()?;
        let sent = Sent::to(gateway, &conversation.session, &turn.key, &turn.text);
        Some(Ahead(Some(OnItsWay {
            session: conversation.session.clone(),
            key: turn.key.clone(),
            under_way,
            sent,
        })))
    }
}

impl Ahead {
    /// It is written down, and goes on as any other.
    pub(super) fn taken(mut self) -> Option<(Box<dyn TurnUnderWay>, Sent)> {
        self.0.take().map(|way| (way.under_way, way.sent))
    }

    /// The agent is not to go on with it.
    pub(super) async fn stopped(mut self) {
        if let Some(way) = self.0.take() {
            way.stop().await;
        }
    }
}

impl OnItsWay {
    async fn stop(self) {
        if let Ok(Ok(_)) = self.sent.answer.await
            && let Err(error) = self.sent.gateway.chat_abort(&self.session, &self.key).await
        {
            tracing::warn!(%error, "a turn that was on its way is not stopped");
        }
        drop(self.under_way);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(way) = self.0.take() {
            tokio::spawn(way.stop());
        }
    }
}
