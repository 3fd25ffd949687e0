//! One run of a job: whether its agent may be spoken to, as for a request; waking it, within what there is room for; then a turn, which the
//! keeper begins with what is in the vault. Its end is told to webhooks as that of any turn.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::event::Event;
use super::super::failure::Failure;
use super::super::shares;
use super::super::turn::{self, Wanted, Words};
use super::super::turns::TurnEvent;
use crate::app::App;
use crate::clock::{after, millis};
use crate::ids;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_schedules::{self, Claim, JobName};
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants};

/// What a run that was answered is called.
const DONE: &str = "done";

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
            ApiError::TooMany(wait) => Failure {
                retry_after: Some(wait),
                ..ApiError::TooMany(wait).into()
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

/// Carries a run out, or lets go of it for a while. Whatever becomes of it is stored.
pub(super) async fn run(app: &App, name: &JobName, claim: Claim) {
    let Claim { due_at, begun_at, .. } = claim;
    let mut turn = None;
    let missed = attempt(app, name, claim, &mut turn).await.err();
    let now = app.clock.now();
    let missed = match missed {
        Some(Missed::Later(wait, failure)) if now < after(begun_at, limits::SCHEDULE_PATIENCE) || turn.is_none() => {
            let JobName { tenant, agent, job } = name;
            tracing::info!(%tenant, agent, job, code = failure.code, "a job cannot be run now and is tried again");
            let held = api_schedules::hold(&app.database, name, due_at, after(now, wait)).await;
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
    // Where this fails, the lease ends, and the turn is found to be over by whoever goes on.
    if let Err(error) = api_schedules::ended(&app.database, name, due_at, &result, now).await {
        tracing::warn!(%error, "the end of a run of an agent's schedule could not be stored");
    }
}

async fn attempt(app: &App, name: &JobName, claim: Claim, begun: &mut Option<(Uuid, String)>) -> Result<(), Missed> {
    let api = app.tenant_api()?;
    let now = app.clock.now();
    let (agent, per_minute) = agent(app, name, now).await?;
    let model = agent.model.as_ref().ok_or(Missed::Barred("no_model"))?.name.clone();
    let (turn, session) = (turn_of(&agent, name, claim.due_at), format!("schedule-{}", name.job));
    *begun = Some((turn, session.clone()));
    let requests = api.requests.take(name.tenant, per_minute, now);
    requests.map_err(ApiError::TooMany)?;
    if agent.is_main() {
        shares::give_back(app, agent.tenant, agent.held_on).await?;
    }
    // Wakes it: where there is no room now, no turn begins that could only fail.
    let spending = api.agents.call(agent.cell(), "spending.get", serde_json::json!({}));
    // A turn that was begun before is told of as it ended, whatever it has spent.
    if is_spent(&spending.await.map_err(ApiError::from)?) && claim.is_new {
        let words = "What this agent may spend is spent: the job was not run.";
        let status = axum::http::StatusCode::PAYMENT_REQUIRED;
        return Err(Missed::Refused(Failure::new(status, "spending_limit", words)));
    }
    let wanted = Wanted {
        turn,
        named: true,
        session,
        words: Words::Job(name.job.clone()),
        detach: true,
        once: false,
        functions: None,
        model,
    };
    let follower = turn::start(app, &agent, wanted)?;
    match follower.answer().await {
        Ok(_) => Ok(()),
        Err(error) => Err(Missed::Failed(error.into())),
    }
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
    let (agent, no_key, per_minute) = read.await?.ok_or(Missed::Barred("gone"))?;
    if no_key {
        return Err(Missed::Barred("no_key"));
    }
    Ok((agent.ok_or(Missed::Barred("gone"))?, per_minute))
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
