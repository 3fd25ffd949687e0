//! `PUT /api/v1/push/devices/{id}`: one's own device is in use in this session, and is reached there from now on.

use axum::extract::State;
use axum::response::NoContent;

use super::Subscription;
use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::ids::PushDeviceId;
use crate::problem::ApiError;
use crate::storage::push_devices;

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<PushDeviceId>,
    Body(subscription): Body<Subscription>,
) -> Result<NoContent, ApiError> {
    let sealed = subscription.seal(&app, &person, id)?;
    let mut transaction = person.transaction(&app).await?;
    if !push_devices::renew(&mut transaction, &person, id, &sealed).await? {
        return Err(ApiError::NotFound);
    }
    transaction.commit().await?;
    Ok(NoContent)
}
