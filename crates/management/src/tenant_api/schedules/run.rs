//! One run of a job: whether its agent may be spoken to, as for a request; waking it, where that leaves room for requests; then a turn, which
//! the keeper begins with what is in the vault. Its end is told to webhooks as that of any turn, and the cell is left.

use std::time::Duration;

use protocol::TenantId;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::event::Event;
use super::super::failure::Failure;
use super::super::shares;
use super::super::turn::{self, Wanted, Words};
use super::super::turns::{Follower, Stage, TurnEvent};
use crate::app::App;
use crate::cell_control::CellRef;
use crate::clock::{after, millis};
use crate::ids;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_schedules::{self, Claim, JobName, Progress, SPENT};
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants};

/// What a run that was answered is called.
const DONE: &str = "done";

/// What one is called of an agent, or a tenant, that is not there.
const GONE: &str = "gone";

/// Why there was no answer.
enum Missed {
    /// Nobody may speak to this agent: it did not begin, and nobody is told but the operator.
    Barred(&'static str),
    /// It did not begin, and may later.
    Later(Duration, Failure),
    /// It did not begin.
    Refused(Failure),
    /// The turn has failed, and told of it itself.
    Failed(Failure),
}

impl From<ApiError> for Missed {
    fn from(error: ApiError) -> Self {
        let failure = match error {
            ApiError::TenantTooOften(often) => Failure {
                retry_after: Some(often.wait),
                ..ApiError::TenantTooOften(often).into()
            },
            error => Failure::from(error),
        };
        match failure.retry_after {
            Some(wait) => Self::Later(wait.max(limits::SCHEDULE_AGAIN), failure),
            None if failure.status.is_server_error() => Self::Later(limits::SCHEDULE_AGAIN, failure),
            None => Self::Refused(failure),
        }
    }
}

/// How far a run has come here.
struct Reached {
    progress: Progress,
    /// Its turn, begun or not, and the session of that.
    turn: Option<(Uuid, String)>,
    /// The cell that was woken for it.
    cell: Option<CellRef>,
}

/// Carries a run out, or lets go of it for a while. Whatever becomes of it is stored. The permit is given back when its turn has begun, or
/// does not begin.
pub(super) async fn run(app: &App, name: &JobName, claim: Claim, permit: OwnedSemaphorePermit) {
    let mut reached = Reached {
        progress: claim.progress,
        turn: None,
        cell: None,
    };
    let missed = attempt(app, name, claim, &mut reached, permit).await.err();
    let cell = reached.cell;
    settle(app, name, claim, reached, missed).await;
    if let Some(cell) = cell {
        // Of its own: the run is over, and its lease with it.
        let (app, name) = (app.clone(), name.clone());
        tokio::spawn(async move { leave(&app, name.tenant, &name.agent, cell).await });
    }
}

/// Stores what has become of a run, and tells of it where nobody has.
async fn settle(app: &App, name: &JobName, claim: Claim, reached: Reached, missed: Option<Missed>) {
    let Claim { due_at, begun_at, .. } = claim;
    let Reached { progress, turn, .. } = reached;
    let now = app.clock.now();
    let missed = match missed {
        Some(Missed::Later(wait, failure)) if now < after(begun_at, limits::SCHEDULE_PATIENCE) || turn.is_none() => {
            let JobName { tenant, agent, job } = name;
            tracing::info!(%tenant, agent, job, code = failure.code, "a job cannot be run now and is tried again");
            let tried = Duration::try_from(now - begun_at).unwrap_or_default();
            let wait = wait.max(tried.min(limits::SCHEDULE_AGAIN_LONGEST));
            let held = api_schedules::hold_at(&app.database, name, due_at, after(now, wait), progress).await;
            if let Err(error) = held {
                tracing::warn!(%error, "a run of an agent's schedule is tried again when its lease is over");
            }
            return;
        }
        missed => missed,
    };
    let (result, untold) = match missed {
        None => (DONE.to_owned(), None),
        Some(Missed::Barred(why)) => (why.to_owned(), None),
        Some(Missed::Failed(failure)) => (failure.code.to_string(), None),
        Some(Missed::Refused(failure) | Missed::Later(_, failure)) => (failure.code.to_string(), Some(failure)),
    };
    let result: String = result.chars().take(limits::SCHEDULE_RESULT_CHARS).collect();
    tracing::info!(tenant = %name.tenant, agent = name.agent, job = name.job, result, "a job of an agent's schedule has ended");
    if let (Some(failure), Some((turn, session))) = (untold, turn) {
        let ended = TurnEvent::Error(failure);
        let told = Event::turn_ended(name.tenant, &name.agent, &session, turn, &ended, begun_at, now);
        if let Some(told) = told
            && let Err(error) = told.keep(app).await
        {
            tracing::warn!(%error, "a job that failed is told to webhooks later");
            told.keep_on_trying(app).await;
        }
    }
    if result == GONE
        && name.agent != api_agents::MAIN
        && let Err(error) = api_schedules::remove_of_gone(&app.database, name).await
    {
        tracing::warn!(%error, "the jobs of an agent that is gone stay for now");
    }
    // Where this fails, the lease ends, and the turn is found to be over by whoever goes on.
    if let Err(error) = api_schedules::ended(&app.database, name, due_at, &result, now).await {
        tracing::warn!(%error, "the end of a run of an agent's schedule could not be stored");
    }
}

/// Nobody needs the cell for this any more: until somebody does, others may have its place.
pub(in super::super) async fn leave(app: &App, tenant: TenantId, agent: &str, cell: CellRef) {
    let Ok(api) = app.tenant_api() else { return };
    for _ in 0..limits::SCHEDULE_LEAVE_TRIES {
        if api.turns.is_at_work(tenant, agent) || api.agents.leave(cell).await {
            return;
        }
        // Its keeper still seals what the turn has changed.
        tokio::time::sleep(limits::SCHEDULE_LEAVE_AGAIN).await;
    }
}

async fn attempt(
    app: &App,
    name: &JobName,
    claim: Claim,
    reached: &mut Reached,
    permit: OwnedSemaphorePermit,
) -> Result<(), Missed> {
    let by = Instant::now() + limits::SCHEDULE_START;
    let begun = tokio::time::timeout_at(by, begin(app, name, claim, reached)).await;
    let late = |_| {
        let words = "The agent's cell did not open in time.";
        Missed::from(ApiError::from(Failure::unavailable(words, limits::SCHEDULE_AGAIN)))
    };
    let mut follower = begun.map_err(late)??;
    // What keeps it from opening is told as the turn's end.
    let _opened = tokio::time::timeout_at(by, follower.until(Stage::Open)).await;
    drop(permit);
    let ended = tokio::time::timeout(limits::TURN_TIME + limits::SCHEDULE_START, follower.answer()).await;
    match ended {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Missed::Failed(error.into())),
        Err(_) => Err(Missed::Failed(Failure::too_late())),
    }
}

/// Wakes the agent and begins the turn, or finds the one that was begun.
async fn begin(app: &App, name: &JobName, claim: Claim, reached: &mut Reached) -> Result<Follower, Missed> {
    let api = app.tenant_api()?;
    let now = app.clock.now();
    let (agent, per_minute) = agent(app, name, now).await?;
    let model = agent.model.as_ref().ok_or(Missed::Barred("no_model"))?.name.clone();
    let (turn, session) = (turn_of(&agent, name, claim.due_at), format!("schedule-{}", name.job));
    reached.turn = Some((turn, session.clone()));
    // A turn that was begun before is told of as it ended, whatever it has spent.
    let had_turn = reached.progress.has_turn;
    if !had_turn && was_spent_lately(claim, &agent, now) {
        return Err(spent());
    }
    if !reached.progress.is_counted {
        let requests = api.requests.take(name.tenant, per_minute, now);
        requests.map_err(ApiError::TenantTooOften)?;
        reached.progress.is_counted = true;
    }
    if agent.is_main() {
        shares::give_back(app, agent.tenant, agent.held_on).await?;
    }
    let cell = agent.cell();
    if !api.agents.has_room(cell) {
        return Err(ApiError::from(Failure::no_room(limits::SCHEDULE_AGAIN)).into());
    }
    // Wakes it: where there is no room now, no turn begins that could only fail.
    reached.cell = Some(cell);
    let spending = api.agents.call(cell, "spending.get", serde_json::json!({}));
    if is_spent(&spending.await.map_err(ApiError::from)?) && !had_turn {
        return Err(spent());
    }
    // Before it is so: whoever goes on with the run must know of a turn that there may be.
    let with_turn = Progress {
        is_counted: true,
        has_turn: true,
    };
    let until = after(app.clock.now(), limits::SCHEDULE_LEASE);
    let held = api_schedules::hold_at(&app.database, name, claim.due_at, until, with_turn).await;
    held.map_err(ApiError::from)?;
    let wanted = Wanted {
        turn,
        named: true,
        session,
        unnamed: false,
        words: Words::Job(name.job.clone()),
        detach: true,
        once: false,
        functions: None,
        model,
    };
    let follower = turn::start(app, &agent, wanted)?;
    reached.progress = with_turn;
    Ok(follower)
}

fn spent() -> Missed {
    let words = "What this agent may spend is spent: the job was not run.";
    let status = axum::http::StatusCode::PAYMENT_REQUIRED;
    Missed::Refused(Failure::new(status, SPENT, words))
}

/// Whether its money was spent when a job of its last came, in the same hour and since it was last changed: then it is not woken to see that.
fn was_spent_lately(claim: Claim, agent: &ApiAgent, now: OffsetDateTime) -> bool {
    let hour = |at: OffsetDateTime| at.unix_timestamp().div_euclid(limits::SCHEDULE_SPENT_SECONDS);
    let lately = |at: OffsetDateTime| hour(at) == hour(now) && agent.updated_at < at;
    claim.spent_at.is_some_and(lately)
}

/// The agent, and how many requests its tenant has, where somebody could speak to it now.
async fn agent(app: &App, name: &JobName, now: OffsetDateTime) -> Result<(ApiAgent, Option<i32>), Missed> {
    let read = async {
        let mut transaction = TenantTransaction::begin(&app.database, name.tenant).await?;
        let Some(tenant) = api_tenants::find(&mut transaction).await? else {
            return Ok(None);
        };
        let keys = api_tenant_keys::list(&mut transaction, now).await?;
        let agent = match name.agent.as_str() {
            api_agents::MAIN => Some(tenant.main()),
            other => api_agents::find_whole(&mut transaction, &tenant, other).await?,
        };
        transaction.commit().await?;
        Ok::<_, ApiError>(Some((agent, keys.is_empty(), tenant.limits.requests_per_minute)))
    };
    let (agent, no_key, per_minute) = read.await?.ok_or(Missed::Barred(GONE))?;
    if no_key {
        return Err(Missed::Barred("no_key"));
    }
    Ok((agent.ok_or(Missed::Barred(GONE))?, per_minute))
}

/// The same for the same time of the same job, whoever carries it out: the keeper takes it once.
fn turn_of(agent: &ApiAgent, name: &JobName, due_at: OffsetDateTime) -> Uuid {
    let digest = Sha256::new_with_prefix(b"holdfast/schedule-turn/v1\0")
        .chain_update(agent.cell.uuid().as_bytes())
        .chain_update(name.job.as_bytes())
        .chain_update(millis(due_at).to_be_bytes());
    ids::of_digest(digest)
}

/// Whether the keeper says that it would refuse the next call to the model.
fn is_spent(spending: &serde_json::Value) -> bool {
    ["day", "month"].into_iter().any(|period| {
        let most = spending["limits"][period].as_u64();
        most.is_some_and(|most| spending["spent"][period].as_u64().is_some_and(|spent| spent >= most))
    })
}
