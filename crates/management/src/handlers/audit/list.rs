//! `GET /api/v1/audit`: what was done, the newest first.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::listed;
use super::Search;
use crate::access::{InQuery, SignedIn};
use crate::app::App;
use crate::audit::told::Told;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{StorageError, audit};

#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    #[schema(value_type = Vec<Told>)]
    events: Vec<Box<RawValue>>,
    /// There are older ones: ask again with `before`.
    more: bool,
}

pub(crate) async fn get(
    State(app): State<App>,
    person: SignedIn,
    InQuery(search): InQuery<Search>,
) -> Result<Json<Events>, ApiError> {
    let filter = search.filter(&person);
    let mut transaction = person.transaction(&app).await?;
    let found = audit::find(&mut transaction, &filter, limits::AUDIT_LISTED + 1).await?;
    let (found, more) = listed(found, limits::AUDIT_LISTED);
    let events = found
        .into_iter()
        .map(|event| RawValue::from_string(event.body).map_err(|_| StorageError::Unreadable("an audit event")))
        .collect::<Result<_, _>>()?;
    Ok(Json(Events { events, more }))
}
