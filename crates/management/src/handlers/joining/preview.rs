//! `POST /api/v1/joining/preview`: what a link to join is for. It is not used up.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{email, link_token};
use crate::access::{Body, Client};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::join_links::{self, Redeemed};
use crate::storage::{join_domains, tenants};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Preview {
    token: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Offer {
    organisation: String,
    email: String,
    /// Whether somebody who manages the organisation has to agree.
    approval: bool,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Preview>,
) -> Result<Json<Offer>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let token = link_token(&body.token)?;
    let redeemed = join_links::redeem(&app.database, token.hash(), client.begun, app.clock.now()).await?;
    // Dropped, not committed.
    let (mut transaction, address) = match redeemed {
        Redeemed::By(transaction, address) => (transaction, address),
        Redeemed::OtherBrowser => return Err(ApiError::OtherBrowser),
        Redeemed::Nothing => return Err(ApiError::LinkInvalid),
    };
    let address = email(&address)?;
    let rule = join_domains::rule(&mut transaction, &address).await?;
    Ok(Json(Offer {
        organisation: tenants::name(&mut transaction).await?,
        email: address.as_str().to_owned(),
        approval: rule.ok_or(ApiError::LinkInvalid)?,
    }))
}
