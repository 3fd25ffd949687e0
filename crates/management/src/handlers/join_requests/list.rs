//! `GET /api/v1/join-requests`: who waits to be let in, the longest first.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Manager;
use crate::app::App;
use crate::clock::millis;
use crate::ids::JoinRequestId;
use crate::problem::ApiError;
use crate::storage::join_requests;

#[derive(Serialize, ToSchema)]
pub(crate) struct Waiting {
    waiting: Vec<Person>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WaitingPerson)]
struct Person {
    #[schema(value_type = Uuid)]
    id: JoinRequestId,
    name: String,
    email: String,
    /// The issuer of the account that they came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    asked_at: Millis,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Waiting>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let waiting = join_requests::list(&mut transaction, &manager).await?;
    let waiting = waiting
        .into_iter()
        .map(|each| Person {
            id: each.id,
            name: each.name,
            email: each.email,
            issuer: each.issuer,
            asked_at: millis(each.created_at),
        })
        .collect();
    Ok(Json(Waiting { waiting }))
}
