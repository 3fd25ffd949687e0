//! `GET /api/v1/groups`: the groups that one is in; for owners and admins of the organisation, all.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::listed;
use super::GroupAnswer;
use crate::access::SignedIn;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::groups;

#[derive(Serialize, ToSchema)]
pub(crate) struct Groups {
    groups: Vec<GroupAnswer>,
    /// There are more than an answer lists.
    more: bool,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Groups>, ApiError> {
    let (groups, more) = listed(groups::list(&app.database, &person).await?, limits::GROUPS_LISTED);
    Ok(Json(Groups {
        more,
        groups: groups.iter().map(GroupAnswer::from).collect(),
    }))
}
