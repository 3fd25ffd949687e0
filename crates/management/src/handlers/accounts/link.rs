//! `POST /api/v1/accounts`: begins linking an account at another site to oneself: where the browser is to go. It is linked when it
//! comes back to the same session.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, Fresh};
use crate::answer::WithCookies;
use crate::app::App;
use crate::handlers::sign_in::provider::Begun;
use crate::ids::IdentityProviderId;
use crate::problem::ApiError;
use crate::providers::attempt::{self, Purpose};
use crate::storage::providers;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[schema(value_type = Uuid)]
    provider: IdentityProviderId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: Fresh,
    Body(wanted): Body<Wanted>,
) -> Result<WithCookies<Json<Begun>>, ApiError> {
    let person = person.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let provider = providers::find_on(&mut transaction, wanted.provider)
        .await?
        .ok_or(ApiError::NotFound)?;
    drop(transaction);
    let sent = attempt::begin(&app, person.client(), &provider, Purpose::Link(person.session().id)).await?;
    Ok(sent.into())
}
