//! From an unlocked vault to an agent that answers.

use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp};
use tokio::sync::MutexGuard;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::{Cell, Step, TRY_AGAIN, phases};
use crate::agent::StartWith;
use crate::broker::ModelPublic;
use crate::home::{HomeError, HomeVault, UnlockedVault};
use crate::limits;
use crate::platform::PlatformError;
use crate::vault_service::unpoisoned;
use std::sync::Arc;

/// Longest wait for the agent's container: before a new one is asked for, and after that.
const CONTAINER_ALONE: Duration = Duration::from_secs(60);
const CONTAINER: Duration = Duration::from_secs(120);
/// A platform that starts again is back within this time.
const PLATFORM: Duration = Duration::from_secs(60);
const PLATFORM_AGAIN: Duration = Duration::from_millis(200);
/// Longest wait for an agent that is ended.
const STOP_GRACE: Duration = Duration::from_secs(5);
const STOPPED: Duration = Duration::from_secs(15);
/// Longest wait for the platform's answer to a pause that is over, or to a question for the agent.
const QUESTION: Duration = Duration::from_secs(3);

/// Who wants the agent started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A person who sees that it failed.
    ByAPerson,
    /// What needs it, and can be told that it failed.
    ByTheWay,
}

fn seconds(time: Duration) -> String {
    match time.as_millis().div_ceil(1000) {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// Why the agent does not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("The vault was locked meanwhile.")]
    Locked,
    #[error("No model is connected yet.")]
    NoModel,
    #[error("The home could not be restored: {0}.")]
    Home(HomeError),
    #[error("The agent's container does not answer: it is starting again, or the machine is overloaded.")]
    NoContainer,
    #[error("The agent could not be started: {0}")]
    Agent(String),
    #[error("The agent ended {} times in a row. {last}", limits::AGENT_CRASHES)]
    KeepsEnding { last: String },
}

impl From<HomeError> for StartError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::Locked => Self::Locked,
            other => Self::Home(other),
        }
    }
}

impl Cell {
    /// Starts on a task of its own, unless that is done or under way. One that has failed just now is left alone for a moment:
    /// then it is started if a person asks for it, and not for whatever else wants an agent.
    pub(super) fn begin_start(&self, asked: Asked) {
        let phases = &self.inner.phases;
        let mut starting = self.starting();
        let has_failed = phases.is(CellPhase::Failed);
        let under_way = !has_failed && starting.as_ref().is_some_and(|task| !task.is_finished());
        if phases.is(CellPhase::Ready) || under_way {
            return;
        }
        let mut left = Duration::ZERO;
        if has_failed {
            let since = u64::try_from(phases.now() - phases.since()).unwrap_or(0);
            left = TRY_AGAIN.saturating_sub(Duration::from_millis(since));
            if !left.is_zero() && asked == Asked::ByTheWay {
                return;
            }
            // Whoever waits sees that it is tried again.
            let soon =
                (!left.is_zero()).then(|| format!("It failed a moment ago, and is tried again in {}.", seconds(left)));
            phases.enter(CellPhase::OpeningVault, soon);
        }
        let cell = self.clone();
        *starting = Some(tokio::spawn(async move {
            let _busy = cell.busy();
            tokio::time::sleep(left).await;
            cell.start_now().await;
        }));
    }

    async fn start_now(&self) {
        let mut step = self.inner.step.lock().await;
        if self.inner.phases.is(CellPhase::Ready) {
            return;
        }
        match self.bring_up(&mut step).await {
            Ok(()) => {
                self.inner.phases.enter(CellPhase::Ready, None);
                self.remember_durations().await;
                self.ask_wake_at().await;
            }
            Err(StartError::Locked) => {}
            Err(error) => self.has_failed(&mut step, &error),
        }
    }

    fn has_failed(&self, step: &mut Step, error: &StartError) {
        tracing::warn!("the agent is not started: {error}");
        step.failed = true;
        self.inner.phases.enter(CellPhase::Failed, Some(error.to_string()));
    }

    /// Ends a start that is under way; what it has half done is done again.
    pub(super) async fn stop_starting(&self) {
        let task = self.starting().take();
        if let Some(task) = task {
            task.abort();
            // An aborted task ends at once; that it was aborted is no news.
            let _aborted = task.await;
        }
    }

    async fn bring_up(&self, step: &mut Step) -> Result<(), StartError> {
        let phases = &self.inner.phases;
        if !step.home_is_live {
            phases.enter(CellPhase::OpeningVault, None);
        }
        let vault: Arc<dyn HomeVault> = Arc::new(UnlockedVault::new(self.vault())?);
        if let Ok(Some(record)) = self.vault().get_record(phases::RECORD) {
            phases.recall(&record);
        }
        let models = self.models()?;
        step.sealed = false;
        if !step.home_is_live {
            self.stop_agent().await;
            phases.enter(CellPhase::RestoringHome, None);
            let restored = self.inner.parts.home.restore(&vault).await?;
            tracing::info!(
                number = restored.number,
                entries = restored.entries,
                rolled_forward = restored.rolled_forward,
                "home restored"
            );
            step.home_is_live = true;
            self.tidy_later();
        }
        self.tell_agent().await;
        self.furnish(step).await?;
        if std::mem::take(&mut step.failed) && *self.agent().state().borrow() == AgentState::Absent {
            // The container went with the start that failed, and nobody makes another one by themselves.
            phases.enter(CellPhase::StartingAgent, None);
            self.replace_agent().await?;
        }
        self.answering(&models).await?;
        self.is_started_for(models);
        // Waits for this step's end.
        let cell = self.clone();
        tokio::spawn(async move { cell.seal_anew().await });
        Ok(())
    }

    /// From a home that is there to an agent that answers.
    pub(super) async fn answering(&self, models: &[ModelPublic]) -> Result<(), StartError> {
        let phases = &self.inner.phases;
        let mut state = self.agent().state();
        // A connection that is being made again is made, or fails, by itself.
        let settled = timeout(CONTAINER, state.wait_for(|state| *state != AgentState::Starting)).await;
        let now = settled
            .ok()
            .and_then(Result::ok)
            .map_or(AgentState::Failed, |state| *state);
        match now {
            AgentState::Ready => return Ok(()),
            AgentState::Suspended => {
                self.agent().resume().await.map_err(StartError::Agent)?;
                return Ok(());
            }
            AgentState::Starting | AgentState::Failed => {
                phases.enter(CellPhase::StartingAgent, None);
                self.replace_agent().await?;
            }
            AgentState::Absent | AgentState::Waiting => phases.enter(CellPhase::StartingAgent, None),
        }
        if timeout(CONTAINER_ALONE, state.wait_for(|state| *state == AgentState::Waiting))
            .await
            .is_err()
        {
            tracing::warn!("the agent's container is not there: a new one is asked for");
            self.replace_agent().await?;
        }
        self.container_waits().await?;
        let token = || self.vault().gateway_token().map_err(|_| StartError::Locked);
        let tools = self.tools()?;
        let with = || StartWith { models, tools: &tools };
        if let Err(error) = self.agent().start(with(), token()?).await {
            // On an overloaded machine OpenClaw's first start can run out of one of its own limits of time.
            tracing::warn!(
                "the agent did not start, and is started once more: {}",
                self.agent_error(error)
            );
            self.replace_agent().await?;
            self.container_waits().await?;
            let again = self.agent().start(with(), token()?).await;
            again.map_err(|error| self.agent_error(error))?;
        }
        self.warm_up().await;
        Ok(())
    }

    /// Spends the slow first turn on one of our own. A person's turn that waits already is served at once instead: what it needs
    /// is loaded by itself, and whatever has begun is used by both.
    async fn warm_up(&self) {
        let mut turns = self.inner.turns.subscribe();
        if *turns.borrow() > 0 {
            return;
        }
        self.inner.phases.enter(CellPhase::WarmingUp, None);
        let cell = self.clone();
        let mut warming = AbortOnDropHandle::new(tokio::spawn(async move {
            let _busy = cell.busy();
            if let Err(error) = cell.agent().warm_up().await {
                // The first turn is slower, that is all.
                tracing::info!("not warmed up: {error}");
            }
        }));
        let turn_waits = tokio::select! {
            _ = &mut warming => false,
            _ = turns.wait_for(|turns| *turns > 0) => true,
        };
        if turn_waits {
            // It ends by itself, beside the turn.
            drop(warming.detach());
        }
    }

    /// Until the agent's container is ready to start OpenClaw.
    async fn container_waits(&self) -> Result<(), StartError> {
        let mut state = self.agent().state();
        match timeout(CONTAINER, state.wait_for(|state| *state == AgentState::Waiting)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StartError::NoContainer),
        }
    }

    /// Has the platform replace the agent's container; without one that answers, the agent is ended where it is.
    async fn replace_agent(&self) -> Result<(), StartError> {
        let Err(error) = self.ask_platform(KeeperOp::RestartAgent).await else {
            return Ok(());
        };
        tracing::warn!("the agent's container is not replaced: {error}");
        self.agent()
            .stop(STOP_GRACE)
            .await
            .map_err(|_| StartError::Agent(error.to_string()))
    }

    /// Asks the platform, and asks again while it is away.
    pub(super) async fn ask_platform(&self, op: KeeperOp) -> Result<(), PlatformError> {
        let until = Instant::now() + PLATFORM;
        loop {
            match self.platform().request(op).await {
                Err(PlatformError::Disconnected) if Instant::now() < until => {
                    tokio::time::sleep(PLATFORM_AGAIN).await;
                }
                done => return done,
            }
        }
    }

    fn agent_error(&self, error: String) -> StartError {
        StartError::Agent(match self.agent().failure() {
            Some(last) if last.starts_with(&error) => last,
            Some(last) => format!("{error}: {last}"),
            None => error,
        })
    }

    pub(super) fn models(&self) -> Result<Vec<ModelPublic>, StartError> {
        match self.inner.parts.broker.models() {
            Ok(models) if models.is_empty() => Err(StartError::NoModel),
            Ok(models) => Ok(models),
            Err(_) => Err(StartError::Locked),
        }
    }

    /// Nobody may write the home while it is replaced: an agent that an earlier keeper started is ended.
    pub(super) async fn stop_agent(&self) {
        let mut state = self.agent().state();
        if matches!(*state.borrow(), AgentState::Absent | AgentState::Waiting) {
            return;
        }
        let ended = async {
            self.agent().stop(STOP_GRACE).await?;
            state
                .wait_for(|state| matches!(state, AgentState::Waiting | AgentState::Absent | AgentState::Failed))
                .await
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(())
        };
        if !matches!(timeout(STOPPED, ended).await, Ok(Ok(())))
            && let Err(error) = self.ask_platform(KeeperOp::RestartAgent).await
        {
            tracing::warn!("the agent could not be ended: {error}");
        }
    }

    /// The agent ended by itself: starts it again in the home that is still there.
    pub(super) async fn recover(&self) {
        let _busy = self.busy();
        let mut step = self.inner.step.lock().await;
        let still_gone = matches!(
            *self.agent().state().borrow(),
            AgentState::Absent | AgentState::Waiting | AgentState::Failed
        );
        if !still_gone || !step.home_is_live || !self.inner.phases.is(CellPhase::Ready) {
            return;
        }
        tracing::warn!(
            state = ?*self.agent().state().borrow(),
            "the agent ended by itself: it is started again"
        );
        let now = Instant::now();
        step.crashes
            .retain(|at| now.duration_since(*at) < limits::AGENT_CRASH_WINDOW);
        step.crashes.push_back(now);
        self.inner.phases.enter(CellPhase::StartingAgent, None);
        if step.crashes.len() > limits::AGENT_CRASHES {
            step.crashes.clear();
            let last = self.agent().failure().unwrap_or_default();
            self.has_failed(&mut step, &StartError::KeepsEnding { last });
        } else {
            self.start_again(&mut step).await;
        }
    }

    /// Starts the agent in the home that is there, and says what came of it.
    pub(super) async fn start_again(&self, step: &mut Step) {
        self.inner.phases.enter(CellPhase::StartingAgent, None);
        match self.restart(step).await {
            Ok(()) => self.inner.phases.enter(CellPhase::Ready, None),
            Err(error) => self.has_failed(step, &error),
        }
    }

    async fn restart(&self, step: &mut Step) -> Result<(), StartError> {
        let models = self.models()?;
        self.furnish(step).await?;
        if *self.agent().state().borrow() != AgentState::Waiting {
            self.replace_agent().await?;
        }
        self.answering(&models).await?;
        self.is_started_for(models);
        Ok(())
    }

    /// The agent has to read its settings again: it is ended and started in the same home, when no answer is under way.
    pub(super) async fn restart_for_model(&self) {
        if !self.inner.phases.is(CellPhase::Ready) {
            let _not_yet: Result<_, ChannelError> = self.start(Asked::ByTheWay);
        }
        let mut step = self.between_turns().await;
        let _busy = self.busy();
        let Ok(models) = self.models() else {
            return;
        };
        if !step.home_is_live || !self.inner.phases.is(CellPhase::Ready) {
            drop(step);
            let _not_yet: Result<_, ChannelError> = self.start(Asked::ByTheWay);
            return;
        }
        if self.knows(&models) {
            return;
        }
        self.inner.phases.enter(CellPhase::StartingAgent, None);
        self.stop_agent().await;
        self.start_again(&mut step).await;
    }

    fn is_started_for(&self, models: Vec<ModelPublic>) {
        *unpoisoned(&self.inner.started_for) = Some(models);
    }

    /// Whether the agent was started with these models. Their addresses and their keys are the broker's business.
    fn knows(&self, models: &[ModelPublic]) -> bool {
        let same = |(one, other): (&ModelPublic, &ModelPublic)| one.kind == other.kind && one.model == other.model;
        let started_for = unpoisoned(&self.inner.started_for);
        let known = |before: &Vec<ModelPublic>| before.len() == models.len() && before.iter().zip(models).all(same);
        started_for.as_ref().is_some_and(known)
    }

    /// Whether the agent that answers is about to be started again, for other models.
    pub(super) fn has_other_models(&self) -> bool {
        self.inner.phases.is(CellPhase::Ready) && self.models().is_ok_and(|models| !self.knows(&models))
    }

    /// Waits while it is.
    pub(super) async fn settled(&self) {
        let mut phases = self.inner.phases.watch();
        let mut vault = self.vault().watch();
        let mut notices = self.vault().notices();
        while self.has_other_models() {
            tokio::select! {
                changed = phases.changed() => if changed.is_err() { return },
                changed = vault.changed() => if changed.is_err() { return },
                notice = notices.recv() => if matches!(notice, Err(RecvError::Closed)) { return },
            }
        }
    }

    /// The next step, when no turn is under way any more; at the latest after [`limits::RESTART_WAITS`].
    pub(super) async fn between_turns(&self) -> MutexGuard<'_, Step> {
        let mut turns = self.inner.turns.subscribe();
        let latest = Instant::now() + limits::RESTART_WAITS;
        loop {
            if timeout_at(latest, turns.wait_for(|turns| *turns == 0)).await.is_err() {
                tracing::info!("the agent is ended although turns are under way: they took too long");
                return self.inner.step.lock().await;
            }
            let step = self.inner.step.lock().await;
            if *turns.borrow() == 0 {
                return step;
            }
        }
    }

    async fn remember_durations(&self) {
        let record = self.inner.phases.record();
        if let Err(error) = self.vault().put_record(phases::RECORD, &record).await {
            tracing::info!("how long the start took is not recorded: {error}");
        }
    }

    /// Tells the platform when the agent next wants to be awake.
    pub(super) async fn ask_wake_at(&self) {
        if let Ok(at) = timeout(QUESTION, self.agent().next_wake_at()).await {
            self.set_status(|status| status.wake_at = at);
        }
    }

    pub(super) fn tidy_later(&self) {
        let home = self.inner.parts.home.clone();
        tokio::spawn(async move {
            let left = home.tidy().await;
            if left > 0 {
                tracing::info!(left, "superfluous sealed objects stay for now");
            }
        });
    }
}
