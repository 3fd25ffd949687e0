//! `DELETE /api/v1/sessions`: signs every device of one's own out but this one.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::sessions;

#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    ended: u64,
}

pub(crate) async fn delete(State(app): State<App>, person: SignedIn) -> Result<Json<Ended>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let session = person.session();
    let ended = sessions::end_all(&mut transaction, session.user, Some(session.id)).await?;
    let entry = Entry::done(Action::SessionsRevoked).with("ended", ended);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Json(Ended { ended }))
}
