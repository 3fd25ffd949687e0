//! Who reads a turn, and what one answer to them is.

use std::sync::Arc;

use protocol::chat::{ToolPhase, ToolState};
use protocol::functions::{self, Call};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::turn_event::{AnswerTool, Calls, Final, TurnEvent, Usage};
use super::{Before, Stage, Turn};
use crate::limits;
use crate::problem::ApiError;
use crate::session_watch::End;

/// Somebody who reads a turn. When the last one goes, the turn is stopped, unless it was detached; one that was given results, only after
/// a while.
pub(crate) struct Follower {
    pub turn: Arc<Turn>,
    at: usize,
    changed: watch::Receiver<u64>,
    /// It reads from an answer to calls on.
    before: Option<Before>,
    heard: Heard,
    /// It did not come to all that happened, and is told nothing more.
    lost: bool,
    /// The end of the key that it reads with; from then on it is told nothing more.
    key_end: Option<End>,
    /// It was told that.
    shut_out: bool,
}

/// What happened as far as it was read, in at most `limits::TURN_BYTES`: where it is more, the texts of the tools that were used first go.
#[derive(Default)]
struct Heard {
    text: String,
    tools: Vec<AnswerTool>,
    bytes: usize,
}

impl Heard {
    /// `false` where it is more even without what tools said.
    fn take(&mut self, event: &TurnEvent) -> bool {
        match event {
            TurnEvent::Delta { text } => {
                self.bytes += text.len();
                self.text.push_str(text);
            }
            TurnEvent::Tool(call) if call.phase == ToolPhase::Start => {
                let input = call.input.clone().unwrap_or_default();
                self.bytes += call.id.len() + call.name.len() + input.len();
                self.tools.push(AnswerTool {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    input,
                    output: String::new(),
                    state: ToolState::Running,
                });
            }
            TurnEvent::Tool(call) => {
                if let Some(tool) = self.tools.iter_mut().find(|tool| tool.id == call.id) {
                    let output = call.output.clone().unwrap_or_default();
                    self.bytes = self.bytes + output.len() - tool.output.len();
                    tool.output = output;
                    tool.state = match (call.phase, call.is_error) {
                        (ToolPhase::Result, true) => ToolState::Failed,
                        (ToolPhase::Result, false) => ToolState::Ok,
                        _ => ToolState::Running,
                    };
                }
            }
            _ => {}
        }
        let mut first = self.tools.iter_mut();
        while self.bytes > limits::TURN_BYTES
            && let Some(tool) = first.next()
        {
            self.bytes -= tool.input.len() + tool.output.len();
            (tool.input, tool.output) = Default::default();
        }
        self.bytes <= limits::TURN_BYTES
    }
}

/// What one answer to a client is: the whole turn, or as much of it as lies between two of its requests.
pub(crate) struct Said {
    pub text: String,
    /// The agent's own that were carried out.
    pub tools: Vec<AnswerTool>,
    /// The client's that it has to carry out. None: the turn has ended.
    pub calls: Vec<Call>,
    pub usage: Option<Usage>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut log = self.turn.log();
        log.followers -= 1;
        // Who could not follow has not left: the turn goes on, and the session has its answer.
        if log.followers > 0 || log.detached || self.lost || log.stage == Stage::Ended {
            return;
        }
        // Whoever has to answer calls is at work, and comes back; so does, with the same results, who has answered some and did not get to
        // the answer.
        if !log.rounds.is_empty() {
            log.left_until = Some(Instant::now() + limits::FUNCTION_AGAIN);
            drop(log);
            return self.turn.changed.send_modify(|count| *count += 1);
        }
        self.turn.cancel.notify_one();
    }
}

impl Follower {
    pub(super) fn new(turn: Arc<Turn>, from: usize) -> Self {
        Self {
            changed: turn.changed.subscribe(),
            turn,
            at: from,
            before: None,
            heard: Heard::default(),
            lost: false,
            key_end: None,
            shut_out: false,
        }
    }

    /// Reads what follows an answer to calls.
    pub(super) fn after(mut self, before: Before) -> Self {
        self.before = Some(before);
        self
    }

    /// Reads until then at the longest.
    pub(crate) fn until_end_of(mut self, key: End) -> Self {
        self.key_end = Some(key);
        self
    }

    fn has_no_key(&self) -> bool {
        self.key_end.as_ref().is_some_and(End::has_come)
    }

    /// Until something happened, or the key has ended; `false` where nothing will.
    async fn something_happens(&mut self) -> bool {
        let key_end = self.key_end.as_ref();
        let key_ends = async {
            match key_end {
                Some(end) => end.comes().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.changed.changed() => changed.is_ok(),
            () = key_ends => true,
        }
    }

    /// The next event and its number; none after the last.
    pub(crate) async fn next(&mut self) -> Option<(usize, Arc<TurnEvent>)> {
        while !self.lost && !self.shut_out {
            if self.has_no_key() {
                self.shut_out = true;
                let ended = TurnEvent::Error(Failure::key_ended());
                return Some((self.at.saturating_sub(1), Arc::new(ended)));
            }
            {
                let log = self.turn.log();
                if self.at < log.first {
                    self.at = log.first;
                    self.lost = true;
                    let lost = TurnEvent::Error(Failure::events_lost());
                    return Some((self.at.saturating_sub(1), Arc::new(lost)));
                }
                if let Some((_, event)) = log.events.get(self.at - log.first) {
                    self.at += 1;
                    return Some((self.at - 1, Arc::clone(event)));
                }
                if log.stage == Stage::Ended {
                    return None;
                }
            }
            if !self.something_happens().await {
                return None;
            }
        }
        None
    }

    /// As [`Self::next`]; what happened is kept for [`Self::said`].
    pub(crate) async fn hear(&mut self) -> Option<(usize, Arc<TurnEvent>)> {
        let (number, event) = self.next().await?;
        match self.heard.take(&event) {
            true => Some((number, event)),
            false => {
                self.lost = true;
                Some((number, Arc::new(TurnEvent::Error(Failure::events_lost()))))
            }
        }
    }

    /// Waits until the turn has come so far, or for as long as a stream's head may be held back; what ended it without an answer, if that
    /// was first. What ended it later is told as an event.
    pub(crate) async fn begins(&mut self, stage: Stage) -> Result<(), ApiError> {
        let begun = tokio::time::timeout(limits::STREAM_BEGINS, self.until(stage)).await;
        begun.unwrap_or(Ok(()))
    }

    /// The same however long that takes.
    pub(crate) async fn until(&mut self, stage: Stage) -> Result<(), ApiError> {
        loop {
            if self.has_no_key() {
                return Err(ApiError::Agent(Failure::key_ended()));
            }
            {
                let log = self.turn.log();
                if log.failed_at.unwrap_or(log.stage) >= stage {
                    return Ok(());
                }
                if let Some(TurnEvent::Error(failure)) = log.events.back().map(|(_, event)| &**event) {
                    return Err(ApiError::Agent(failure.clone()));
                }
            }
            if !self.something_happens().await {
                return Err(ApiError::Agent(Failure::interrupted()));
            }
        }
    }

    /// What a client is answered with after this event that was heard, if anything.
    pub(crate) fn said(&self, event: &TurnEvent) -> Option<Said> {
        let own = |tool: &&AnswerTool| tool.name != functions::TOOL;
        let before = self.before.unwrap_or_default();
        match event {
            TurnEvent::Calls(Calls { calls, usage }) => Some(Said {
                text: self.heard.text.clone(),
                tools: self.heard.tools.iter().filter(own).cloned().collect(),
                calls: calls.clone(),
                usage: before.used_since(*usage),
            }),
            TurnEvent::Final(answer) => {
                let rest = answer.message.text.get(before.said..);
                let new = |tool: &&AnswerTool| self.heard.tools.iter().any(|heard| heard.id == tool.id);
                let tools = answer.message.tools.iter().filter(own);
                let tools = tools.filter(|tool| self.before.is_none() || new(tool));
                Some(Said {
                    text: rest.unwrap_or(&self.heard.text).to_owned(),
                    tools: tools.cloned().collect(),
                    calls: Vec::new(),
                    usage: before.used_since(answer.usage),
                })
            }
            _ => None,
        }
    }

    /// What of an answer did not come as it was said, because a connection broke or it was said before; `None` where that is not known,
    /// because what did come is less, and no beginning of it.
    pub(crate) fn unread<'a>(&self, said: &'a Said) -> Option<&'a str> {
        let heard = self.heard.text.as_str();
        let rest = said.text.strip_prefix(heard);
        rest.or_else(|| (heard.len() >= said.text.len()).then_some(""))
    }

    /// Waits until the turn is answered, or waits for the client.
    pub(crate) async fn answer_or_calls(mut self) -> Result<Said, ApiError> {
        // Only what may call something of the client's is answered before its end.
        if !self.turn.offers {
            let end = TurnEvent::Final(self.end().await?);
            return self.said(&end).ok_or_else(|| Failure::interrupted().into());
        }
        while let Some((_, event)) = self.hear().await {
            if let TurnEvent::Error(failure) = &*event {
                return Err(ApiError::Agent(failure.clone()));
            }
            if let Some(said) = self.said(&event) {
                return Ok(said);
            }
        }
        Err(ApiError::Agent(Failure::interrupted()))
    }

    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> Result<Final, ApiError> {
        self.end().await
    }

    /// The end of the turn, whole: nothing of what was before it has to be held any more.
    async fn end(&mut self) -> Result<Final, ApiError> {
        while !self.turn.is_over() && !self.has_no_key() && self.something_happens().await {}
        if self.has_no_key() {
            return Err(ApiError::Agent(Failure::key_ended()));
        }
        let last = self.turn.log().events.back().map(|(_, event)| Arc::clone(event));
        match last.as_deref() {
            Some(TurnEvent::Final(answer)) => Ok(answer.clone()),
            Some(TurnEvent::Error(failure)) => Err(ApiError::Agent(failure.clone())),
            _ => Err(ApiError::Agent(Failure::interrupted())),
        }
    }
}
