//! `GET /api/v1/groups`: the groups that one is in; for owners and admins of the organisation, all.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::GroupAnswer;
use crate::access::SignedIn;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::groups;

#[derive(Serialize, ToSchema)]
pub(crate) struct Groups {
    groups: Vec<GroupAnswer>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Groups>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let groups = groups::list(&mut transaction, &person).await?;
    Ok(Json(Groups {
        groups: groups.iter().map(GroupAnswer::from).collect(),
    }))
}
