//! Finding what is due, so many at once, and of one tenant fewer. Each run is one server's alone, for as long as that says so again and
//! again; when it does not any more, another one goes on with the same turn. Times that were missed are one run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use super::run;
use super::timing::Timing;
use crate::app::App;
use crate::clock::after;
use crate::limits;
use crate::repeating::Repeating;
use crate::storage::StorageError;
use crate::storage::api_schedules::{self, Claim, JobName, StoredJob};

/// What this server carries out. Dropping it ends the waiting, not the turns.
struct Runs {
    tasks: JoinSet<()>,
    under_way: HashMap<JobName, UnderWay>,
    /// One permit a run, until its turn has begun.
    beginning: Arc<Semaphore>,
}

struct UnderWay {
    /// The time that the run is for.
    due_at: OffsetDateTime,
    held_until: OffsetDateTime,
    task: AbortHandle,
}

impl Runs {
    fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            beginning: Arc::new(Semaphore::new(limits::SCHEDULED_TOGETHER)),
        }
    }

    /// What has ended is not under way any more.
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a run of an agent's schedule broke off");
            }
        }
        self.under_way.retain(|_, run| !run.task.is_finished());
    }
}

fn locked(runs: &Mutex<Runs>) -> MutexGuard<'_, Runs> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for what is due until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let (app, runs) = (app.clone(), Arc::new(Mutex::new(Runs::new())));
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
    hold(app, runs, now).await;
    for job in api_schedules::due_again(&app.database, now).await? {
        let passed_over = pass_over(app, &job, now).await;
        unstored(&job.name, passed_over);
    }
    let (beginning, at_work) = {
        let runs = locked(runs);
        let at_work: Vec<_> = runs.under_way.keys().map(|name| name.tenant.uuid()).collect();
        (Arc::clone(&runs.beginning), at_work)
    };
    let free = beginning.available_permits();
    if free == 0 {
        return Ok(());
    }
    let most = i64::try_from(free).unwrap_or(i64::MAX);
    for job in api_schedules::due(&app.database, now, most, &at_work).await? {
        // Permits come back meanwhile and are taken nowhere else.
        let Ok(permit) = Arc::clone(&beginning).try_acquire_owned() else {
            break;
        };
        // Another server may have it by now.
        let Some(claim) = unstored(&job.name, claim(app, &job, now).await).flatten() else {
            continue;
        };
        let (app, name) = (app.clone(), job.name.clone());
        let mut runs = locked(runs);
        let task = runs
            .tasks
            .spawn(async move { run::run(&app, &name, claim, permit).await });
        let run = UnderWay {
            due_at: claim.due_at,
            held_until: after(now, limits::SCHEDULE_LEASE),
            task,
        };
        runs.under_way.insert(job.name, run);
    }
    Ok(())
}

/// Says again that what is under way here is this server's, where the last time was long ago.
async fn hold(app: &App, runs: &Mutex<Runs>, now: OffsetDateTime) {
    let soon = after(now, limits::SCHEDULE_LEASE_LEFT);
    let ending: Vec<_> = {
        let mut runs = locked(runs);
        runs.forget_ended();
        let ending = runs.under_way.iter().filter(|(_, run)| run.held_until < soon);
        ending.map(|(name, run)| (name.clone(), run.due_at)).collect()
    };
    let until = after(now, limits::SCHEDULE_LEASE);
    for (name, due_at) in ending {
        let held = api_schedules::hold(&app.database, &name, due_at, until).await;
        if unstored(&name, held).is_some()
            && let Some(run) = locked(runs).under_way.get_mut(&name)
        {
            run.held_until = until;
        }
    }
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
    let following = match job.due_at {
        // Whoever goes on with a run leaves the next time as it is.
        Some(_) => Some(job.next_at),
        None => following(app, job, now).await?,
    };
    match following {
        Some(following) => api_schedules::claim(&app.database, job, following, now).await,
        None => Ok(None),
    }
}

/// When a job comes after now. One of which this server cannot tell, since it does not know its zone, or a newer one has stored it, stays as
/// it is, says so, and is looked at again later.
async fn following(app: &App, job: &StoredJob, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, StorageError> {
    let timing = serde_json::from_str::<Timing>(&job.timing).ok();
    let following = timing.and_then(|timing| timing.following(job.next_at, now));
    if following.is_none() {
        let JobName {
            tenant,
            agent,
            job: name,
        } = &job.name;
        tracing::error!(%tenant, agent, job = name, timing = job.timing, "when a job comes cannot be told here");
        api_schedules::cannot_tell(&app.database, job, after(now, limits::SCHEDULE_UNTOLD_AGAIN), now).await?;
    }
    Ok(following)
}
