//! `PUT /api/v1/identity`: the public keys of one's own vault.

use axum::extract::State;
use axum::response::NoContent;
use protocol::b64;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::identities;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Identity {
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    bundle: Vec<u8>,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Body(body): Body<Identity>,
) -> Result<NoContent, ApiError> {
    if !(limits::BUNDLE_BYTES.0..=limits::BUNDLE_BYTES.1).contains(&body.bundle.len()) {
        return Err(ApiError::InvalidField {
            field: "bundle",
            reason: "This is no bundle of public keys.".to_owned(),
        });
    }
    let mut transaction = person.transaction(&app).await?;
    identities::put(&mut transaction, &person, &body.bundle, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
