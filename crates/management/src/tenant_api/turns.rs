//! Turns that run, and those that have just ended: what happened in each, in order and in bounds, for whoever reads it now, and for
//! whoever comes back where their stream broke.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Millis, TenantId};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use super::failure::Failure;
use crate::limits;
use crate::problem::ApiError;

/// One thing that happened in a turn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatEvent)]
#[serde(untagged)]
pub(crate) enum TurnEvent {
    /// `status`: how far it is.
    Status { phase: String },
    /// `delta`: the next words of the answer.
    Delta { text: String },
    /// `tool`
    Tool(ToolCall),
    /// `usage`
    Usage(Usage),
    /// `final`, the last event of a turn that was answered: whole and sealed.
    Final(Final),
    /// `error`, the last event of every other turn.
    Error(Failure),
}

impl TurnEvent {
    /// What a stream calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delta { .. } => "delta",
            Self::Tool(_) => "tool",
            Self::Usage(_) => "usage",
            Self::Final(_) => "final",
            Self::Error(_) => "error",
        }
    }
}

/// What the agent did with one of its tools.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatToolCall)]
pub(crate) struct ToolCall {
    pub id: String,
    pub name: String,
    /// `start`, `update` or `result`.
    pub phase: protocol::chat::ToolPhase,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    pub is_error: bool,
}

/// What the cell used of its model meanwhile. Turns that run at once are counted together.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = ChatUsage)]
pub(crate) struct Usage {
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Millionths of a US dollar, where the price is known.
    pub cost: u64,
}

/// An answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatAnswer, examples(json!({
    "session_id": "first", "turn_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "model": "gpt-5",
    "message": {
        "id": "a-6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "role": "assistant", "at": 1_795_000_061_000_i64, "text": "Hello, Anna.",
        "tools": [],
    },
    "usage": {"calls": 1, "input_tokens": 812, "output_tokens": 9, "cost": 1_105},
})))]
pub(crate) struct Final {
    pub session_id: String,
    pub turn_id: Uuid,
    pub model: String,
    pub message: Answer,
    pub usage: Usage,
}

/// What the agent said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatMessage)]
pub(crate) struct Answer {
    pub id: String,
    /// `user` or `assistant`.
    pub role: &'static str,
    pub at: Millis,
    pub text: String,
    pub tools: Vec<AnswerTool>,
}

/// A tool that it used on the way.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatTool)]
pub(crate) struct AnswerTool {
    pub id: String,
    pub name: String,
    pub input: String,
    pub output: String,
    pub state: protocol::chat::ToolState,
}

/// How far a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Its cell is being reached.
    Begun,
    /// Its cell answers and its vault is open.
    Open,
    /// The agent speaks.
    Speaking,
    Ended,
}

/// One turn.
pub(crate) struct Turn {
    pub id: Uuid,
    pub agent: String,
    pub session: String,
    log: Mutex<Log>,
    changed: watch::Sender<u64>,
    /// Somebody wants it to stop.
    pub cancel: Notify,
}

struct Log {
    events: VecDeque<(usize, Arc<TurnEvent>)>,
    /// The number of the first event that is still held.
    first: usize,
    bytes: usize,
    stage: Stage,
    /// How far it had come when it failed.
    failed_at: Option<Stage>,
    followers: usize,
    detached: bool,
}

impl Turn {
    fn new(id: Uuid, agent: String, session: String, detached: bool) -> Self {
        Self {
            id,
            agent,
            session,
            log: Mutex::new(Log {
                events: VecDeque::new(),
                first: 0,
                bytes: 0,
                stage: Stage::Begun,
                failed_at: None,
                followers: 0,
                detached,
            }),
            changed: watch::Sender::new(0),
            cancel: Notify::new(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. The oldest go when there are too many: whoever has not read them is told.
    pub(crate) fn push(&self, event: TurnEvent) {
        let size = serde_json::to_vec(&event).map_or(0, |json| json.len());
        let mut log = self.log();
        match &event {
            TurnEvent::Delta { .. } | TurnEvent::Tool(_) => log.stage = log.stage.max(Stage::Speaking),
            TurnEvent::Final(_) => log.stage = Stage::Ended,
            TurnEvent::Error(_) => {
                log.failed_at = Some(log.stage);
                log.stage = Stage::Ended;
            }
            TurnEvent::Status { .. } | TurnEvent::Usage(_) => {}
        }
        log.bytes += size;
        log.events.push_back((size, Arc::new(event)));
        while log.events.len() > limits::TURN_EVENTS || (log.bytes > limits::TURN_BYTES && log.events.len() > 1) {
            let Some((size, _)) = log.events.pop_front() else { break };
            log.bytes -= size;
            log.first += 1;
        }
        drop(log);
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn reach(&self, stage: Stage) {
        let mut log = self.log();
        log.stage = log.stage.max(stage);
        drop(log);
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.log().stage == Stage::Ended
    }

    /// Reads from an event on; as long as somebody does, or the turn was detached, it goes on.
    pub(crate) fn follow(self: &Arc<Self>, from: usize) -> Follower {
        self.log().followers += 1;
        Follower {
            turn: Arc::clone(self),
            at: from,
            changed: self.changed.subscribe(),
        }
    }
}

/// Somebody who reads a turn. When the last one goes, the turn is stopped, unless it was detached.
pub(crate) struct Follower {
    pub turn: Arc<Turn>,
    at: usize,
    changed: watch::Receiver<u64>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut log = self.turn.log();
        log.followers -= 1;
        if log.followers == 0 && !log.detached && log.stage != Stage::Ended {
            self.turn.cancel.notify_one();
        }
    }
}

impl Follower {
    /// The next event and its number; none after the last.
    pub(crate) async fn next(&mut self) -> Option<(usize, Arc<TurnEvent>)> {
        loop {
            {
                let log = self.turn.log();
                if self.at < log.first {
                    let words = "More happened meanwhile than is kept: read the session.";
                    let lost = Failure::new(axum::http::StatusCode::GONE, "events_lost", words);
                    self.at = log.first;
                    return Some((self.at.saturating_sub(1), Arc::new(TurnEvent::Error(lost))));
                }
                if let Some((_, event)) = log.events.get(self.at - log.first) {
                    self.at += 1;
                    return Some((self.at - 1, Arc::clone(event)));
                }
                if log.stage == Stage::Ended {
                    return None;
                }
            }
            self.changed.changed().await.ok()?;
        }
    }

    /// Waits until the turn has come so far; what ended it without an answer, if that was first. What ended it later is told as an
    /// event.
    pub(crate) async fn until(&mut self, stage: Stage) -> Result<(), ApiError> {
        loop {
            {
                let log = self.turn.log();
                if log.failed_at.unwrap_or(log.stage) >= stage {
                    return Ok(());
                }
                if let Some(TurnEvent::Error(failure)) = log.events.back().map(|(_, event)| &**event) {
                    return Err(ApiError::Agent(failure.clone()));
                }
            }
            if self.changed.changed().await.is_err() {
                return Err(ApiError::Agent(Failure::interrupted()));
            }
        }
    }

    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> Result<Final, ApiError> {
        while let Some((_, event)) = self.next().await {
            match &*event {
                TurnEvent::Final(answer) => return Ok(answer.clone()),
                TurnEvent::Error(failure) => return Err(ApiError::Agent(failure.clone())),
                _ => {}
            }
        }
        Err(ApiError::Agent(Failure::interrupted()))
    }
}

/// The turns of every tenant.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<(TenantId, Uuid), Arc<Turn>>>);

/// A turn that was asked for.
pub(crate) enum Begun {
    /// It has to be run.
    New(Arc<Turn>),
    /// It runs, or has just ended.
    Known(Arc<Turn>),
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<(TenantId, Uuid), Arc<Turn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session in which this agent of the tenant is at work; none where that is none, or several.
    pub(crate) fn only_session(&self, tenant: TenantId, agent: &str) -> Option<String> {
        let turns = self.all();
        let mut running = turns
            .iter()
            .filter(|((of, _), turn)| *of == tenant && turn.agent == agent && !turn.is_over())
            .map(|(_, turn)| turn.session.as_str());
        let first = running.next()?;
        running.all(|other| other == first).then(|| first.to_owned())
    }

    /// Begins a turn, or finds it.
    pub(crate) fn begin(
        &self,
        tenant: TenantId,
        id: Uuid,
        agent: &str,
        session: &str,
        detached: bool,
    ) -> Result<Begun, ApiError> {
        let mut turns = self.all();
        if let Some(turn) = turns.get(&(tenant, id)) {
            return match turn.agent == agent && turn.session == session {
                true => Ok(Begun::Known(Arc::clone(turn))),
                false => Err(ApiError::KeyReused),
            };
        }
        let running = |((of, _), turn): &(&(TenantId, Uuid), &Arc<Turn>)| *of == tenant && !turn.is_over();
        if turns.iter().filter(running).count() >= limits::TENANT_TURNS {
            let words = format!(
                "{} turns of this tenant run or wait already (`TENANT_TURNS`).",
                limits::TENANT_TURNS
            );
            return Err(ApiError::Agent(Failure {
                retry_after: Some(std::time::Duration::from_secs(2)),
                ..Failure::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_turns", &words)
            }));
        }
        let turn = Arc::new(Turn::new(id, agent.to_owned(), session.to_owned(), detached));
        turns.insert((tenant, id), Arc::clone(&turn));
        Ok(Begun::New(turn))
    }

    /// A turn that runs or has just ended.
    pub(crate) fn find(&self, tenant: TenantId, id: Uuid) -> Option<Arc<Turn>> {
        self.all().get(&(tenant, id)).cloned()
    }

    pub(crate) fn forget(&self, tenant: TenantId, id: Uuid) {
        self.all().remove(&(tenant, id));
    }

    /// Stops every turn of a tenant, or of one of its agents.
    pub(crate) fn stop_all(&self, tenant: TenantId, agent: Option<&str>) {
        for ((of, _), turn) in &*self.all() {
            if *of == tenant && agent.is_none_or(|agent| turn.agent == agent) {
                turn.cancel.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(detached: bool) -> Arc<Turn> {
        Arc::new(Turn::new(Uuid::nil(), "main".into(), "s".into(), detached))
    }

    fn delta(text: &str) -> TurnEvent {
        TurnEvent::Delta { text: text.to_owned() }
    }

    async fn is_cancelled(turn: &Turn) -> bool {
        futures::FutureExt::now_or_never(turn.cancel.notified()).is_some()
    }

    #[tokio::test]
    async fn a_reader_gets_every_event_in_order_and_one_who_comes_back_goes_on() {
        let turn = turn(false);
        let mut reader = turn.follow(0);
        turn.push(delta("a"));
        turn.push(delta("b"));
        assert_eq!(reader.next().await.unwrap().0, 0);
        let mut back = turn.follow(1);
        assert_eq!(back.next().await.unwrap().0, 1);
        turn.push(TurnEvent::Error(Failure::cancelled()));
        assert_eq!(back.next().await.unwrap().1.name(), "error");
        assert!(back.next().await.is_none());
    }

    #[tokio::test]
    async fn the_last_reader_who_goes_stops_the_turn_unless_it_is_detached_or_over() {
        let turn_ = turn(false);
        let (one, two) = (turn_.follow(0), turn_.follow(0));
        drop(one);
        assert!(!is_cancelled(&turn_).await);
        drop(two);
        assert!(is_cancelled(&turn_).await);

        let detached = turn(true);
        drop(detached.follow(0));
        assert!(!is_cancelled(&detached).await);

        let over = turn(false);
        let reader = over.follow(0);
        over.push(TurnEvent::Error(Failure::interrupted()));
        drop(reader);
        assert!(!is_cancelled(&over).await);
    }

    #[tokio::test]
    async fn what_is_held_is_bounded_and_a_slow_reader_is_told() {
        let turn = turn(false);
        let mut reader = turn.follow(0);
        for _ in 0..limits::TURN_EVENTS + 5 {
            turn.push(delta("x"));
        }
        let (_, event) = reader.next().await.unwrap();
        assert!(matches!(&*event, TurnEvent::Error(failure) if failure.code == "events_lost"));
        let big = "x".repeat(limits::TURN_BYTES);
        turn.push(delta(&big));
        assert_eq!(turn.log().events.len(), 1);
    }

    #[test]
    fn a_tenant_has_a_bound_of_turns_and_a_key_names_one() {
        let (turns, tenant) = (Turns::default(), TenantId::new());
        for at in 0..limits::TENANT_TURNS {
            // Of whichever of its agents they are.
            let agent = if at % 2 == 0 { "main" } else { "press" };
            assert!(turns.begin(tenant, Uuid::new_v4(), agent, "s", false).is_ok());
        }
        assert!(turns.begin(tenant, Uuid::new_v4(), "scout", "s", false).is_err());
        let other = TenantId::new();
        let id = Uuid::new_v4();
        assert!(matches!(turns.begin(other, id, "main", "s", false), Ok(Begun::New(_))));
        assert!(matches!(
            turns.begin(other, id, "main", "s", false),
            Ok(Begun::Known(_))
        ));
        for (agent, session) in [("main", "t"), ("press", "s")] {
            let again = turns.begin(other, id, agent, session, false);
            assert!(matches!(again, Err(ApiError::KeyReused)), "{agent}/{session}");
        }
    }
}
