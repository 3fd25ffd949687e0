//! `holdfast chat`: one message and its answer as it comes, or a conversation until the input ends.

use std::io::IsTerminal as _;

use client::{ClientError, Event};
use protocol::chat::{CellEvent, CellPhase, ChatEvent, ChatEventKind, Part, ToolPhase};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::open::{Opened, Opening, Purpose, open};
use super::out::Out;
use super::{Context, agent, ask, sessions};

/// The command line of `holdfast chat`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub opening: Opening,
    /// What to say. Without it standard input is said, all of it; on a terminal one line after the other.
    message: Option<String>,
    /// The session to go on with: its id, or its title. Default: a new one.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
}

/// What is said.
enum Said {
    Once(Zeroizing<String>),
    /// After the secrets, on standard input.
    Rest,
    /// Line by line, on the terminal.
    Lines,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let said = match args.message {
        Some(message) => Said::Once(Zeroizing::new(message)),
        None if !context.ask.is_terminal() => Said::Rest,
        None if std::io::stdin().is_terminal() => Said::Lines,
        None => Said::Once(ask::piped("the message")?),
    };
    let mut opened = open(context, &args.opening, Purpose::Agent).await?;
    let said = match said {
        Said::Rest => Said::Once(context.ask.value("the message", "")?),
        said => said,
    };
    if !agent::has_model(&opened).await? {
        return Err(Failure::NoModel);
    }
    agent::ready(&mut opened, context.out).await?;
    let session = match &args.session {
        Some(name) => sessions::find(&opened, name).await?.id,
        None => {
            let made = opened.channel.call("chat.create", json!({})).await?;
            let id = made["conversation"]["id"].as_str().map(str::to_owned);
            id.ok_or_else(|| ClientError::Protocol("a new conversation has no id".to_owned()))?
        }
    };
    opened
        .channel
        .call("chat.open", json!({"conversation": session}))
        .await?;

    if let Said::Once(message) = &said {
        let turn = turn(&mut opened, context.out, &session, message).await?;
        let told = json!({"session": session, "turn": turn.id, "answer": turn.answer, "tools": turn.tools});
        if context.out.is_json() {
            context.out.result(&told, "");
        }
    } else {
        context
            .out
            .note("An empty line ends the conversation; Ctrl-C stops an answer.");
        while let Some(message) = next_line(&mut opened).await? {
            match turn(&mut opened, context.out, &session, &message).await {
                Err(failure @ Failure::Turn { .. }) => context.out.note(&failure.to_string()),
                outcome => {
                    outcome?;
                }
            }
        }
        context
            .out
            .note(&format!("Go on with: holdfast chat --session {session}"));
    }
    opened.close().await
}

/// What the person types next; none at the end. Meanwhile what the keeper tells is taken off the line.
async fn next_line(opened: &mut Opened) -> Result<Option<Zeroizing<String>>, Failure> {
    let (typed, mut typing) = tokio::sync::oneshot::channel();
    // A thread of its own: nobody waits for it when the command ends before somebody has typed.
    std::thread::spawn(move || typed.send(ask::typed_line("a message", "> ")));
    loop {
        tokio::select! {
            typed = &mut typing => {
                let typed = typed.unwrap_or(Ok(None))?;
                return Ok(typed.filter(|line| !line.trim().is_empty()));
            }
            event = opened.events.next() => {
                event.unwrap_or(Err(ClientError::Closed(None)))?;
            }
            _ = tokio::signal::ctrl_c() => return Ok(None),
        }
    }
}

/// A turn that was answered and sealed.
struct Turn {
    id: String,
    answer: String,
    tools: Vec<String>,
}

/// What was seen of a turn so far.
struct Progress {
    out: Out,
    turn: Turn,
    streamed: bool,
    /// Whether the last thing that was shown ended its line.
    at_line_start: bool,
}

/// Whether a turn goes on.
enum Step {
    Goes,
    Saved,
}

impl Progress {
    fn show(&mut self, text: &str) {
        if let Some(last) = text.chars().last() {
            self.out.piece(text);
            self.at_line_start = last == '\n';
        }
    }

    fn end_line(&mut self) {
        if !self.at_line_start {
            self.show("\n");
        }
    }

    fn take(&mut self, kind: ChatEventKind) -> Result<Step, Failure> {
        let failed = |code: &str, message: &str| {
            Err(Failure::Turn {
                code: code.to_owned(),
                message: message.to_owned(),
            })
        };
        match kind {
            ChatEventKind::Accepted { .. } | ChatEventKind::Phase { .. } => {}
            ChatEventKind::Text { delta } => {
                self.streamed = true;
                self.show(&delta);
            }
            ChatEventKind::Tool {
                name,
                phase: ToolPhase::Start,
                ..
            } => {
                self.end_line();
                self.out.note(&format!("[{name}]"));
                self.turn.tools.push(name);
            }
            // This client offers no functions.
            ChatEventKind::Tool { .. } | ChatEventKind::Calls { .. } => {}
            ChatEventKind::Answered { message } => {
                let parts = message.parts.iter().filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    Part::Tool { .. } => None,
                });
                self.turn.answer = parts.collect::<Vec<_>>().join("");
                if !self.streamed {
                    let answer = self.turn.answer.clone();
                    self.show(&answer);
                }
                self.end_line();
            }
            ChatEventKind::Saved => return Ok(Step::Saved),
            ChatEventKind::NotSaved { message } => {
                self.end_line();
                self.out.note(&message);
            }
            ChatEventKind::Failed { code, message, .. } => {
                self.end_line();
                return failed(&code, &message);
            }
            ChatEventKind::Aborted { .. } => {
                self.end_line();
                return failed("aborted", "it was stopped.");
            }
            ChatEventKind::Interrupted { .. } => {
                self.end_line();
                return failed("interrupted", "the agent stopped while it answered. Ask again.");
            }
        }
        Ok(Step::Goes)
    }
}

/// Says something and follows the answer until it is sealed. Ctrl-C stops the answer; a second one leaves it.
async fn turn(opened: &mut Opened, out: Out, session: &str, message: &str) -> Result<Turn, Failure> {
    let id = Uuid::new_v4().to_string();
    let params = json!({"conversation": session, "text": message, "key": id});
    opened.channel.call("chat.send", params).await?;
    let mut progress = Progress {
        out,
        turn: Turn {
            id: id.clone(),
            answer: String::new(),
            tools: Vec::new(),
        },
        streamed: false,
        at_line_start: true,
    };
    let waiting = out.waiting("Your agent is thinking");
    let mut stopping = false;
    loop {
        tokio::select! {
            event = opened.events.next() => {
                let event = event.unwrap_or(Err(ClientError::Closed(None)))?;
                if let Some(kind) = of_turn(&event, session, &id)? {
                    if !matches!(kind, ChatEventKind::Accepted { .. } | ChatEventKind::Phase { .. }) {
                        waiting.finish_and_clear();
                    }
                    if let Step::Saved = progress.take(kind)? {
                        return Ok(progress.turn);
                    }
                }
            }
            stopped = tokio::signal::ctrl_c() => {
                if stopping || stopped.is_err() {
                    return Err(Failure::Turn { code: "aborted".to_owned(), message: "it was left.".to_owned() });
                }
                stopping = true;
                let params = json!({"conversation": session, "turn": id});
                opened.channel.call("chat.abort", params).await?;
            }
        }
    }
}

/// What an event says of a turn; none if it is of something else.
fn of_turn(event: &Event, session: &str, turn: &str) -> Result<Option<ChatEventKind>, Failure> {
    match event.event.as_str() {
        "chat" => {
            // A kind that a newer keeper tells is passed over.
            let told = serde_json::from_value::<ChatEvent>(event.data.clone()).ok();
            let told = told.filter(|told| told.conversation == session && told.turn == turn);
            Ok(told.map(|told| told.kind))
        }
        "cell" => match serde_json::from_value::<CellEvent>(event.data.clone()) {
            Ok(cell) if cell.phase == CellPhase::Failed => Err(Failure::Agent(
                cell.message.unwrap_or_else(|| "no reason was given.".to_owned()),
            )),
            _ => Ok(None),
        },
        "vault" if event.data.get("vault").and_then(Value::as_str) == Some("locked") => Err(Failure::Turn {
            code: "vault_locked".to_owned(),
            message: "the vault was locked meanwhile. What you said is kept.".to_owned(),
        }),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: Value) -> Event {
        Event {
            event: "chat".to_owned(),
            data,
        }
    }

    #[test]
    fn only_the_own_turn_is_followed() {
        let told = |conversation: &str, turn: &str| {
            event(json!({"conversation": conversation, "seq": 1, "turn": turn, "kind": "text", "delta": "x"}))
        };
        let found = of_turn(&told("c", "t"), "c", "t").unwrap();
        assert_eq!(found, Some(ChatEventKind::Text { delta: "x".to_owned() }));
        assert_eq!(of_turn(&told("c", "other"), "c", "t").unwrap(), None);
        assert_eq!(of_turn(&told("other", "t"), "c", "t").unwrap(), None);
        let newer = event(json!({"conversation": "c", "seq": 1, "turn": "t", "kind": "not-known-here"}));
        assert_eq!(of_turn(&newer, "c", "t").unwrap(), None);
    }

    #[test]
    fn a_lock_meanwhile_ends_the_waiting() {
        let locked = Event {
            event: "vault".to_owned(),
            data: json!({"vault": "locked", "reason": "idle"}),
        };
        let failure = of_turn(&locked, "c", "t").unwrap_err();
        assert_eq!((failure.code(), failure.exit_code()), ("vault_locked", 1));
    }
}
