//! `GET /api/v1/operator/audit`: what the operator did, the newest first.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::super::listed;
use crate::access::InQuery;
use crate::app::App;
use crate::audit::told::Told;
use crate::limits;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::{StorageError, operator_audit};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    before: Option<i64>,
    action: Option<String>,
    text: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorEvents)]
pub(crate) struct Events {
    #[schema(value_type = Vec<Told>)]
    events: Vec<Box<RawValue>>,
    /// There are older ones: ask again with `before`.
    more: bool,
}

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    InQuery(search): InQuery<Search>,
) -> Result<Json<Events>, ApiError> {
    // PostgreSQL's text has no zero bytes; what asks for one finds nothing.
    let text = |text: Option<String>| {
        text.filter(|text| !text.is_empty())
            .map(|text| text.replace('\0', "\u{fffd}"))
    };
    let (action, words) = (text(search.action), text(search.text));
    let mut connection = app.database.pool().acquire().await.map_err(StorageError::from)?;
    let found = operator_audit::find(
        &mut connection,
        search.before,
        action.as_deref(),
        words.as_deref(),
        limits::AUDIT_LISTED + 1,
    )
    .await?;
    let (found, more) = listed(found, limits::AUDIT_LISTED);
    let events = found
        .into_iter()
        .map(|event| RawValue::from_string(event.body).map_err(|_| StorageError::Unreadable("an audit event")))
        .collect::<Result<_, _>>()?;
    Ok(Json(Events { events, more }))
}
