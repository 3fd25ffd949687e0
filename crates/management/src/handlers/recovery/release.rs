//! `POST /api/v1/recovery/release`: what one's own keeper released for somebody's open request, sealed to its key.

use axum::extract::State;
use axum::response::NoContent;
use protocol::b64;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::RecoveryRequestId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::recovery;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Release {
    #[schema(value_type = Uuid)]
    request: RecoveryRequestId,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    sealed: Vec<u8>,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Body(body): Body<Release>,
) -> Result<NoContent, ApiError> {
    if body.sealed.is_empty() || body.sealed.len() > limits::RECOVERY_RELEASE_BYTES {
        return Err(ApiError::InvalidField {
            field: "sealed",
            reason: "This is no sealed share.".to_owned(),
        });
    }
    let mut transaction = person.transaction(&app).await?;
    let now = app.clock.now();
    if !recovery::release(&mut transaction, &person, body.request, &body.sealed, now).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::RecoveryReleased).on(Target::new("recovery_request", body.request, ""));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
