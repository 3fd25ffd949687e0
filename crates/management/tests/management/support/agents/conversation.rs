//! One conversation with an agent in memory, and what it says to what it is told.

use management::{AgentError, AgentEvent};
use protocol::channel::ChannelError;
use protocol::chat::{ChatEvent, ChatEventKind, Message, Part, Role, Status, ToolPhase, ToolState};
use protocol::functions::{Call, TOOL};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

#[derive(Default)]
pub struct Conversation {
    pub title: String,
    pub messages: Vec<Message>,
    pub running: Option<String>,
    /// Turns that are answered, and in no sealed home.
    pub unsealed: Vec<String>,
    /// They cannot be sealed.
    pub is_full: bool,
    /// What the client has to carry out in it, and how often more.
    pub calls: Vec<Call>,
    pub rounds: usize,
    /// Given the results, it waits for [`Agents::release`].
    pub is_slow: bool,
    /// Whoever listens has gone when it calls again.
    pub is_unheard: bool,
    pub hearers: Vec<mpsc::Sender<AgentEvent>>,
    pub seq: u64,
}

impl Conversation {
    pub fn tell(&mut self, id: &str, turn: &str, kind: ChatEventKind) {
        self.seq += 1;
        let event = ChatEvent {
            conversation: id.to_owned(),
            seq: self.seq,
            turn: turn.to_owned(),
            kind,
        };
        self.hearers
            .retain(|hearer| hearer.try_send(AgentEvent::Chat(event.clone())).is_ok());
    }
}

fn message(id: String, role: Role, status: Status, text: &str) -> Message {
    Message {
        id,
        role,
        at: 1,
        status,
        key: None,
        error: None,
        parts: vec![Part::Text { text: text.to_owned() }],
    }
}

pub fn send(id: &str, conversation: &mut Conversation, turn: &str, text: &str) {
    if conversation
        .messages
        .iter()
        .any(|message| message.id == format!("u-{turn}"))
    {
        return;
    }
    let asked = message(format!("u-{turn}"), Role::User, Status::Done, text);
    conversation.messages.push(asked.clone());
    conversation.tell(
        id,
        turn,
        ChatEventKind::Accepted {
            message: asked,
            replaces: None,
        },
    );
    if text.contains("half") {
        conversation.tell(id, turn, ChatEventKind::Text { delta: "so ".into() });
    }
    if text.contains("fail") {
        let code = text
            .split("fail with ")
            .nth(1)
            .unwrap_or("model_refused_key")
            .to_owned();
        let message = "It is refused.".to_owned();
        return conversation.tell(
            id,
            turn,
            ChatEventKind::Failed {
                code,
                message,
                saving: false,
            },
        );
    }
    if text.contains("hold") {
        conversation.running = Some(turn.to_owned());
        let running = message(format!("a-{turn}"), Role::Assistant, Status::Running, "so");
        conversation.messages.push(running);
        return conversation.tell(id, turn, ChatEventKind::Text { delta: "so ".into() });
    }
    if text.contains("tool") {
        for (phase, output) in [(ToolPhase::Start, None), (ToolPhase::Result, Some("done".to_owned()))] {
            let tool = ChatEventKind::Tool {
                id: "t1".into(),
                name: "exec".into(),
                phase,
                input: Some("{}".into()),
                output,
                is_error: false,
            };
            conversation.tell(id, turn, tool);
        }
    }
    answer(id, conversation, turn, &format!("You said: {text}"));
}

/// Calls every function that is offered, as often as the message has the word `again` and once more; none where it has the word `decline`.
pub fn call(id: &str, conversation: &mut Conversation, turn: &str, text: &str, offer: &Value) {
    if conversation
        .messages
        .iter()
        .any(|message| message.id == format!("u-{turn}"))
    {
        return;
    }
    conversation
        .messages
        .push(message(format!("u-{turn}"), Role::User, Status::Done, text));
    if text.contains("decline") {
        return answer(id, conversation, turn, "I had rather not.");
    }
    let running = message(format!("a-{turn}"), Role::Assistant, Status::Running, "Let me see. ");
    conversation.messages.push(running);
    conversation.running = Some(turn.to_owned());
    conversation.rounds = text.matches("again").count();
    conversation.is_slow = text.contains("slowly");
    conversation.is_unheard = text.contains("unheard");
    let said = ChatEventKind::Text {
        delta: "Let me see. ".into(),
    };
    conversation.tell(id, turn, said);
    ask(id, conversation, turn, offer["functions"].as_array().unwrap());
}

fn ask(id: &str, conversation: &mut Conversation, turn: &str, functions: &[Value]) {
    let calls = functions.iter().map(|function| Call {
        id: format!("call_{}", Uuid::now_v7().simple()),
        name: function["name"].as_str().unwrap().to_owned(),
        arguments: function["parameters"].to_string(),
    });
    conversation.calls = calls.collect();
    let calls = conversation.calls.clone();
    conversation.tell(id, turn, ChatEventKind::Calls { calls });
}

/// As a keeper does.
pub fn results(id: &str, conversation: &mut Conversation, turn: &str, results: &[Value]) -> Result<Value, AgentError> {
    let calls = std::mem::take(&mut conversation.calls);
    let is_asked = conversation.running.as_deref() == Some(turn) && calls.len() == results.len();
    if !is_asked
        || !calls
            .iter()
            .all(|call| results.iter().any(|result| result["id"] == call.id))
    {
        return Err(ChannelError::new("turn_over", "Nobody waits for it.").into());
    }
    if conversation.rounds > 0 {
        conversation.rounds -= 1;
        if conversation.is_unheard {
            conversation.hearers.clear();
        }
        let functions: Vec<Value> = calls
            .iter()
            .map(|call| json!({"name": call.name, "parameters": {"again": true}}))
            .collect();
        ask(id, conversation, turn, &functions);
        return Ok(json!({}));
    }
    if conversation.is_slow {
        return Ok(json!({}));
    }
    conversation.running = None;
    let outputs: Vec<&str> = results.iter().filter_map(|result| result["output"].as_str()).collect();
    let rest = format!("It is {}.", outputs.join(" and "));
    for word in rest.split_inclusive(' ') {
        conversation.tell(id, turn, ChatEventKind::Text { delta: word.to_owned() });
    }
    let carried_out = calls.into_iter().zip(outputs).map(|(call, output)| Part::Tool {
        id: call.id,
        name: TOOL.to_owned(),
        input: call.arguments,
        output: output.to_owned(),
        state: ToolState::Ok,
    });
    end(
        id,
        conversation,
        turn,
        carried_out.collect(),
        &format!("Let me see. {rest}"),
    );
    Ok(json!({}))
}

pub fn answer(id: &str, conversation: &mut Conversation, turn: &str, text: &str) {
    for word in text.split_inclusive(' ') {
        conversation.tell(id, turn, ChatEventKind::Text { delta: word.to_owned() });
    }
    let used = text.contains("tool").then(|| Part::Tool {
        id: "t1".into(),
        name: "exec".into(),
        input: "{}".into(),
        output: "done".into(),
        state: ToolState::Ok,
    });
    end(id, conversation, turn, used.into_iter().collect(), text);
}

fn end(id: &str, conversation: &mut Conversation, turn: &str, used: Vec<Part>, text: &str) {
    let mut answer = message(format!("a-{turn}"), Role::Assistant, Status::Done, text);
    answer.parts.splice(0..0, used);
    conversation.messages.retain(|message| message.id != answer.id);
    conversation.messages.push(answer.clone());
    conversation.tell(id, turn, ChatEventKind::Answered { message: answer });
    if text.contains("unsealed") {
        return conversation.unsealed.push(turn.to_owned());
    }
    conversation.tell(id, turn, ChatEventKind::Saved);
}
