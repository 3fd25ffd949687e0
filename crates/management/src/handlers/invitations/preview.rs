//! `POST /api/v1/invitations/preview`: what the holder of a link is invited to. Does not use the link up.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::link_token;
use crate::access::{Body, Client};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{invitations, tenants};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Preview {
    token: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewAnswer {
    organisation: String,
    invited_by: String,
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Preview>,
) -> Result<Json<PreviewAnswer>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let token = link_token(&body.token)?;
    let found = invitations::find_open(&app.database, token.hash(), app.clock.now()).await?;
    let (mut transaction, offer) = found.ok_or(ApiError::LinkInvalid)?;
    let organisation = tenants::name(&mut transaction).await?;
    Ok(Json(PreviewAnswer {
        organisation,
        invited_by: offer.invited_by,
        email: offer.email,
    }))
}
