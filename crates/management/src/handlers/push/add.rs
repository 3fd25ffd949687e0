//! `POST /api/v1/push/devices`: has the browser that asks told, from now on, that something waits for its person.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Subscription;
use crate::access::{Body, SignedIn};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::PushDeviceId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::push_devices;

#[derive(Serialize, ToSchema)]
#[schema(as = AddedPushDevice)]
pub(crate) struct Added {
    #[schema(value_type = Uuid)]
    id: PushDeviceId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Body(subscription): Body<Subscription>,
) -> Result<Created<Added>, ApiError> {
    let id = PushDeviceId::new();
    let sealed = subscription.seal(&app, &person, id)?;
    let mut transaction = person.transaction(&app).await?;
    if !push_devices::add(&mut transaction, &person, id, &sealed, app.clock.now()).await? {
        return Err(ApiError::LimitReached(limits::PUSH_DEVICES));
    }
    let entry = Entry::done(Action::PushTurnedOn).on(Target::new("push_device", id, &person.client().device));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(Added { id }))
}
