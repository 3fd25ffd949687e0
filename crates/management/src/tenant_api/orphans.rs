//! Turns whose server has gone, where webhooks are to be told how they end: another server goes on with each. Its cell knows how it stands.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access;
use super::event::Event;
use super::failure::Failure;
use super::schedules;
use super::turn::{self, Wanted, Words};
use super::turns::{Follower, Stage, TurnEvent};
use crate::app::App;
use crate::clock::after;
use crate::limits;
use crate::problem::ApiError;
use crate::repeating::Repeating;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_turns::{self, Orphan};
use crate::storage::{StorageError, TenantTransaction, api_tenants};

/// Looks for them until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let (app, finding_out) = (app.clone(), Arc::new(Semaphore::new(limits::ORPHANS_TOGETHER)));
    Repeating::start(limits::ORPHANS_LOOK, move || {
        let (app, finding_out) = (app.clone(), Arc::clone(&finding_out));
        async move {
            if let Err(error) = round(&app, &finding_out).await {
                tracing::warn!(%error, "turns whose server has gone could not be looked for; they are later");
            }
        }
    })
}

async fn round(app: &App, finding_out: &Arc<Semaphore>) -> Result<(), StorageError> {
    let now = app.clock.now();
    let most = i64::try_from(finding_out.available_permits()).unwrap_or(i64::MAX);
    if most == 0 {
        return Ok(());
    }
    for orphan in api_turns::orphans(&app.database, now, most).await? {
        // Permits come back meanwhile and are taken nowhere else.
        let Ok(permit) = Arc::clone(finding_out).try_acquire_owned() else {
            break;
        };
        if api_turns::take(&app.database, &orphan, now).await? {
            let app = app.clone();
            tokio::spawn(async move { go_on(&app, orphan, permit).await });
        }
    }
    Ok(())
}

/// Goes on with a turn to its end. The permit is given back when its cell has answered.
async fn go_on(app: &App, orphan: Orphan, permit: OwnedSemaphorePermit) {
    let (agent, mut follower) = match begin(app, &orphan).await {
        Ok(begun) => begun,
        Err(error) => return put_off(app, &orphan, error.into()).await,
    };
    // What keeps it from opening is told as the turn's end.
    let _opened = follower.until(Stage::Open).await;
    drop(permit);
    let _told = follower.answer().await;
    schedules::leave(app, orphan.tenant, &agent.name, agent.cell()).await;
}

/// Wakes the cell, where that leaves room for requests, and reads the turn.
async fn begin(app: &App, orphan: &Orphan) -> Result<(ApiAgent, Follower), ApiError> {
    let api = app.tenant_api()?;
    let mut transaction = TenantTransaction::begin(&app.database, orphan.tenant).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    transaction.commit().await?;
    let agent = access::agent(app, &tenant, Some(&orphan.turn.agent)).await?;
    if !api.agents.has_room(agent.cell()) {
        return Err(Failure::no_room(limits::ORPHAN_AGAIN).into());
    }
    let spending = serde_json::json!({});
    api.ask(agent.cell(), "spending.get", spending).await?;
    let wanted = Wanted {
        turn: orphan.turn.id,
        named: true,
        session: orphan.turn.session.clone(),
        unnamed: true,
        words: Words::Told(orphan.turn.clone()),
        detach: true,
        once: false,
        functions: None,
        model: agent.model.as_ref().map(|model| model.name.clone()).unwrap_or_default(),
    };
    let follower = turn::start(app, &agent, wanted)?;
    Ok((agent, follower))
}

/// It is tried again, or told as failed where that was so for long enough or cannot help.
async fn put_off(app: &App, orphan: &Orphan, failure: Failure) {
    let (now, turn) = (app.clock.now(), &orphan.turn);
    let may_pass = failure.retry_after.is_some() || failure.status.is_server_error();
    if may_pass && now < after(turn.begun_at, limits::ORPHAN_PATIENCE) {
        tracing::info!(tenant = %orphan.tenant, turn = %turn.id, code = failure.code, "how a turn has ended is asked again later");
        let until = after(now, limits::ORPHAN_AGAIN);
        // Where that is not stored, its lease ends later.
        if let Err(error) = api_turns::hold(&app.database, orphan.tenant, turn.id, until).await {
            tracing::warn!(%error, "a turn whose server has gone is looked at again when its lease is over");
        }
        return;
    }
    let ended = TurnEvent::Error(failure);
    let told = Event::turn_ended(
        orphan.tenant,
        &turn.agent,
        &turn.session,
        turn.id,
        &ended,
        turn.begun_at,
        now,
    );
    if let Some(told) = told
        && let Err(error) = told.keep(app).await
    {
        tracing::warn!(%error, "a turn whose server has gone is told of when its lease is over");
    }
}
