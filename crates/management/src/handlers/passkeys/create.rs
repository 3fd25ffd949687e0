//! `POST /api/v1/factors/passkeys`: keeps a passkey that was just made. Answers with backup codes, shown once, where there were
//! none; where signing in waited for this, one is signed in.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::name;
use crate::access::{Body, Enroller};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::factors::{self, passkey};
use crate::ids::PasskeyId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{StorageError, TenantTransaction, passkeys};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Create {
    name: String,
    #[serde(flatten)]
    made: passkey::Made,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Kept {
    #[schema(value_type = Uuid)]
    id: PasskeyId,
    backup_codes: Vec<String>,
}

pub(crate) async fn post(
    State(app): State<App>,
    enroller: Enroller,
    Body(body): Body<Create>,
) -> Result<WithCookies<Json<Kept>>, ApiError> {
    let (session, now) = (enroller.session(), app.clock.now());
    let name = name("name", &body.name)?;
    let presented = enroller.client().session.ok_or(ApiError::NotSignedIn)?;
    let checked = passkey::check_new(&app, presented, session.tenant, session.user, body.made).await?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    let enrolment = factors::enrolment(&mut transaction, &enroller).await?;
    let standing = enrolment.standing;
    if standing.passkeys >= limits::PASSKEYS_PER_USER {
        return Err(ApiError::TooManyPasskeys);
    }
    let id = PasskeyId::new();
    let new = passkeys::New {
        id,
        name: &name,
        credential_id: &checked.credential_id,
        public_key: &checked.public_key,
        counter: checked.counter,
        now,
    };
    let created = passkeys::create(&mut transaction, &enrolment, new).await;
    created.map_err(|error| match error {
        StorageError::Conflict(_) => ApiError::PasskeyKnown,
        other => other.into(),
    })?;
    let backup_codes = match standing.backup_codes {
        0 => factors::new_backup_codes(&app, &mut transaction, session).await?,
        _ => Vec::new(),
    };
    let entry = Entry::done(Action::PasskeyAdded).on(Target::new("passkey", id, name.as_str()));
    app.audit.record(&mut transaction, &enroller.by(), entry).await?;
    factors::enrolled(&app, transaction, &enroller, Kept { id, backup_codes }).await
}
