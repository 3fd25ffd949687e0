//! `POST /api/v1/sign-out`: ends this session.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};

use crate::access::SignedIn;
use crate::app::App;
use crate::problem::ApiError;
use crate::session;
use crate::storage::sessions;

pub(crate) async fn post(State(app): State<App>, person: SignedIn) -> Result<impl IntoResponse, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    sessions::end(&mut transaction, person.session().id).await?;
    transaction.commit().await?;
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders([(SET_COOKIE, session::clear(&app.config.public_url))]),
    ))
}
