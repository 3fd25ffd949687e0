//! Finding what is due, so many at once. Each run is one server's alone, for as long as that says so again and again; when it does not any
//! more, another one goes on with the same turn. Times that were missed are one run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::run;
use super::timing::Timing;
use crate::app::App;
use crate::clock::after;
use crate::limits;
use crate::repeating::Repeating;
use crate::storage::StorageError;
use crate::storage::api_schedules::{self, Claim, JobName, StoredJob};

/// What this server carries out, each with the time that it is for. Dropping it ends the waiting, not the turns.
#[derive(Default)]
struct Runs {
    tasks: JoinSet<JobName>,
    under_way: HashMap<JobName, OffsetDateTime>,
}

/// Looks for what is due until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let (app, runs) = (app.clone(), Arc::new(Mutex::new(Runs::default())));
    Repeating::start(limits::SCHEDULE_LOOK, move || {
        let (app, runs) = (app.clone(), Arc::clone(&runs));
        async move {
            if let Err(error) = round(&app, &runs).await {
                tracing::warn!(%error, "jobs of agents' schedules could not be looked for; they come later");
            }
        }
    })
}

async fn round(app: &App, runs: &Mutex<Runs>) -> Result<(), StorageError> {
    let now = app.clock.now();
    let under_way = {
        let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = runs.tasks.try_join_next() {
            match ended {
                Ok(name) => drop(runs.under_way.remove(&name)),
                Err(error) => tracing::error!(%error, "a run of an agent's schedule broke off"),
            }
        }
        if runs.tasks.is_empty() {
            runs.under_way.clear();
        }
        runs.under_way.clone()
    };
    for (name, due_at) in &under_way {
        let held = api_schedules::hold(&app.database, name, *due_at, after(now, limits::SCHEDULE_LEASE)).await;
        unstored(name, held);
    }
    for job in api_schedules::due_again(&app.database, now).await? {
        let passed_over = pass_over(app, &job, now).await;
        unstored(&job.name, passed_over);
    }
    let free = limits::SCHEDULED_TOGETHER.saturating_sub(under_way.len());
    if free == 0 {
        return Ok(());
    }
    let most = i64::try_from(free).unwrap_or(i64::MAX);
    for job in api_schedules::due(&app.database, now, most).await? {
        // Another server may have it by now.
        let Some(claim) = unstored(&job.name, claim(app, &job, now).await).flatten() else {
            continue;
        };
        let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.under_way.insert(job.name.clone(), claim.due_at);
        let app = app.clone();
        runs.tasks.spawn(async move {
            run::run(&app, &job.name, claim).await;
            job.name
        });
    }
    Ok(())
}

/// What could not be stored of one job is no reason to leave the others out.
fn unstored<T>(name: &JobName, done: Result<T, StorageError>) -> Option<T> {
    let JobName { tenant, agent, job } = name;
    done.inspect_err(|error| tracing::warn!(%tenant, agent, job, %error, "a job was left out of this round"))
        .ok()
}

async fn pass_over(app: &App, job: &StoredJob, now: OffsetDateTime) -> Result<(), StorageError> {
    if let Some(following) = following(app, job, now).await?
        && api_schedules::pass_over(&app.database, job, following, now).await?
    {
        let JobName { tenant, agent, job } = &job.name;
        tracing::info!(%tenant, agent, job, "a job was passed over: its last run goes on");
    }
    Ok(())
}

async fn claim(app: &App, job: &StoredJob, now: OffsetDateTime) -> Result<Option<Claim>, StorageError> {
    match following(app, job, now).await? {
        Some(following) => api_schedules::claim(&app.database, job, following, now).await,
        None => Ok(None),
    }
}

/// When a job comes after now. One that never does any more is gone: its zone is not known to this server, or its times are all over.
async fn following(app: &App, job: &StoredJob, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, StorageError> {
    let timing = serde_json::from_str::<Timing>(&job.timing).ok();
    let following = timing.and_then(|timing| timing.following(job.next_at, now));
    if following.is_none() {
        let JobName {
            tenant,
            agent,
            job: name,
        } = &job.name;
        tracing::error!(%tenant, agent, job = name, timing = job.timing, "a job does not come any more and was removed");
        api_schedules::remove(&app.database, &job.name).await?;
    }
    Ok(following)
}
