//! `GET /api/v1/operator/tenants/{id}/losses`: what goes with an organisation that is removed.

use axum::Json;
use axum::extract::State;
use protocol::TenantId;

use super::tenant_of;
use crate::access::Id;
use crate::app::App;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::removal::{self, Losses};

pub(crate) async fn get(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id<TenantId>,
) -> Result<Json<Losses>, ApiError> {
    let tenant = tenant_of(&app, &operator, id).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    Ok(Json(removal::losses(&mut transaction, &operator).await?))
}
