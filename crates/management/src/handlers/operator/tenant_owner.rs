//! `POST /api/v1/operator/tenants/{id}/owner`: mails who is to own an organisation in which nobody is yet a new link, to the same
//! address or another; a link that was sent before stops working. Once somebody is in it, they invite people.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::owner::{self, OwnerAnswer};
use crate::access::{Body, Id};
use crate::app::App;
use crate::handlers::email;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, operator};

#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorNewOwner)]
pub(crate) struct Wanted {
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id,
    Body(wanted): Body<Wanted>,
) -> Result<Json<OwnerAnswer>, ApiError> {
    let email = email(&wanted.email)?;
    let tenants = operator::tenants(&app.database, fresh.operator(), Some(id.into()), app.session_clock()).await?;
    let tenant = tenants.into_iter().next().ok_or(ApiError::NotFound)?;
    app.limits.owner_invitation().await.map_err(ApiError::TooMany)?;
    let transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    Ok(Json(owner::invite(&app, transaction, &fresh, &email).await?))
}
