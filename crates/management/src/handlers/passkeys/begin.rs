//! `POST /api/v1/factors/passkeys/begin`: what a browser needs to make a passkey for whoever asks.

use axum::Json;
use axum::extract::State;
use protocol::b64;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Enroller;
use crate::app::App;
use crate::factors::{self, passkey};
use crate::problem::ApiError;
use crate::storage::passkey_challenges::Purpose;
use crate::storage::{TenantTransaction, passkeys};

#[derive(Serialize, ToSchema)]
pub(crate) struct Begun {
    #[serde(flatten)]
    asked: passkey::Asked,
    site: String,
    user: User,
    /// Passkeys that there are already: one an authenticator is enough.
    exclude: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PasskeyOwner)]
struct User {
    id: String,
    name: String,
    display_name: String,
}

pub(crate) async fn post(State(app): State<App>, enroller: Enroller) -> Result<Json<Begun>, ApiError> {
    let session = enroller.session();
    let presented = enroller.client().session.ok_or(ApiError::NotSignedIn)?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    factors::enrolment(&mut transaction, &enroller).await?;
    let known = passkeys::list(&mut transaction, session.user).await?;
    drop(transaction);
    Ok(Json(Begun {
        asked: passkey::ask(&app, presented, Purpose::Enrol).await?,
        site: app.config.name.clone(),
        user: User {
            id: b64::encode(passkey::handle(session.tenant, session.user)),
            name: session.email.clone(),
            display_name: session.user_name.clone(),
        },
        exclude: known.iter().map(|each| b64::encode(&each.credential_id)).collect(),
    }))
}
