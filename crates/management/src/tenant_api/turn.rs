//! Running one turn: the session's conversation, the message to the agent, what happens until the answer is sealed.

use futures::FutureExt as _;
use protocol::TenantId;
use protocol::chat::{ChatEventKind, Message, Part, Role, Status, ToolState};
use protocol::functions::{Call, Offer, TOOL};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::agents::{AgentError, AgentEvent, Listening};
use super::event::Event;
use super::failure::Failure;
use super::sessions;
use super::shares;
use super::turns::{
    self, Answer, AnswerTool, Asked, Begun, Final, Follower, Results, Stage, Taken, ToolCall, Turn, TurnEvent, Usage,
};
use crate::app::App;
use crate::clock::after;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_sessions::{self, Used};
use crate::storage::api_turns::{self, ApiTurn};

/// A turn that somebody wants.
pub(crate) struct Wanted {
    pub turn: Uuid,
    /// Its key was named by the caller: it may have been run before.
    pub named: bool,
    pub session: String,
    /// Nobody chose its name.
    pub unnamed: bool,
    pub words: Words,
    /// Goes on when nobody reads it.
    pub detach: bool,
    /// The session is forgotten afterwards; where the turn was named, when nobody can ask for it again.
    pub once: bool,
    /// Functions of the client's that the agent may call.
    pub functions: Option<Offer>,
    pub model: String,
}

impl Wanted {
    /// What the agent is told, as a digest.
    fn told(&self) -> [u8; 32] {
        let (kind, words) = match &self.words {
            Words::Text(text) | Words::History { new: text, .. } => (0_u8, text),
            Words::Job(job) => (1, job),
            Words::Told(turn) => return turn.told,
        };
        let offer = self.functions.as_ref().map(serde_json::to_vec);
        Sha256::new_with_prefix([kind])
            .chain_update((words.len() as u64).to_be_bytes())
            .chain_update(words)
            .chain_update(offer.and_then(Result::ok).unwrap_or_default())
            .finalize()
            .into()
    }

    /// The agent may call functions of the client's.
    fn offers(&self) -> bool {
        match &self.words {
            Words::Told(turn) => turn.offers,
            _ => self.functions.is_some(),
        }
    }

    /// It must call one.
    fn requires_call(&self) -> bool {
        match &self.words {
            Words::Told(turn) => turn.required,
            _ => self.functions.as_ref().is_some_and(|offer| offer.required),
        }
    }

    fn is_gone_on_with(&self) -> bool {
        matches!(self.words, Words::Told(_))
    }
}

/// What the agent is told.
#[derive(Debug)]
pub(crate) enum Words {
    Text(String),
    /// Of a client that says everything each time: what is new, and all of it for a conversation in which nothing was said yet, or why that
    /// cannot be sent.
    History {
        new: String,
        all: Result<String, Failure>,
    },
    /// What its vault has under the name of this job.
    Job(String),
    /// Nothing more: a server that has gone has begun this turn, and told it.
    Told(ApiTurn),
}

/// Begins a turn, or finds the one that was begun under the same key, and reads it.
pub(crate) fn start(app: &App, agent: &ApiAgent, wanted: Wanted) -> Result<Follower, ApiError> {
    let turns = &app.tenant_api()?.turns;
    let asked = Asked {
        agent: &agent.name,
        session: &wanted.session,
        told: wanted.told(),
        detached: wanted.detach,
        offers: wanted.offers(),
        gone_on_with: wanted.is_gone_on_with(),
    };
    match turns.begin(agent.tenant, wanted.turn, &asked)? {
        Begun::Known(turn) => Ok(turn.follow(0)),
        Begun::New(turn) => {
            let follower = turn.follow(0);
            tokio::spawn(run(app.clone(), agent.clone(), turn, wanted));
            Ok(follower)
        }
    }
}

/// Gives the agent the results of what it called, and reads its turn from there on. `session` is the one that the client names, if it does.
pub(crate) async fn go_on(
    app: &App,
    agent: &ApiAgent,
    session: Option<&str>,
    brought: Results,
) -> Result<Follower, ApiError> {
    let api = app.tenant_api()?;
    let first = brought.last.first().ok_or_else(Failure::unknown_call)?;
    let called = api.turns.that_called(agent.tenant, &first.id);
    let called =
        called.filter(|turn| turn.agent == agent.name && session.is_none_or(|session| turn.session == session));
    let turn = called.ok_or_else(Failure::unknown_call)?;
    let first = first.id.clone();
    let results = turn.of_a_round(brought)?;
    let follower = loop {
        let (follower, taken) = turn.answer(&results)?;
        match taken {
            Taken::New => break follower,
            Taken::Given => return Ok(follower),
            // Where they do not come to the agent by that, this request gives it them.
            Taken::UnderWay => turn.is_delivered(&first).await,
        }
    };
    // Of its own, because a client that goes away must not leave it open whether the agent has them.
    let (app, agent) = (app.clone(), agent.clone());
    let given = tokio::spawn(async move {
        let params = json!({"conversation": turn.conversation.get(), "turn": turn.id, "results": results});
        let given = app
            .tenant_api()?
            .agents
            .call(agent.cell(), "chat.results", params)
            .await;
        // What its keeper refuses, it refuses again: how the turn ends is told as any end.
        turn.delivered(
            &first,
            !matches!(given, Err(AgentError::Unavailable { .. } | AgentError::Failed(_))),
        );
        given.map(|_| ()).map_err(ApiError::from)
    });
    given.await.map_err(|_| Failure::interrupted())??;
    Ok(follower)
}

async fn run(app: App, agent: ApiAgent, turn: Arc<Turn>, wanted: Wanted) {
    let runner = Runner {
        app: &app,
        agent: &agent,
        turn: &turn,
        wanted: &wanted,
        begun_at: match &wanted.words {
            Words::Told(turn) => turn.begun_at,
            _ => app.clock.now(),
        },
        is_noted: AtomicBool::new(wanted.is_gone_on_with()),
        month: OnceLock::new(),
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(limits::TURN_TIME, runner.drive()) => ended,
        never = runner.hold() => match never {},
    };
    let ended = match ended {
        Ok(Ok(answer)) => TurnEvent::Final(answer),
        Ok(Err(failure)) => TurnEvent::Error(failure),
        Err(_) => {
            runner.abort().await;
            TurnEvent::Error(Failure::too_late())
        }
    };
    // Before anybody hears of the end, so that whoever has heard of it knows that the webhooks will.
    let told = Event::turn_ended(
        agent.tenant,
        &agent.name,
        &wanted.session,
        turn.id,
        &ended,
        runner.begun_at,
        app.clock.now(),
    );
    let kept = match &told {
        Some(told) => told.keep(&app).await,
        None => Ok(()),
    };
    turn.push(ended);
    if let Ok(api) = app.tenant_api() {
        api.turns.make_room(agent.tenant);
    }
    if let (Some(told), Err(error)) = (told, kept) {
        tracing::warn!(%error, turn = %turn.id, "a turn's end is not in the queue of webhooks yet");
        tokio::spawn({
            let app = app.clone();
            async move { told.keep_on_trying(&app).await }
        });
    }
    let forgotten = async {
        tokio::time::sleep(limits::TURN_KEPT).await;
        if let Ok(api) = app.tenant_api() {
            api.turns.forget(agent.tenant, &turn);
        }
    };
    let own = (wanted.once && !wanted.named).then_some(wanted.session.as_str());
    tokio::join!(remove_single(&app, &agent, own), forgotten);
}

/// Removes the session that was for one turn only, with those that were left of earlier ones; tried again, longer apart each time.
async fn remove_single(app: &App, agent: &ApiAgent, own: Option<&str>) {
    let mut rest = limits::SINGLE_TURN_AGAIN;
    for _ in 0..limits::SINGLE_TURN_TRIES {
        match sessions::remove_single(app, agent, own).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "the session of a single turn is not removed yet"),
        }
        tokio::time::sleep(rest).await;
        rest *= 2;
    }
}

/// How far back a turn is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Among the last messages, a page of them.
    Lately,
    Everywhere,
}

/// A turn as its cell has it.
struct Standing {
    answer: Option<Message>,
    saving: Saving,
}

/// It could still be lost.
struct Saving(bool);

impl Standing {
    /// The answer, if it is one.
    fn ended(self) -> Option<(Message, Saving)> {
        let answer = self.answer.filter(|answer| answer.status != Status::Running)?;
        Some((answer, self.saving))
    }
}

struct Runner<'a> {
    app: &'a App,
    agent: &'a ApiAgent,
    turn: &'a Turn,
    wanted: &'a Wanted,
    begun_at: OffsetDateTime,
    /// Webhooks are to be told of its end: another server goes on with it, should this one not say again and again that it has it.
    is_noted: AtomicBool,
    /// The one in which it was first asked what the cell uses.
    month: OnceLock<String>,
}

impl Runner<'_> {
    /// Says that this server has the turn, as long as it does.
    async fn hold(&self) -> Infallible {
        loop {
            tokio::time::sleep(limits::TURN_HOLD).await;
            if !self.is_noted.load(Ordering::Relaxed) {
                continue;
            }
            let until = after(self.app.clock.now(), limits::TURN_LEASE);
            let held = api_turns::hold(&self.app.database, self.agent.tenant, self.turn.id, until).await;
            if let Err(error) = held {
                tracing::warn!(%error, turn = %self.turn.id, "that a turn runs here could not be stored; it is said again");
            }
        }
    }

    async fn drive(&self) -> Result<Final, Failure> {
        self.status("waking");
        let begun = async {
            if self.agent.is_main() {
                shares::give_back(self.app, self.agent.tenant, self.agent.held_on).await?;
            }
            let conversation = self.conversation().await?;
            let listening = self.agents()?.listen(self.agent.cell(), &conversation).await?;
            Ok::<_, ApiError>((conversation, listening))
        };
        // A turn that nobody named is not there yet: what its cell has used is asked meanwhile.
        let used = async {
            let used = match self.wanted.named {
                true => None,
                false => self.used().await,
            };
            Ok::<_, ApiError>(used)
        };
        let both = async { tokio::try_join!(begun, used) };
        let ((conversation, listening), mut before) = self.unless_cancelled(both).await?;
        let _same = self.turn.conversation.set(conversation.clone());
        self.turn.reach(Stage::Open);
        let Listening { mut events, opened } = listening;
        let opening = async {
            let mut opened = opened.fuse();
            loop {
                tokio::select! {
                    opened = &mut opened => break opened.map_err(ApiError::from),
                    event = events.recv() => match event {
                        Some(AgentEvent::Cell(cell)) => self.status(word(&cell.phase)),
                        Some(AgentEvent::Chat(_)) => {}
                        None => break opened.await.map_err(ApiError::from),
                    },
                }
            }
        };
        self.unless_cancelled(opening).await?;
        let look = match self.wanted.is_gone_on_with() {
            true => Look::Everywhere,
            false => Look::Lately,
        };
        let mut known = match self.wanted.named {
            true => self.standing(&conversation, look).await?,
            false => None,
        };
        if known.is_none() {
            let words = self.words(&conversation).await?;
            if before.is_none() {
                before = self.used().await;
            }
            let told = self.tell(&conversation, words).await;
            // What its keeper refuses, the agent has not heard.
            if !matches!(told, Err(AgentError::Refused(_))) {
                self.turn.reach(Stage::Told);
            }
            if told? {
                let far = self.standing(&conversation, Look::Everywhere).await?;
                known = Some(far.ok_or_else(Failure::interrupted)?);
            }
        }
        let answered = match known.and_then(Standing::ended) {
            Some((message, Saving(false))) => return self.ended(message, None),
            Some((message, Saving(true))) => Some(message),
            None => None,
        };
        let answered = self.listen_to_the_end(&conversation, events, before, answered).await?;
        let usage = self.used_since(before).await;
        if let Some(usage) = usage {
            self.turn.push(TurnEvent::Usage(usage));
        }
        self.ended(answered, usage)
    }

    /// The words of the turn.
    async fn words(&self, conversation: &str) -> Result<&str, Failure> {
        match &self.wanted.words {
            Words::Text(words) | Words::Job(words) => Ok(words),
            // Its cell does not know it.
            Words::Told(_) => Err(Failure::interrupted()),
            Words::History { new, all } => match self.has_begun(conversation).await? {
                true => Ok(new),
                false => all.as_deref().map_err(Failure::clone),
            },
        }
    }

    /// Gives the agent the words of the turn; whether its keeper had them before.
    async fn tell(&self, conversation: &str, words: &str) -> Result<bool, AgentError> {
        let key = self.turn.id;
        let told = match &self.wanted.words {
            Words::Job(_) => {
                let params = json!({"conversation": conversation, "job": words, "key": key});
                self.call("chat.run", params).await?
            }
            _ => {
                let mut params = json!({"conversation": conversation, "text": words, "key": key});
                if let Some(functions) = &self.wanted.functions {
                    params["functions"] = json!(functions);
                }
                self.call("chat.send", params).await?
            }
        };
        Ok(told["again"] == true)
    }

    /// Whether anything was said in it.
    async fn has_begun(&self, conversation: &str) -> Result<bool, AgentError> {
        let opened = self.call("chat.open", json!({"conversation": conversation})).await?;
        Ok(opened["messages"]
            .as_array()
            .is_some_and(|messages| !messages.is_empty()))
    }

    /// What happens, until the answer is sealed. It may be there already.
    async fn listen_to_the_end(
        &self,
        conversation: &str,
        mut events: tokio::sync::mpsc::Receiver<AgentEvent>,
        before: Option<Usage>,
        mut answered: Option<Message>,
    ) -> Result<Message, Failure> {
        let key = self.turn.id.to_string();
        // When a turn that could not be stopped is stopped, and when one that is to be stopped is listened to again.
        let (mut stop_at, mut listen_at) = (None, None);
        loop {
            let stop = async {
                tokio::select! {
                    () = self.turn.cancel.notified() => {}
                    () = self.turn.is_left() => {}
                    () = turns::reached(stop_at) => {}
                }
            };
            let event = tokio::select! {
                () = stop => {
                    let stopped = self.abort_in(conversation).await;
                    stop_at = stopped.is_err().then(|| Instant::now() + limits::ABORT_AGAIN);
                    continue;
                }
                () = self.turn.is_given_up() => {
                    self.abort_in(conversation).await?;
                    return Err(Failure::not_answered());
                }
                () = turns::reached(listen_at) => None,
                event = events.recv(), if listen_at.is_none() => event,
            };
            match event {
                Some(AgentEvent::Cell(cell)) => self.status(word(&cell.phase)),
                Some(AgentEvent::Chat(event)) if event.turn == key => match event.kind {
                    ChatEventKind::Accepted { .. } => self.status("accepted"),
                    ChatEventKind::Phase { phase } => self.status(phase),
                    ChatEventKind::Text { delta } => self.turn.push(TurnEvent::Delta { text: delta }),
                    ChatEventKind::Tool {
                        id,
                        name,
                        phase,
                        input,
                        output,
                        is_error,
                    } => self.turn.push(TurnEvent::Tool(ToolCall {
                        id,
                        name,
                        phase,
                        input,
                        output,
                        is_error,
                    })),
                    ChatEventKind::Calls { calls } => {
                        let used = self.used_since(before).await;
                        self.ask(calls, used);
                    }
                    ChatEventKind::Answered { message } => answered = Some(message),
                    ChatEventKind::Saved => match answered {
                        Some(message) => return Ok(message),
                        None => {
                            let standing = self.standing(conversation, Look::Lately).await?;
                            return standing
                                .and_then(|standing| standing.answer)
                                .ok_or_else(Failure::interrupted);
                        }
                    },
                    ChatEventKind::NotSaved { message } => return Err(Failure::not_saved(&message)),
                    ChatEventKind::Failed { code, message, .. } => {
                        return Err(protocol::channel::ChannelError::new(&code, message).into());
                    }
                    ChatEventKind::Aborted { .. } => return Err(Failure::cancelled()),
                    ChatEventKind::Interrupted { .. } => return Err(Failure::interrupted()),
                },
                Some(AgentEvent::Chat(_)) => {}
                // The connection broke: the cell knows how the turn stands.
                None => {
                    let again = self.listen_again(conversation).await;
                    if stop_at.is_none() && self.turn.cancel.notified().now_or_never().is_some() {
                        stop_at = Some(Instant::now());
                    }
                    listen_at = None;
                    match again {
                        Ok((again, standing)) => {
                            events = again;
                            match standing.ended() {
                                Some((message, Saving(false))) => return Ok(message),
                                Some((message, Saving(true))) => answered = Some(message),
                                None => {}
                            }
                        }
                        // It runs, and is still to be stopped.
                        Err(failure) if stop_at.is_some() && failure.retry_after.is_some() => {
                            listen_at = Some(Instant::now() + limits::ABORT_AGAIN);
                        }
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }
    }

    /// What happens from now on, and how the turn stands.
    async fn listen_again(
        &self,
        conversation: &str,
    ) -> Result<(tokio::sync::mpsc::Receiver<AgentEvent>, Standing), Failure> {
        let again = self.agents()?.listen(self.agent.cell(), conversation).await?;
        again.opened.await?;
        let standing = self.standing(conversation, Look::Lately).await?;
        Ok((again.events, standing.ok_or_else(Failure::interrupted)?))
    }

    fn ended(&self, message: Message, usage: Option<Usage>) -> Result<Final, Failure> {
        match message.status {
            Status::Done if self.wanted.requires_call() && !has_called(&message) => Err(Failure::not_called()),
            Status::Done => Ok(Final {
                session_id: self.wanted.session.clone(),
                turn_id: self.turn.id,
                model: self.wanted.model.clone(),
                message: answer(message),
                usage,
            }),
            Status::Aborted => Err(Failure::cancelled()),
            Status::Failed => Err(message.error.map_or_else(Failure::interrupted, Failure::from)),
            Status::Interrupted | Status::Running => Err(Failure::interrupted()),
        }
    }

    /// The keeper's conversation of the session; a new session gets a new one.
    async fn conversation(&self) -> Result<String, ApiError> {
        let (agent, session) = (self.agent.name.as_str(), self.wanted.session.as_str());
        let (database, now) = (&self.app.database, self.app.clock.now());
        let new = Uuid::now_v7().to_string();
        let mut transaction = TenantTransaction::begin(database, self.agent.tenant).await?;
        if self.wanted.is_gone_on_with() {
            let known = api_sessions::find(&mut transaction, agent, session).await?;
            return Ok(known.ok_or(ApiError::NotFound)?.conversation);
        }
        let cut_off = now + limits::TURN_TIME;
        let used = Used {
            id: session,
            unnamed: self.wanted.unnamed,
        };
        let named = api_sessions::begin(&mut transaction, agent, used, &new, cut_off, now).await?;
        // The agent was removed meanwhile.
        let named = named.ok_or(ApiError::NotFound)?;
        // A job's run has a lease of its own.
        if !matches!(self.wanted.words, Words::Job(_)) {
            let noted = api_turns::begin(&mut transaction, &self.to_note(), now).await?;
            self.is_noted.store(noted, Ordering::Relaxed);
        }
        if named.made {
            // What it changed is when the session was used last, and that the turn runs here, which it does not yet.
            transaction.commit_soon().await?;
            return Ok(named.conversation);
        }
        transaction.commit().await?;
        // The same, however often it is asked for.
        let made = self.call("chat.create", json!({"id": named.conversation})).await?;
        let id = made["conversation"]["id"].as_str().unwrap_or_default();
        let kept = match self.wanted.named {
            true => limits::SINGLE_TURN_KEPT,
            false => limits::TURN_TIME,
        };
        let gone_at = self.wanted.once.then(|| now + kept);
        let mut transaction = TenantTransaction::begin(database, self.agent.tenant).await?;
        let named = api_sessions::made(&mut transaction, agent, session, id, gone_at).await?;
        transaction.commit().await?;
        if named.as_deref() != Some(id) {
            // The session was deleted meanwhile, or its keeper chose the id, as one did that is older, and another request was faster.
            self.call("chat.delete", json!({"conversation": id})).await?;
        }
        named.ok_or(ApiError::NotFound)
    }

    /// The turn, as another server has to know it.
    fn to_note(&self) -> ApiTurn {
        ApiTurn {
            id: self.turn.id,
            agent: self.agent.name.clone(),
            session: self.wanted.session.clone(),
            told: self.wanted.told(),
            offers: self.wanted.offers(),
            required: self.wanted.requires_call(),
            begun_at: self.begun_at,
        }
    }

    /// How this turn stands in its cell now; nothing where it is not there.
    async fn standing(&self, conversation: &str, look: Look) -> Result<Option<Standing>, Failure> {
        let turn = self.turn.id;
        let (question, answer) = (format!("u-{turn}"), format!("a-{turn}"));
        let mut before: Option<String> = None;
        loop {
            let params = json!({"conversation": conversation, "before": before});
            let opened = self.call("chat.open", params).await?;
            let page: Vec<Message> = serde_json::from_value(opened["messages"].clone()).unwrap_or_default();
            let running = &opened["running"];
            if before.is_none()
                && running["turn"] == json!(turn)
                && let Ok(calls) = serde_json::from_value::<Vec<Call>>(running["calls"].clone())
            {
                // Asked for while nobody here listened.
                self.ask(calls, None);
            }
            let saving = opened["saving"]
                .as_array()
                .is_some_and(|saving| saving.contains(&json!(turn)));
            if saving && let Some(why) = opened["not_saved"].as_str() {
                return Err(Failure::not_saved(why));
            }
            let first = page.first().map(|message| message.id.clone());
            let is_asked = page.iter().any(|message| message.id == question);
            let answer = page.into_iter().find(|message| message.id == answer);
            if is_asked || answer.is_some() {
                return Ok(Some(Standing {
                    answer,
                    saving: Saving(saving),
                }));
            }
            if look == Look::Lately || opened["more"] != true || first.is_none() {
                return Ok(None);
            }
            before = first;
        }
    }

    /// What the cell has used since the month began in which this was first asked: a turn may outlast it.
    async fn used(&self) -> Option<Usage> {
        let now = self.call("spending.get", json!({})).await.ok()?;
        let month = self
            .month
            .get_or_init(|| now["month"].as_str().unwrap_or_default().to_owned());
        let used = Usage::of(&now);
        if now["month"] == **month {
            return Some(used);
        }
        let before = self.call("spending.get", json!({"month": month})).await.ok()?;
        Some(used.and(Usage::of(&before)))
    }

    /// What it has used since it had used this, where both are known.
    async fn used_since(&self, before: Option<Usage>) -> Option<Usage> {
        let before = before?;
        Some(self.used().await?.since(before))
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, Failure> {
        tokio::select! {
            () = self.turn.cancel.notified() => Err(Failure::cancelled()),
            done = work => done.map_err(Failure::from),
        }
    }

    async fn abort_in(&self, conversation: &str) -> Result<(), Failure> {
        let params = json!({"conversation": conversation, "turn": self.turn.id});
        self.call("chat.abort", params).await?;
        Ok(())
    }

    /// When the time is over.
    async fn abort(&self) {
        if let Some(conversation) = self.turn.conversation.get()
            && let Err(failure) = self.abort_in(conversation).await
        {
            tracing::warn!(failure.message, "a turn that took too long was not stopped");
        }
    }

    fn agents(&self) -> Result<&dyn super::PlatformAgents, ApiError> {
        Ok(&*self.app.tenant_api()?.agents)
    }

    async fn call(&self, method: &'static str, params: Value) -> Result<Value, AgentError> {
        let agents = self.agents().map_err(|error| AgentError::Failed(error.to_string()))?;
        agents.call(self.agent.cell(), method, params).await
    }

    fn ask(&self, calls: Vec<Call>, usage: Option<Usage>) {
        if !calls.is_empty() {
            self.turn.ask(calls, usage);
        }
    }

    fn status(&self, phase: impl Into<String>) {
        self.turn.push(TurnEvent::Status { phase: phase.into() });
    }
}

/// Whether the agent called a function of the client's on the way to this answer, and had its result.
fn has_called(answer: &Message) -> bool {
    let is_call = |part: &Part| matches!(part, Part::Tool { name, state: ToolState::Ok, .. } if name == TOOL);
    answer.parts.iter().any(is_call)
}

/// A message of the keeper's as the API tells it.
pub(crate) fn answer(message: Message) -> Answer {
    let (mut text, mut tools) = (String::new(), Vec::new());
    for part in message.parts {
        match part {
            Part::Text { text: piece } => text.push_str(&piece),
            Part::Tool {
                id,
                name,
                input,
                output,
                state,
            } => tools.push(AnswerTool {
                id,
                name,
                input,
                output,
                state,
            }),
        }
    }
    Answer {
        id: message.id,
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        at: message.at,
        text,
        tools,
    }
}

/// A word of the protocol's as it is written.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A session that the caller did not name.
pub(crate) fn new_session() -> String {
    format!("s-{}", Uuid::now_v7().simple())
}

/// What an agent must have before it can be talked to.
pub(crate) fn model_of(agent: &ApiAgent) -> Result<&str, ApiError> {
    let words = match agent.is_main() {
        true => "This tenant has no model yet: PATCH it with one and its key.",
        false => "This agent has no model yet: PATCH it with one and its key.",
    };
    agent
        .model
        .as_ref()
        .map(|model| model.name.as_str())
        .ok_or_else(|| ApiError::Agent(Failure::new(axum::http::StatusCode::CONFLICT, "no_model", words)))
}

/// The turn that `Last-Event-ID` names, from the event after it.
pub(crate) fn resume(app: &App, tenant: TenantId, last: &str) -> Result<Follower, ApiError> {
    let read = || {
        let (turn, event) = last.split_once(':')?;
        Some((Uuid::parse_str(turn).ok()?, event.parse::<usize>().ok()?))
    };
    let (turn, event) = read().ok_or_else(|| ApiError::BadRequest("`Last-Event-ID` is none of ours".to_owned()))?;
    let turn = app.tenant_api()?.turns.find(tenant, turn).ok_or(ApiError::NotFound)?;
    Ok(turn.follow(event.saturating_add(1)))
}
