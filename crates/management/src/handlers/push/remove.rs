//! `DELETE /api/v1/push/devices/{id}`: one's own device is told nothing any more.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::PushDeviceId;
use crate::problem::ApiError;
use crate::storage::push_devices;

pub(crate) async fn delete(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<PushDeviceId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let name = push_devices::remove(&mut transaction, &person, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::PushTurnedOff).on(Target::new("push_device", id, &name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
