//! `DELETE /api/v1/tenants/{id}`: its agents, each with its cell, vault and home, everything sealed of them, its keys, sessions and secrets, for
//! ever. The answer comes when it is done, and says what was there.

use axum::Json;
use axum::extract::State;
use protocol::{CellId, TenantId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::{Named, agents, target, write_down};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::api_tenants::ApiTenant;
use crate::storage::api_writes::Half;
use crate::storage::{
    TenantTransaction, api_agents, api_approvals, api_schedules, api_sessions, api_tenant_keys, api_tenants, api_turns,
    api_webhooks, api_writes, platform_secrets, wrapping_keys,
};

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11",
    "removed": {
        "cell": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "agents": 1, "keys": 1, "sessions": 2, "secrets": 1, "webhooks": 0,
        "blobs": 214, "blob_bytes": 9_437_184,
    },
})))]
pub(crate) struct Gone {
    id: TenantId,
    removed: Removed,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RemovedTenant)]
pub(super) struct Removed {
    /// Of its first agent.
    cell: CellId,
    /// All of them, each with a cell of its own.
    agents: u64,
    keys: u64,
    sessions: u64,
    secrets: u64,
    webhooks: u64,
    /// Sealed pieces of the homes, and their size.
    blobs: u64,
    blob_bytes: u64,
}

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    write: Write,
) -> Result<Json<Gone>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    transaction.commit().await?;
    let gone = everything(&app, &tenant, Some((&operator, &write))).await?;
    tracing::info!(tenant = %id, "a tenant was removed by the operator");
    Ok(Json(gone))
}

/// Removes what a write has begun to make and did not come to the end of: half of a tenant is none, nor is half of an agent.
pub(crate) async fn half(app: &App, half: Half) -> Result<(), ApiError> {
    let alone = app.tenant_api()?.shares.of(half.tenant).await;
    let mut transaction = TenantTransaction::begin(&app.database, half.tenant).await?;
    let Some(tenant) = api_tenants::find(&mut transaction).await? else {
        return Ok(());
    };
    let others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    if tenant.cell == half.cell {
        drop(alone);
        everything(app, &tenant, None).await?;
    } else if let Some(agent) = others.iter().find(|other| other.cell == half.cell) {
        agents::create::undo(app, &tenant, agent).await?;
    }
    Ok(())
}

/// Ends first the keys and what opens the vaults, so that nothing begins anew and no request that was let in before wakes a cell again; then
/// the cells; last what says that there was one. If it breaks off, asking again goes on, and counts what went before. Written down where somebody
/// wanted it, and kept with what they are answered.
pub(super) async fn everything(
    app: &App,
    tenant: &ApiTenant,
    wanted_by: Option<(&Operator, &Write)>,
) -> Result<Gone, ApiError> {
    let api = app.tenant_api()?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    api_tenant_keys::end_all(&mut transaction).await?;
    platform_secrets::remove_all(&mut transaction).await?;
    transaction.commit().await?;
    api.turns.stop(tenant.id, |_| true);
    // Whoever makes an agent, or removes one, is done then; who comes later finds no tenant.
    let _alone = api.shares.of(tenant.id).await;
    let remove = async |cell| {
        let removed = api.agents.remove(cell).await?;
        let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
        let all = api_tenants::add_removed(&mut transaction, removed.blobs, removed.bytes).await?;
        transaction.commit().await?;
        // Another server has removed it meanwhile.
        all.ok_or(ApiError::NotFound)
    };
    let (mut blobs, mut blob_bytes) = remove(tenant.cell()).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let others = api_agents::list(&mut transaction, tenant).await?;
    transaction.commit().await?;
    for agent in &others {
        (blobs, blob_bytes) = remove(agent.cell()).await?;
    }
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    // First, as for whoever seals something: a write of the tenant's own may be about to be answered.
    api_tenants::find(&mut transaction).await?;
    let sessions = api_sessions::remove_all(&mut transaction).await?;
    // Of an agent that was being made meanwhile.
    platform_secrets::remove_all(&mut transaction).await?;
    let keys = api_tenant_keys::remove_all(&mut transaction).await?;
    api_writes::remove_all(&mut transaction).await?;
    api_approvals::remove_all(&mut transaction).await?;
    api_schedules::remove_all(&mut transaction).await?;
    api_turns::remove_all(&mut transaction).await?;
    let agents = api_agents::remove_all(&mut transaction).await?;
    api_tenants::remove(&mut transaction).await?;
    // What the operator's writes on it were answered. One that is under way finds no tenant any more, before or behind this.
    let of_operator = TenantId::from(Uuid::nil());
    let all_gone = async |own: &mut TenantTransaction| api_writes::all_gone(own, tenant.id).await;
    transaction.for_another(of_operator, all_gone).await?;
    // None is added any more: whoever adds one looks for the tenant first.
    let webhooks = api_webhooks::remove_all(&mut transaction).await?;
    let removed = Removed {
        cell: tenant.cell,
        agents: agents + 1,
        keys,
        sessions,
        // One of each cell, also where an earlier try has ended them.
        secrets: agents + 1,
        webhooks,
        blobs,
        blob_bytes,
    };
    let gone = Gone { id: tenant.id, removed };
    if let Some((operator, write)) = wanted_by {
        // After what a rotation locks before it seals.
        wrapping_keys::newest(&mut transaction).await?;
        let entry = Entry::done(Action::ApiTenantRemoved)
            .on(target(tenant))
            .with("keys", keys)
            .with("agents", agents + 1)
            .with("sessions", sessions)
            .with("blobs", blobs);
        write_down(app, &mut transaction, operator, &entry).await?;
        // It is about nobody, so it stays.
        let answered = async |own: &mut TenantTransaction| write.done(app, own, &gone).await;
        transaction.for_another(of_operator, answered).await?;
    }
    transaction.commit().await?;
    api.requests.forget(tenant.id);
    Ok(gone)
}
