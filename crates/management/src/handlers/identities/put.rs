//! `PUT /api/v1/identity`: the public keys of one's own vault. Others in the place of those that are known take a fresh proof of who
//! brings them: what a vault signs is believed by them.

use axum::extract::State;
use axum::response::NoContent;
use protocol::b64;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{identities, recovery};

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
    let now = app.clock.now();
    let mut transaction = person.transaction(&app).await?;
    if !identities::is_kept(&mut transaction, &person, &body.bundle, now).await? {
        if !person.is_fresh(&app) {
            return Err(ApiError::StepUpNeeded);
        }
        identities::replace(&mut transaction, &person, &body.bundle, now).await?;
        // Another vault: what the one before signed is not its word.
        recovery::forget_contacts(&mut transaction, &person, now).await?;
        let entry = Entry::done(Action::IdentityChanged);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
    }
    transaction.commit().await?;
    Ok(NoContent)
}
