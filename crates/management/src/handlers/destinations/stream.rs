//! `PUT /api/v1/destinations/{id}/stream`: has the audit events from now on sent to a webhook or syslog as they happen, or no more.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::DestinationId;
use crate::problem::ApiError;
use crate::storage::destinations;

#[derive(Deserialize, ToSchema)]
#[schema(as = DestinationStream)]
pub(crate) struct Wanted {
    on: bool,
}

pub(crate) async fn put(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<DestinationId>,
    Body(wanted): Body<Wanted>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let found = destinations::find(&mut transaction, manager.manager(), id).await?;
    let destination = found.ok_or(ApiError::NotFound)?;
    if wanted.on && !destination.kind.takes_streams() {
        return Err(ApiError::InvalidField {
            field: "on",
            reason: "The audit log goes to a webhook or to syslog: chats and pagers are for alerts.".to_owned(),
        });
    }
    if wanted.on != destination.streamed_to.is_some() {
        let name = destinations::stream(&mut transaction, &manager, id, wanted.on)
            .await?
            .ok_or(ApiError::NotFound)?;
        let action = match wanted.on {
            true => Action::StreamBegun,
            false => Action::StreamEnded,
        };
        let entry = Entry::done(action).on(Target::new("destination", id, &name));
        app.audit.record(&mut transaction, &person.by(), entry).await?;
        transaction.commit().await?;
    }
    Ok(NoContent)
}
