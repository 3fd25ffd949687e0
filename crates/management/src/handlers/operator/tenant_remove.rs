//! `DELETE /api/v1/operator/tenants/{id}`: removes a suspended organisation for ever: its cells with their vaults and homes, everything
//! sealed of them, and every row, its audit log included. The operator's own log keeps that it was done. If it breaks off, asking again
//! goes on.

use axum::Json;
use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _};
use protocol::TenantId;

use super::tenant_of;
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::removal::{self, Losses};
use crate::storage::{StorageError, TenantTransaction};

pub(crate) async fn delete(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<TenantId>,
) -> Result<Json<Losses>, ApiError> {
    let operator = fresh.operator();
    let tenant = tenant_of(&app, operator, id).await?;
    // Who is suspended wakes no cell: what is removed stays removed.
    if tenant.suspended_at.is_none() {
        return Err(StorageError::NotSuspended.into());
    }
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let losses = removal::losses(&mut transaction, operator).await?;
    let cells = removal::cells(&mut transaction, &fresh).await?;
    transaction.commit().await?;
    // The cells first: as long as one is there, so are the rows that say whose it is.
    futures::stream::iter(cells)
        .map(|cell| app.cells.erase(cell))
        .buffer_unordered(limits::CELLS_REMOVED_TOGETHER)
        .try_collect::<()>()
        .await?;
    let mut transaction = removal::remove(&app.database, &fresh, tenant.id).await?;
    let entry = Entry::done(Action::OrganisationRemoved)
        .on(Target::new("organisation", tenant.id, &tenant.name))
        .with("people", losses.people)
        .with("cells", losses.cells)
        .with("audit_events", losses.audit_events);
    app.audit
        .record_operator(&mut transaction, Some(tenant.id), &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    tracing::info!(tenant = %tenant.id, "an organisation was removed by the operator");
    Ok(Json(losses))
}
