//! `GET /api/v1/operator/join-requests`: who waits to be let in, in whichever organisation, by organisation, the longest first.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::listed;
use super::people::Named;
use crate::app::App;
use crate::clock::millis;
use crate::ids::JoinRequestId;
use crate::limits;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator;

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorWaiting)]
pub(crate) struct Waiting {
    waiting: Vec<Person>,
    /// There are more than an answer lists.
    more: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorWaitingPerson)]
struct Person {
    #[schema(value_type = Uuid)]
    id: JoinRequestId,
    tenant: Named,
    name: String,
    email: String,
    /// The issuer of the account that they came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    asked_at: Millis,
}

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<Waiting>, ApiError> {
    let waiting = operator::waiting(&app.database, &operator, None).await?;
    let (waiting, more) = listed(waiting, limits::OPERATOR_LISTED);
    Ok(Json(Waiting {
        more,
        waiting: waiting
            .into_iter()
            .map(|each| Person {
                id: each.request,
                tenant: Named {
                    id: each.tenant,
                    name: each.tenant_name,
                },
                name: each.name,
                email: each.email,
                issuer: each.issuer,
                asked_at: millis(each.created_at),
            })
            .collect(),
    }))
}
