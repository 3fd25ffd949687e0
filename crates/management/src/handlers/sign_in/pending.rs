//! `GET /api/v1/sign-in/pending`: what is still to be done before one is signed in.

use axum::Json;

use crate::access::HalfSignedIn;
use crate::session::Pending;

pub(crate) async fn get(half: HalfSignedIn) -> Json<Pending> {
    Json(Pending::from(half.session().state))
}
