//! `POST /api/v1/factors/authenticator`: a new secret for an authenticator app. It counts for nothing until its first code.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Enroller;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors::{self, authenticator};
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, factors as stored};

#[derive(Serialize, ToSchema)]
pub(crate) struct Begun {
    secret: String,
    uri: String,
}

pub(crate) async fn post(State(app): State<App>, enroller: Enroller) -> Result<Json<Begun>, ApiError> {
    let session = enroller.session();
    let secret = authenticator::new_secret(&*app.entropy)?;
    let sealed = app
        .factor_key
        .seal(&*app.entropy, session.tenant, session.user, &secret)?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    let enrolment = factors::enrolment(&mut transaction, &enroller).await?;
    if !stored::begin_authenticator(&mut transaction, &enrolment, &sealed, app.clock.now()).await? {
        return Err(ApiError::AlreadyEnrolled);
    }
    let entry = Entry::done(Action::AuthenticatorBegun);
    app.audit.record(&mut transaction, &enroller.by(), entry).await?;
    transaction.commit().await?;
    let uri = authenticator::uri(&secret, &session.tenant_name, &session.email);
    Ok(Json(Begun {
        secret: authenticator::typed(&secret).as_str().to_owned(),
        uri: uri.as_str().to_owned(),
    }))
}
