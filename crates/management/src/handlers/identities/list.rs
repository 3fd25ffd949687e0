//! `GET /api/v1/identities`: the public keys of everybody in the organisation. Who uses them compares and pins them.

use axum::Json;
use axum::extract::State;
use protocol::{UserId, b64};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::identities;

#[derive(Serialize, ToSchema)]
pub(crate) struct Identities {
    identities: Vec<Identity>,
}

#[derive(Serialize, ToSchema)]
struct Identity {
    user: UserId,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    bundle: Vec<u8>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Identities>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let identities = identities::list(&mut transaction).await?;
    let identities = identities
        .into_iter()
        .map(|known| Identity {
            user: known.user,
            bundle: known.bundle,
        })
        .collect();
    Ok(Json(Identities { identities }))
}
