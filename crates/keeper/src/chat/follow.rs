//! Listening to one run until it ends, through losses of the connection to the agent.

use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::Status;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::conversation::Conversation;
use super::{Chat, failure};
use crate::gateway::{Gateway, GatewayEvent, RunEventKind};
use crate::limits::{ABORT_ANSWER, AGENT_BACK_WITHIN};

/// How a turn ended.
pub(super) enum End {
    Answered,
    Aborted,
    Failed(ChannelError),
    /// The agent went away while it answered, or does not know any more.
    Gone,
    /// It ended before the agent had it.
    NotGiven(Status, Option<ChannelError>),
    Locked,
}

/// A run that the agent was given.
pub(super) mod followed {
    use tokio::sync::broadcast::Receiver;

    use crate::gateway::{Gateway, GatewayEvent};

    pub(in crate::chat) type Run = (Gateway, Receiver<GatewayEvent>);
}

impl Chat {
    /// Tells what the agent does until the run ends.
    pub(super) async fn follow(
        &self,
        conversation: &Conversation,
        mut gateway: Gateway,
        mut events: tokio::sync::broadcast::Receiver<GatewayEvent>,
        key: &str,
        abort: &Notify,
    ) -> End {
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = abort.notified(), if !stopping => {
                    stopping = true;
                    match timeout(ABORT_ANSWER, gateway.chat_abort(&conversation.session, key)).await {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => tracing::debug!(%error, "a turn is not stopped"),
                        Err(_) => return End::Aborted,
                    }
                    continue;
                }
                () = tokio::time::sleep(ABORT_ANSWER), if stopping => return End::Aborted,
            };
            match event {
                Ok(GatewayEvent::Run(event)) if event.run_id == key => {
                    if let Some(end) = self.run_event(conversation, key, &event.kind) {
                        return end;
                    }
                }
                Ok(GatewayEvent::Closed) | Err(RecvError::Closed) => match self.reconnected(conversation, key).await {
                    Ok((again, receiver)) => (gateway, events) = (again, receiver),
                    Err(end) => return end,
                },
                Err(RecvError::Lagged(_)) => {
                    missed(conversation);
                    // The end may have been among it.
                    if runs(&gateway, conversation, key).await == Some(false) {
                        return End::Gone;
                    }
                }
                Ok(_) => {}
            }
        }
    }

    fn run_event(&self, conversation: &Conversation, key: &str, kind: &RunEventKind) -> Option<End> {
        let mut state = conversation.state();
        let running = state.running.as_mut().filter(|running| running.key == key)?;
        let (told, end) = match kind {
            RunEventKind::Final { text, .. } => (running.answer.close(text), Some(End::Answered)),
            RunEventKind::Aborted { text } => {
                let told = text.as_ref().map(|text| running.answer.close(text)).unwrap_or_default();
                (told, Some(End::Aborted))
            }
            RunEventKind::Error { message, kind } => {
                let mut error = failure::of_run(message, kind.as_deref());
                if let Some(words) = &running.answer.provider_said {
                    error = failure::with_the_providers_words(&error, words);
                }
                (Vec::new(), Some(End::Failed(error)))
            }
            other => (running.answer.take(other), None),
        };
        running.use_of_vault.heard();
        state.tell(&conversation.id, key, told);
        end
    }

    /// The connection broke. If the agent is back at once and still at this run, it goes on; else the turn is over.
    async fn reconnected(&self, conversation: &Conversation, key: &str) -> Result<followed::Run, End> {
        missed(conversation);
        let gateway = match timeout(AGENT_BACK_WITHIN, self.inner.seat.ready()).await {
            Ok(Ok(gateway)) => gateway,
            Ok(Err(error)) if error.code == "vault_locked" => return Err(End::Locked),
            Ok(Err(_)) | Err(_) => return Err(End::Gone),
        };
        let events = gateway.events();
        match runs(&gateway, conversation, key).await {
            Some(true) => Ok((gateway, events)),
            _ => Err(End::Gone),
        }
    }
}

/// Whether the agent is still at it; `None` where it does not say so in time.
async fn runs(gateway: &Gateway, conversation: &Conversation, key: &str) -> Option<bool> {
    let running = timeout(Duration::from_secs(5), gateway.runs(&conversation.session)).await;
    let running = running.ok()?.ok()?;
    Some(running.iter().any(|run| run == key))
}

/// Some of the run's events will never come.
fn missed(conversation: &Conversation) {
    if let Some(running) = conversation.state().running.as_mut() {
        running.answer.incomplete = true;
    }
}
