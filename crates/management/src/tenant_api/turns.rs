//! Turns that run, and those that have just ended: what happened in each, in order and in bounds, for whoever reads it now, and for
//! whoever comes back where their stream broke ([`follower`]). And what a turn waits for of its client: the results of functions that it
//! called.

mod follower;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use protocol::TenantId;
use protocol::functions::{self, Call, CallResult};
use protocol::limits::{FUNCTION_RESULTS_BYTES, FUNCTION_WAIT};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::follower::{Follower, Said};
use super::failure::Failure;
pub(crate) use super::turn_event::{Answer, AnswerTool, Calls, Final, ToolCall, TurnEvent, Usage};
use crate::limits;
use crate::problem::ApiError;

/// How far a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Its cell is being reached.
    Begun,
    /// Its cell answers and its vault is open.
    Open,
    /// The agent was told the words, or may have been.
    Told,
    /// The agent speaks.
    Speaking,
    Ended,
}

/// What was asked for as a turn.
pub(crate) struct Asked<'a> {
    pub agent: &'a str,
    pub session: &'a str,
    /// What the agent is told, as a digest.
    pub told: [u8; 32],
    /// It goes on when nobody reads it; from then on, if it was begun otherwise.
    pub detached: bool,
    /// The agent may call functions of the client's in it.
    pub offers: bool,
    /// Another server has begun it.
    pub gone_on_with: bool,
}

/// One turn.
pub(crate) struct Turn {
    pub id: Uuid,
    pub agent: String,
    pub session: String,
    begun: Instant,
    /// The number of its first event.
    starts: usize,
    told: [u8; 32],
    /// The agent may call functions of the client's in it.
    offers: bool,
    /// The keeper's conversation, once it is known.
    pub conversation: OnceLock<String>,
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
    /// Bytes of the answer so far.
    said: usize,
    rounds: Vec<Round>,
    /// Until when a client may come again that has given results, and has left.
    left_until: Option<Instant>,
}

/// The results that a request brings.
pub(crate) struct Results {
    pub last: Vec<CallResult>,
    /// Those that stand before these, of the same round or of earlier ones.
    pub before: Vec<CallResult>,
    /// The field of the request in which they stand.
    pub field: &'static str,
}

/// Calls that the client was asked for together.
#[derive(Debug, Clone)]
struct Round {
    ids: Vec<String>,
    /// The number of the event that told them, what was said until then, and used.
    at: usize,
    before: Before,
    until: Instant,
    /// Of the results.
    answered: Option<[u8; 32]>,
    /// They have come to the agent.
    given: bool,
}

impl Round {
    fn has(&self, call: &str) -> bool {
        self.ids.iter().any(|id| id == call)
    }
}

/// What a client was told of a turn before it answered calls.
#[derive(Debug, Clone, Copy)]
struct Before {
    said: usize,
    /// None where that was not measured.
    usage: Option<Usage>,
}

impl Default for Before {
    /// It was told nothing.
    fn default() -> Self {
        Self {
            said: 0,
            usage: Some(Usage::default()),
        }
    }
}

impl Before {
    /// What was used since then, where both were measured.
    fn used_since(self, usage: Option<Usage>) -> Option<Usage> {
        Some(usage?.since(self.usage?))
    }
}

impl Log {
    /// The number of the event that comes next.
    fn next(&self) -> usize {
        self.first + self.events.len()
    }

    /// Until when the turn waits for results, if it does.
    fn waits_until(&self) -> Option<Instant> {
        let last = self.rounds.last().filter(|last| last.answered.is_none());
        last.filter(|_| self.stage != Stage::Ended).map(|last| last.until)
    }

    /// Until when it goes on though nobody reads it, if that has an end.
    fn alone_until(&self) -> Option<Instant> {
        let waits = self.waits_until().is_some();
        self.left_until.filter(|_| !waits && self.stage != Stage::Ended)
    }
}

impl Turn {
    /// Its events are counted from `starts` on.
    fn new(id: Uuid, asked: &Asked<'_>, starts: usize) -> Self {
        Self {
            id,
            agent: asked.agent.to_owned(),
            session: asked.session.to_owned(),
            begun: Instant::now(),
            starts,
            told: asked.told,
            offers: asked.offers,
            conversation: OnceLock::new(),
            log: Mutex::new(Log {
                events: VecDeque::new(),
                first: starts,
                bytes: 0,
                stage: Stage::Begun,
                failed_at: None,
                followers: 0,
                detached: asked.detached,
                said: 0,
                rounds: Vec::new(),
                left_until: None,
            }),
            changed: watch::Sender::new(0),
            cancel: Notify::new(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. The oldest go when there are too many: whoever has not read them is told.
    pub(crate) fn push(&self, mut event: TurnEvent) {
        let size = serde_json::to_vec(&event).map_or(0, |json| json.len());
        let mut log = self.log();
        if let TurnEvent::Delta { text } = &event {
            log.said += text.len();
        }
        match &mut event {
            TurnEvent::Delta { .. } | TurnEvent::Tool(_) | TurnEvent::Calls(_) => {
                log.stage = log.stage.max(Stage::Speaking)
            }
            TurnEvent::Final(_) => log.stage = Stage::Ended,
            TurnEvent::Error(failure) => {
                failure.ran = log.stage >= Stage::Told;
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

    /// Bytes that are held of it, once it has ended.
    fn left(&self) -> Option<usize> {
        let log = self.log();
        (log.stage == Stage::Ended).then_some(log.bytes)
    }

    /// Reads from an event on, and whole from one of the turn that came to nothing before it; as long as somebody does, or the turn was
    /// detached, it goes on.
    pub(crate) fn follow(self: &Arc<Self>, from: usize) -> Follower {
        let mut log = self.log();
        log.followers += 1;
        log.left_until = None;
        drop(log);
        Follower::new(Arc::clone(self), from.max(self.starts))
    }

    /// Asks the client for these, unless it was already.
    pub(crate) fn ask(&self, calls: Vec<Call>, usage: Option<Usage>) {
        {
            let mut log = self.log();
            let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
            if log.rounds.iter().any(|round| round.ids == ids) {
                return;
            }
            let round = Round {
                ids,
                at: log.next(),
                before: Before { said: log.said, usage },
                until: Instant::now() + FUNCTION_WAIT,
                answered: None,
                given: false,
            };
            log.rounds.push(round);
        }
        self.push(TurnEvent::Calls(Calls { calls, usage }));
    }

    /// Until nobody has answered for too long what the turn called.
    pub(crate) async fn is_given_up(&self) {
        self.passes(Log::waits_until, |_| {}).await;
    }

    /// Until a client that had given results has not come again for too long. That is told once.
    pub(crate) async fn is_left(&self) {
        self.passes(Log::alone_until, |log| log.left_until = None).await;
    }

    /// Until the time that the log says has come, and is what it says still; then does this, before anything else happens.
    async fn passes(&self, time: fn(&Log) -> Option<Instant>, then: fn(&mut Log)) {
        let mut changed = self.changed.subscribe();
        loop {
            let until = time(&self.log());
            tokio::select! {
                () = reached(until) => {
                    let mut log = self.log();
                    if time(&log) == until {
                        return then(&mut log);
                    }
                }
                still = changed.changed() => if still.is_err() { return std::future::pending().await },
            }
        }
    }

    /// Of the results that a request brings, those of the calls to which the last ones belong.
    pub(crate) fn of_a_round(&self, brought: Results) -> Result<Vec<CallResult>, ApiError> {
        let Results { last, before, field } = brought;
        let log = self.log();
        let round = log
            .rounds
            .iter()
            .find(|round| last.iter().any(|result| round.has(&result.id)));
        let is_last = |call: &str| last.iter().any(|result| result.id == call);
        let is_of_it = |result: &CallResult| round.is_some_and(|round| round.has(&result.id)) && !is_last(&result.id);
        let before: Vec<_> = before.into_iter().filter(is_of_it).collect();
        let results = [before, last].concat();
        if !functions::results_fit(&results) {
            let reason = format!(
                "The results are larger than {FUNCTION_RESULTS_BYTES} bytes together (`FUNCTION_RESULTS_BYTES`)."
            );
            return Err(ApiError::InvalidField { field, reason });
        }
        Ok(results)
    }

    /// Takes the client's results; reads the turn from there on, and what is to be done with them. The same results again are the same
    /// answer.
    pub(crate) fn answer(self: &Arc<Self>, results: &[CallResult]) -> Result<(Follower, Taken), Failure> {
        let refused = |code: &str, words: &str| Failure::new(axum::http::StatusCode::BAD_REQUEST, code, words);
        let mut digest = Sha256::new();
        let mut sorted: Vec<_> = results.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        for text in sorted.iter().flat_map(|result| [&result.id, &result.output]) {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut log = self.log();
        let ended = log.stage == Stage::Ended;
        let asked = |round: &&mut Round| results.iter().any(|result| round.ids.contains(&result.id));
        let round = log.rounds.iter_mut().find(asked).ok_or_else(Failure::unknown_call)?;
        if results.iter().any(|result| !round.ids.contains(&result.id)) {
            return Err(Failure::unknown_call());
        }
        if sorted.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(refused("result_twice", "A call has two results."));
        }
        let lacks = |id: &&String| !results.iter().any(|result| result.id == **id);
        let missing: Vec<&str> = round.ids.iter().filter(lacks).map(String::as_str).collect();
        if !missing.is_empty() {
            let words = format!(
                "The calls are answered together, and these have no result: {}.",
                missing.join(", ")
            );
            return Err(refused("result_missing", &words));
        }
        let taken = match round.answered {
            Some(before) if before == digest && round.given => Taken::Given,
            Some(before) if before == digest => Taken::UnderWay,
            Some(_) => return Err(refused("call_answered", "These calls have other results already.")),
            None if ended => return Err(refused("turn_over", "The turn that made these calls has ended.")),
            None => Taken::New,
        };
        round.answered = Some(digest);
        let (at, before) = (round.at + 1, round.before);
        drop(log);
        self.changed.send_modify(|count| *count += 1);
        Ok((self.follow(at).after(before), taken))
    }

    /// The results came to the agent, or did not: then they may be sent again.
    pub(crate) fn delivered(&self, call: &str, given: bool) {
        let mut log = self.log();
        if let Some(round) = log.rounds.iter_mut().find(|round| round.has(call)) {
            round.given = given;
            if !given {
                round.answered = None;
            }
        }
        drop(log);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Until the results of this call have come to the agent, or have not.
    pub(crate) async fn is_delivered(&self, call: &str) {
        let mut changed = self.changed.subscribe();
        let is_under_way = || {
            let log = self.log();
            let round = log.rounds.iter().find(|round| round.has(call));
            round.is_some_and(|round| round.answered.is_some() && !round.given)
        };
        while is_under_way() && changed.changed().await.is_ok() {}
    }

    fn asks(&self, call: &str) -> bool {
        self.log().rounds.iter().any(|round| round.has(call))
    }

    /// Whether it is in this conversation of the keeper's.
    pub(crate) fn is_in(&self, conversation: &str) -> bool {
        self.conversation.get().is_some_and(|known| known == conversation)
    }

    /// Until it has ended.
    pub(crate) async fn ends(&self) {
        let mut changed = self.changed.subscribe();
        while !self.is_over() && changed.changed().await.is_ok() {}
    }

    /// It has ended, and its agent was told nothing.
    fn came_to_nothing(&self) -> bool {
        self.log().failed_at.is_some_and(|stage| stage < Stage::Told)
    }
}

/// Until that time; for ever, where there is none.
pub(super) async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// What is to be done with results that a client has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The agent has still to be given them.
    New,
    /// An earlier request is giving it them.
    UnderWay,
    /// It has them.
    Given,
}

/// The turns of every tenant.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<(TenantId, Uuid), Arc<Turn>>>);

/// Forgets the first of those that have ended, of whichever tenant or of one, until so many are left, and so many bytes of them.
fn leave(turns: &mut HashMap<(TenantId, Uuid), Arc<Turn>>, tenant: Option<TenantId>, most: usize, most_bytes: usize) {
    let of = turns
        .iter()
        .filter(|((of, _), _)| tenant.is_none_or(|tenant| *of == tenant));
    let mut ended: Vec<_> = of
        .filter_map(|(key, turn)| Some((turn.begun, *key, turn.left()?)))
        .collect();
    let mut left = ended.len();
    let mut bytes: usize = ended.iter().map(|(_, _, bytes)| bytes).sum();
    ended.sort_unstable();
    for (_, key, size) in ended {
        if left <= most && bytes <= most_bytes {
            return;
        }
        turns.remove(&key);
        left -= 1;
        bytes -= size;
    }
}

/// The turns of an agent that run.
fn running<'a>(
    turns: &'a HashMap<(TenantId, Uuid), Arc<Turn>>,
    tenant: TenantId,
    agent: &'a str,
) -> impl Iterator<Item = &'a Arc<Turn>> {
    turns
        .iter()
        .filter(move |((of, _), turn)| *of == tenant && turn.agent == agent && !turn.is_over())
        .map(|(_, turn)| turn)
}

fn make_room_in(turns: &mut HashMap<(TenantId, Uuid), Arc<Turn>>, tenant: TenantId) {
    leave(
        turns,
        Some(tenant),
        limits::TENANT_TURNS_KEPT,
        limits::TENANT_TURNS_KEPT_BYTES,
    );
    leave(turns, None, limits::TURNS_KEPT, limits::TURNS_KEPT_BYTES);
}

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
        let mut running = running(&turns, tenant, agent).map(|turn| turn.session.as_str());
        let first = running.next()?;
        running.all(|other| other == first).then(|| first.to_owned())
    }

    /// Whether a turn of this agent runs.
    pub(crate) fn is_at_work(&self, tenant: TenantId, agent: &str) -> bool {
        running(&self.all(), tenant, agent).next().is_some()
    }

    /// Whether a turn runs in this session of an agent.
    pub(crate) fn runs_in(&self, tenant: TenantId, agent: &str, session: &str) -> bool {
        running(&self.all(), tenant, agent).any(|turn| turn.session == session)
    }

    /// Begins a turn, or finds it. One that failed before its agent was told is begun anew, and its events are counted on. The key
    /// of one that was asked for with other words, or elsewhere, was used before.
    pub(crate) fn begin(&self, tenant: TenantId, id: Uuid, asked: &Asked<'_>) -> Result<Begun, ApiError> {
        let mut turns = self.all();
        let mut starts = 0;
        if let Some(turn) = turns.get(&(tenant, id)) {
            let is_same = turn.agent == asked.agent && turn.session == asked.session && turn.told == asked.told;
            if !is_same {
                return Err(ApiError::KeyReused);
            }
            if !turn.came_to_nothing() {
                turn.log().detached |= asked.detached;
                return Ok(Begun::Known(Arc::clone(turn)));
            }
            starts = turn.log().next();
        }
        let running = |((of, _), turn): &(&(TenantId, Uuid), &Arc<Turn>)| *of == tenant && !turn.is_over();
        let too_many = |words: &str| {
            Err(ApiError::Agent(Failure {
                retry_after: Some(limits::BUSY_AGAIN),
                ..Failure::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_turns", words)
            }))
        };
        if turns.iter().filter(running).count() >= limits::TENANT_TURNS {
            return too_many(&format!(
                "{} turns of this tenant run or wait already (`TENANT_TURNS`).",
                limits::TENANT_TURNS
            ));
        }
        let offering = turns.iter().filter(running).filter(|(_, turn)| turn.offers);
        if asked.offers && offering.count() >= limits::TENANT_FUNCTION_TURNS {
            return too_many(&format!(
                "{} turns of this tenant that offer functions run or wait already (`TENANT_FUNCTION_TURNS`).",
                limits::TENANT_FUNCTION_TURNS
            ));
        }
        // Whoever asks for something else in a session has given up what it was asked for.
        let same = turns
            .iter()
            .filter(|((of, _), turn)| *of == tenant && turn.agent == asked.agent && turn.session == asked.session)
            .filter(|_| !asked.gone_on_with);
        for (_, turn) in same.filter(|(_, turn)| turn.log().waits_until().is_some()) {
            turn.cancel.notify_one();
        }
        make_room_in(&mut turns, tenant);
        let turn = Arc::new(Turn::new(id, asked, starts));
        turns.insert((tenant, id), Arc::clone(&turn));
        Ok(Begun::New(turn))
    }

    /// A turn of this tenant has ended: where too much is held of such turns, the first are forgotten.
    pub(crate) fn make_room(&self, tenant: TenantId) {
        make_room_in(&mut self.all(), tenant);
    }

    /// A turn that runs or has just ended.
    pub(crate) fn find(&self, tenant: TenantId, id: Uuid) -> Option<Arc<Turn>> {
        self.all().get(&(tenant, id)).cloned()
    }

    /// The turn of a tenant that made this call.
    pub(crate) fn that_called(&self, tenant: TenantId, call: &str) -> Option<Arc<Turn>> {
        let turns = self.all();
        let mut of = turns.iter().filter(|((of, _), _)| *of == tenant);
        of.find(|(_, turn)| turn.asks(call)).map(|(_, turn)| Arc::clone(turn))
    }

    /// Forgets a turn that has ended, and none that has been begun under its name since.
    pub(crate) fn forget(&self, tenant: TenantId, turn: &Arc<Turn>) {
        let mut turns = self.all();
        if turns
            .get(&(tenant, turn.id))
            .is_some_and(|known| Arc::ptr_eq(known, turn))
        {
            turns.remove(&(tenant, turn.id));
        }
    }

    /// Stops these turns of a tenant; those are returned.
    pub(crate) fn stop(&self, tenant: TenantId, which: impl Fn(&Turn) -> bool) -> Vec<Arc<Turn>> {
        let turns = self.all();
        let these = turns.iter().filter(|((of, _), turn)| *of == tenant && which(turn));
        let these: Vec<_> = these.map(|(_, turn)| Arc::clone(turn)).collect();
        for turn in &these {
            turn.cancel.notify_one();
        }
        these
    }

    /// What was said in these turns of a tenant is deleted: from here on only who reads one already reads it.
    pub(crate) fn forget_deleted(&self, tenant: TenantId, which: impl Fn(&Turn) -> bool) {
        self.all().retain(|(of, _), turn| *of != tenant || !which(turn));
    }
}

#[cfg(test)]
mod tests;
