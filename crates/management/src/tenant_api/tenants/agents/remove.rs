//! `DELETE /api/v1/tenants/{id}/agents/{name}`: the agent's cell with its vault and home, its sessions and its secret, for ever. The answer comes
//! when it is done.

use axum::Json;
use axum::extract::State;
use protocol::CellId;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::super::access::Operator;
use super::super::super::event::Event;
use super::super::super::idempotency::Write;
use super::super::super::shares;
use super::super::{Named, write_down};
use super::{Called, target};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::{self, ApiTenant, Share};
use crate::storage::{
    TenantTransaction, api_approvals, api_schedules, api_sessions, api_turns, platform_secrets, wrapping_keys,
};

#[derive(Serialize, ToSchema)]
#[schema(as = GoneAgent, examples(json!({
    "name": "press",
    "removed": {"cell": "01981a2c-5c52-7b0e-8c11-6d0c2f1f9a03", "sessions": 2, "blobs": 214, "blob_bytes": 9_437_184},
})))]
pub(crate) struct Gone {
    name: String,
    removed: Removed,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RemovedAgent)]
pub(super) struct Removed {
    cell: CellId,
    sessions: u64,
    /// Sealed pieces of the home, and their size.
    blobs: u64,
    blob_bytes: u64,
}

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    Called(name): Called,
    write: Write,
) -> Result<Json<Gone>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    if name == api_agents::MAIN {
        return Err(ApiError::AgentMain);
    }
    transaction.commit().await?;
    if let Err(error) = shares::give_back(&app, id, tenant.held.on).await {
        tracing::warn!(%error, tenant = %id, "what was held of yesterday's spending is not the first agent's again yet");
    }
    let _alone = app.tenant_api()?.shares.of(id).await;
    // Not before: whoever was alone with the tenant's agents until now may have removed it, and made another one of its name.
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let agent = api_agents::find(&mut transaction, &tenant, &name).await?;
    transaction.commit().await?;
    let agent = agent.ok_or(ApiError::NotFound)?;
    let gone = everything(&app, &tenant, &agent, agent.share, Some((&operator, &write))).await?;
    tracing::info!(tenant = %id, agent = name, "an agent of a tenant was removed by the operator");
    Ok(Json(gone))
}

/// Ends first what opens its vault, so that nobody wakes it again, and stops its turns; then the cell goes, last what says that there was one.
/// If it breaks off, asking again goes on. The share that comes back is held; written down where somebody wanted it, and kept with what they are
/// answered.
pub(super) async fn everything(
    app: &App,
    tenant: &ApiTenant,
    agent: &ApiAgent,
    back: Share,
    wanted_by: Option<(&Operator, &Write)>,
) -> Result<Gone, ApiError> {
    let api = app.tenant_api()?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    platform_secrets::remove(&mut transaction, agent.cell).await?;
    transaction.commit().await?;
    api.turns.stop(tenant.id, |turn| turn.agent == agent.name);
    let cell = api.agents.remove(agent.cell()).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    // As it is now: another agent may have come or gone meanwhile.
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    // First of all, because another server that gives it jobs at this moment holds its row.
    if !api_agents::remove(&mut transaction, agent).await? {
        return Err(ApiError::NotFound);
    }
    let sessions = api_sessions::remove_of(&mut transaction, &agent.name).await?;
    api_schedules::remove_of(&mut transaction, &agent.name).await?;
    api_turns::remove_of(&mut transaction, &agent.name).await?;
    for (id, session) in api_approvals::remove_of(&mut transaction, &agent.name).await? {
        let now = app.clock.now();
        let ended = Event::approval_ended(tenant.id, &agent.name, id, session.as_deref(), "expired", now);
        ended.enqueue(&mut transaction).await?;
    }
    let held = tenant.held.with(back, tenant.limits, app.clock.now());
    api_agents::hold(&mut transaction, held).await?;
    let gone = Gone {
        name: agent.name.clone(),
        removed: Removed {
            cell: agent.cell,
            sessions,
            blobs: cell.blobs,
            blob_bytes: cell.bytes,
        },
    };
    if let Some((operator, write)) = wanted_by {
        wrapping_keys::newest(&mut transaction).await?;
        let entry = Entry::done(Action::ApiAgentRemoved)
            .on(target(&tenant, &agent.name))
            .with("sessions", sessions)
            .with("blobs", cell.blobs);
        write_down(app, &mut transaction, operator, &entry).await?;
        write.done(app, &mut transaction, &gone).await?;
    }
    transaction.commit().await?;
    api.turns.forget_deleted(tenant.id, |turn| turn.agent == agent.name);
    Ok(gone)
}
