//! `GET /api/v1/sign-in/pending`: what is still to be done before one is signed in.

use axum::Json;
use axum::extract::State;

use crate::access::HalfSignedIn;
use crate::app::App;
use crate::problem::ApiError;
use crate::session::Pending;
use crate::storage::{TenantTransaction, factors};

pub(crate) async fn get(State(app): State<App>, half: HalfSignedIn) -> Result<Json<Pending>, ApiError> {
    let session = half.session();
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    let standing = factors::standing(&mut transaction, session.user).await?;
    Ok(Json(Pending::new(session.state, standing)))
}
