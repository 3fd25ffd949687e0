//! Conversations, messages and their events, as they travel inside the channel.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::channel::ChannelError;
use crate::functions::Call;

/// One row of the list of conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Lower-case, chosen by the keeper.
    pub id: String,
    pub title: String,
    pub updated: Millis,
    pub running: bool,
    pub unread: bool,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = MessageStatus))]
pub enum Status {
    Running,
    Done,
    Aborted,
    Failed,
    /// The agent stopped while it answered; nothing was repeated on its own.
    Interrupted,
}

/// How a tool call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ToolState {
    Running,
    Ok,
    Failed,
}

/// A piece of a message, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text {
        text: String,
    },
    Tool {
        id: String,
        name: String,
        input: String,
        output: String,
        state: ToolState,
    },
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub role: Role,
    pub at: Millis,
    pub status: Status,
    /// The idempotency key of the turn that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ChannelError>,
    pub parts: Vec<Part>,
}

/// One event of a conversation; `seq` rises by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatEvent {
    pub conversation: String,
    pub seq: u64,
    pub turn: String,
    #[serde(flatten)]
    pub kind: ChatEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatEventKind {
    /// The user's message is written down.
    Accepted {
        message: Message,
        /// This message and everything after it is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<String>,
    },
    /// What the agent does before it speaks.
    Phase {
        phase: String,
    },
    Text {
        delta: String,
    },
    Tool {
        id: String,
        name: String,
        phase: ToolPhase,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        #[serde(default)]
        is_error: bool,
    },
    /// The agent waits for the client to carry these out, all of them: `chat.results`.
    Calls {
        calls: Vec<Call>,
    },
    /// The whole answer, not yet sealed.
    Answered {
        message: Message,
    },
    /// Sealed: it survives anything.
    Saved,
    /// It could not be sealed, for this reason. That is tried again: `Saved` follows when it has worked.
    NotSaved {
        message: String,
    },
    Failed {
        code: String,
        message: String,
        /// What came of it is in the agent's home, not yet sealed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        saving: bool,
    },
    Aborted {
        message: Option<Message>,
        /// What came of it is in the agent's home, not yet sealed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        saving: bool,
    },
    Interrupted {
        message: Option<Message>,
    },
}

/// Progress of one tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ToolPhase {
    Start,
    Update,
    Result,
}

/// How far the cell is from answering (event `cell`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellPhase {
    OpeningVault,
    RestoringHome,
    StartingAgent,
    WarmingUp,
    Ready,
    Paused,
    Asleep,
    Failed,
}

/// Data of the event `cell`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellEvent {
    pub phase: CellPhase,
    pub since: Millis,
    /// How long this phase took lately, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
