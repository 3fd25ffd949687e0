//! `POST /api/v1/operator/tenants/{id}/owner`: mails who is to own an organisation in which nobody is yet a new link, to the same
//! address or another; a link that was sent before stops working. Once somebody is in it, they invite people.

use axum::Json;
use axum::extract::State;
use protocol::TenantId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::owner::{self, OwnerAnswer};
use super::tenant_of;
use crate::access::{Body, Id};
use crate::app::App;
use crate::handlers::email;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;

#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorNewOwner)]
pub(crate) struct Wanted {
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<TenantId>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<OwnerAnswer>, ApiError> {
    let email = email(&wanted.email)?;
    let tenant = tenant_of(&app, fresh.operator(), id).await?;
    app.limits.owner_invitation().await.map_err(ApiError::TooMany)?;
    let transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    Ok(Json(owner::invite(&app, transaction, &fresh, &email).await?))
}
