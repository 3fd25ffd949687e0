//! `POST /api/v1/factors/authenticator/confirm`: the first code of the new authenticator. From now on it is asked for. Answers
//! with the backup codes, which are shown once; where signing in waited for this, one is signed in.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Body, Enroller};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, factors as stored};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Confirm {
    code: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Confirmed {
    backup_codes: Vec<String>,
}

pub(crate) async fn post(
    State(app): State<App>,
    enroller: Enroller,
    Body(body): Body<Confirm>,
) -> Result<WithCookies<Json<Confirmed>>, ApiError> {
    let (session, by) = (enroller.session(), enroller.by());
    factors::begin_try(&app, session).await?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    let enrolment = factors::enrolment(&mut transaction, &enroller).await?;
    let now = app.clock.now();
    let step = factors::step(&app, &mut transaction, session, &body.code, false).await?;
    let step = step.ok_or(ApiError::CodeWrong)?;
    if !stored::confirm_authenticator(&mut transaction, &enrolment, step, now).await? {
        return Err(ApiError::AlreadyEnrolled);
    }
    stored::end_tries(&mut transaction, session.user).await?;
    let backup_codes = factors::new_backup_codes(&app, &mut transaction, session).await?;
    let entry = Entry::done(Action::AuthenticatorAdded);
    app.audit.record(&mut transaction, &by, entry).await?;
    factors::enrolled(&app, transaction, &enroller, Confirmed { backup_codes }).await
}
