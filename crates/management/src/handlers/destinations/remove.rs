//! `DELETE /api/v1/destinations/{id}`: ends a destination, with the alerts that go there and what waits for it.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::DestinationId;
use crate::problem::ApiError;
use crate::storage::destinations;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<DestinationId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let name = destinations::remove(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::DestinationRemoved).on(Target::new("destination", id, &name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
