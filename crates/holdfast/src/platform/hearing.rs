//! The events of one channel, sorted to whoever listens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::client::{Event, Events};
use management::AgentEvent;
use tokio::sync::mpsc;

use crate::limits;

/// Who listens to which conversation; nobody once the channel has ended or its vault was locked.
pub(super) struct Hearing(Mutex<Option<Hearers>>);

type Hearers = HashMap<String, Vec<mpsc::Sender<AgentEvent>>>;

impl Hearing {
    /// Sorts events until they end.
    pub(super) fn start(mut events: Events) -> Arc<Self> {
        let hearing = Arc::new(Self(Mutex::new(Some(Hearers::new()))));
        let told = Arc::clone(&hearing);
        tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                told.tell(event);
            }
            told.end();
        });
        hearing
    }

    fn hearers(&self) -> MutexGuard<'_, Option<Hearers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.hearers().is_some()
    }

    /// Lets go of everybody: they see that nothing more comes.
    pub(super) fn end(&self) {
        *self.hearers() = None;
    }

    pub(super) fn hear(&self, conversation: &str) -> mpsc::Receiver<AgentEvent> {
        let (sender, receiver) = mpsc::channel(limits::PLATFORM_EVENTS);
        if let Some(hearers) = self.hearers().as_mut() {
            let listening = hearers.entry(conversation.to_owned()).or_default();
            listening.retain(|hearer| !hearer.is_closed());
            listening.push(sender);
        }
        receiver
    }

    pub(super) fn forget(&self, conversation: &str) {
        if let Some(hearers) = self.hearers().as_mut() {
            hearers.remove(conversation);
        }
    }

    fn tell(&self, event: Event) {
        match event.event.as_str() {
            "chat" => {
                let Ok(event) = serde_json::from_value::<protocol::chat::ChatEvent>(event.data) else {
                    return;
                };
                if let Some(hearers) = self.hearers().as_mut()
                    && let Some(listening) = hearers.get_mut(&event.conversation)
                {
                    // Who does not read is let go, and looks up how the turn stands.
                    listening.retain(|hearer| hearer.try_send(AgentEvent::Chat(event.clone())).is_ok());
                    if listening.is_empty() {
                        hearers.remove(&event.conversation);
                    }
                }
            }
            "cell" => {
                let Ok(event) = serde_json::from_value::<protocol::chat::CellEvent>(event.data) else {
                    return;
                };
                if let Some(hearers) = self.hearers().as_mut() {
                    for listening in hearers.values_mut() {
                        listening.retain(|hearer| hearer.try_send(AgentEvent::Cell(event.clone())).is_ok());
                    }
                    hearers.retain(|_, listening| !listening.is_empty());
                }
            }
            "vault" if event.data["vault"] == "locked" && event.data.get("locks_in_ms").is_none() => self.end(),
            _ => {}
        }
    }
}
