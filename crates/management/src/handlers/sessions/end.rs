//! `DELETE /api/v1/sessions/{id}`: signs a device of one's own out; what it has open closes.

use axum::extract::State;
use axum::response::NoContent;
use protocol::SessionId;

use crate::access::{Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::sessions;

pub(crate) async fn delete(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<SessionId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let ended = sessions::end(&mut transaction, person.session().user, id).await?;
    let device = ended.ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::SessionRevoked).on(Target::new("session", id, &device));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
