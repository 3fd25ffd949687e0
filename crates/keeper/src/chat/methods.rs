//! The `chat.*` methods of the channel (`docs/protocol.md`, section 2).

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::Millis;
use protocol::channel::ChannelError;
use protocol::chat::{ChatEvent, Conversation, Message};
use protocol::functions::{Call, CallResult, Offer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Chat, Listener};
use crate::channel::{Methods, Subscriber, read_value as read, unknown_method};

#[derive(Deserialize)]
struct Create {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    id: Option<Uuid>,
}

#[derive(Deserialize)]
struct Which {
    conversation: String,
}

#[derive(Deserialize)]
struct Rename {
    conversation: String,
    title: String,
}

#[derive(Deserialize)]
struct Open {
    conversation: String,
    #[serde(default)]
    after_seq: Option<u64>,
    #[serde(default)]
    before: Option<String>,
}

#[derive(Deserialize)]
struct Send {
    conversation: String,
    text: String,
    key: Uuid,
    #[serde(default)]
    functions: Option<Offer>,
}

#[derive(Deserialize)]
struct Results {
    conversation: String,
    turn: String,
    results: Vec<CallResult>,
}

#[derive(Deserialize)]
struct Run {
    conversation: String,
    job: String,
    key: Uuid,
}

#[derive(Deserialize)]
struct Abort {
    conversation: String,
    turn: String,
}

#[derive(Deserialize)]
struct Edit {
    conversation: String,
    message: String,
    text: String,
    key: Uuid,
}

#[derive(Deserialize)]
struct Regenerate {
    conversation: String,
    message: String,
    key: Uuid,
}

/// Answer to `chat.open`.
#[derive(Debug, Serialize)]
pub(super) struct Opened {
    /// Absent when the missed events were told instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// There are older messages.
    pub more: bool,
    pub running: Option<RunningTurn>,
    /// Turns among the messages that are answered, and in no sealed home yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub saving: Vec<String>,
    /// Why those could not be sealed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_saved: Option<String>,
    pub seq: u64,
}

/// The turn that the agent works on.
#[derive(Debug, Serialize)]
pub(super) struct RunningTurn {
    pub turn: String,
    pub started: Millis,
    /// What the client has to carry out before it goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

#[derive(Serialize)]
struct Listed {
    conversations: Vec<Conversation>,
}

impl Chat {
    /// Answers one method.
    pub(super) async fn handle(
        &self,
        method: &str,
        params: Value,
        listener: Arc<dyn Listener>,
    ) -> Result<Value, ChannelError> {
        self.watch(&listener);
        match method {
            "chat.list" => answer(&Listed {
                conversations: self.list()?,
            }),
            "chat.create" => {
                let Create { title, id } = read(params)?;
                answer(&json!({"conversation": self.create(title, id).await?}))
            }
            "chat.rename" => {
                let Rename { conversation, title } = read(params)?;
                self.rename(&conversation, &title).await?;
                Ok(json!({}))
            }
            "chat.delete" => {
                let Which { conversation } = read(params)?;
                self.delete(&conversation).await?;
                Ok(json!({}))
            }
            "chat.open" => {
                let open: Open = read(params)?;
                let before = open.before.as_deref();
                answer(&self.open(&open.conversation, open.after_seq, before, listener).await?)
            }
            "chat.send" => {
                let Send {
                    conversation,
                    text,
                    key,
                    functions,
                } = read(params)?;
                let accepted = self.send(&conversation, text, key.to_string(), functions).await?;
                Ok(accepted.told(key))
            }
            "chat.run" => {
                let Run { conversation, job, key } = read(params)?;
                let accepted = self.run_job(&conversation, &job, key.to_string()).await?;
                Ok(accepted.told(key))
            }
            "chat.results" => {
                let Results {
                    conversation,
                    turn,
                    results,
                } = read(params)?;
                self.results(&conversation, &turn, &results)?;
                Ok(json!({}))
            }
            "chat.abort" => {
                let Abort { conversation, turn } = read(params)?;
                self.abort(&conversation, &turn).await?;
                Ok(json!({}))
            }
            "chat.edit" => {
                let Edit {
                    conversation,
                    message,
                    text,
                    key,
                } = read(params)?;
                let accepted = self.edit(&conversation, message, text, key.to_string()).await?;
                Ok(accepted.told(key))
            }
            "chat.regenerate" => {
                let Regenerate {
                    conversation,
                    message,
                    key,
                } = read(params)?;
                let accepted = self.regenerate(&conversation, &message, key.to_string()).await?;
                Ok(accepted.told(key))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Chat {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        let (chat, method, listener) = (self.clone(), method.to_owned(), Arc::new(subscriber.clone()));
        Box::pin(async move {
            // Of its own, because a client that goes away must not leave half of it done.
            let call = tokio::spawn(async move { chat.handle(&method, params, listener).await });
            call.await
                .unwrap_or_else(|_| Err(ChannelError::new("internal", "The keeper failed at this: try again.")))
        })
    }
}

impl Listener for Subscriber {
    fn id(&self) -> u64 {
        Subscriber::id(self)
    }

    fn chat(&self, event: &ChatEvent) -> bool {
        self.event("chat", event)
    }

    fn chats(&self) -> bool {
        self.event("chats", &json!({}))
    }
}

fn answer(value: &impl Serialize) -> Result<Value, ChannelError> {
    serde_json::to_value(value).map_err(|_| ChannelError::new("internal", "The keeper failed at this: try again."))
}
