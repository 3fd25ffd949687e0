//! What the agents of tenants do by the clock. A template's schedule goes with it: what is said into the vault, and the times of each job
//! into the database, where this part finds what is due. A run is a turn as any other, in a session of the job's own.

mod rounds;
mod run;
mod timing;

use protocol::Millis;
use protocol::template::AgentTemplate;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

pub(crate) use rounds::start;
pub(super) use run::leave;

use crate::app::App;
use crate::clock::{after, millis};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_schedules::{self, GivenJob, JobState};
use crate::storage::{StorageError, TenantTransaction};
use timing::Timing;

/// A job, as the operator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiAgentJob)]
pub(super) struct JobAnswer {
    name: String,
    /// When it comes.
    next_at: Millis,
    /// The time for which a run is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Millis>,
    /// When the last run ended; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Millis>,
    /// How it ended: `done`; `no_key`, where no key of the tenant works, or `no_model`, and it did not begin; what a turn that failed is told
    /// by, such as `spending_limit`; or `unknown_times`, where the server could not tell when it comes, and looks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_result: Option<String>,
    /// When it last came while the run before went on, and so had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over_at: Option<Millis>,
}

impl From<JobState> for JobAnswer {
    fn from(job: JobState) -> Self {
        Self {
            name: job.job,
            next_at: millis(job.next_at),
            due_at: job.due_at.map(millis),
            last_at: job.last_at.map(millis),
            last_result: job.last_result,
            passed_over_at: job.passed_over_at.map(millis),
        }
    }
}

/// Whether the times of a template's jobs mean something: what its check leaves open. On a thread of its own, since it may take a while.
pub(super) async fn check(content: &AgentTemplate, now: OffsetDateTime) -> Result<(), ApiError> {
    if content.schedule.is_empty() {
        return Ok(());
    }
    let schedule = content.schedule.clone();
    let checked = tokio::task::spawn_blocking(move || timing::check(&schedule, now)).await;
    Ok(checked.expect("to look at times does not panic")?)
}

/// Of an agent with a template: its jobs. None where it has none, or they cannot be read at this moment.
pub(super) async fn of(app: &App, agent: &ApiAgent) -> Option<Vec<JobAnswer>> {
    agent.template.as_ref()?;
    let read = async {
        let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
        let jobs = within(&mut transaction, agent).await?;
        transaction.commit().await?;
        Ok::<_, StorageError>(jobs)
    };
    read.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "an agent's schedule could not be read");
        None
    })
}

/// The same, in a transaction of its tenant's.
pub(super) async fn within(
    transaction: &mut TenantTransaction,
    agent: &ApiAgent,
) -> Result<Option<Vec<JobAnswer>>, StorageError> {
    let jobs = api_schedules::list(transaction, &agent.name).await?;
    Ok((!jobs.is_empty()).then(|| jobs.into_iter().map(JobAnswer::from).collect()))
}

/// An agent was given a template, or none: from now on it has its jobs.
pub(super) async fn give(
    transaction: &mut TenantTransaction,
    agent: &str,
    template: Option<&AgentTemplate>,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let jobs = template
        .map(|template| template.schedule.as_slice())
        .unwrap_or_default();
    let given = jobs.iter().map(|job| {
        let timing = Timing::of(job);
        // One that no time can be told of is not left out: it is looked at later, and says so then.
        let untold = || after(now, limits::SCHEDULE_UNTOLD_AGAIN);
        GivenJob {
            job: job.name.clone(),
            next_at: timing.following(now, now).unwrap_or_else(untold),
            timing: serde_json::to_string(&timing).unwrap_or_default(),
        }
    });
    api_schedules::give(transaction, agent, &given.collect::<Vec<_>>()).await
}
