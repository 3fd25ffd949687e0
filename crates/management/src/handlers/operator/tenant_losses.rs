//! `GET /api/v1/operator/tenants/{id}/losses`: what goes with an organisation that is removed.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Id;
use crate::app::App;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::removal::{self, Losses};
use crate::storage::{TenantTransaction, operator};

/// How many of each.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorTenantLosses)]
pub(crate) struct LossesAnswer {
    people: i64,
    service_accounts: i64,
    /// With a vault, a home and its backups on this server each.
    cells: i64,
    groups: i64,
    api_keys: i64,
    second_factors: i64,
    sign_in_providers: i64,
    destinations: i64,
    audit_events: i64,
}

impl From<Losses> for LossesAnswer {
    fn from(losses: Losses) -> Self {
        let Losses {
            people,
            service_accounts,
            cells,
            groups,
            api_keys,
            second_factors,
            sign_in_providers,
            destinations,
            audit_events,
        } = losses;
        Self {
            people,
            service_accounts,
            cells,
            groups,
            api_keys,
            second_factors,
            sign_in_providers,
            destinations,
            audit_events,
        }
    }
}

pub(crate) async fn get(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id,
) -> Result<Json<LossesAnswer>, ApiError> {
    let tenants = operator::tenants(&app.database, &operator, Some(id.into()), app.session_clock()).await?;
    let tenant = tenants.into_iter().next().ok_or(ApiError::NotFound)?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    Ok(Json(removal::losses(&mut transaction, &operator).await?.into()))
}
