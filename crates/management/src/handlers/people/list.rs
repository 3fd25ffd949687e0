//! `GET /api/v1/people`: everybody in the organisation.

use axum::Json;
use axum::extract::State;
use protocol::UserId;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::listed;
use crate::access::SignedIn;
use crate::app::App;
use crate::limits;
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::users;

#[derive(Serialize, ToSchema)]
pub(crate) struct People {
    people: Vec<Person>,
    /// There are more than an answer lists.
    more: bool,
}

#[derive(Serialize, ToSchema)]
struct Person {
    id: UserId,
    name: String,
    email: String,
    role: Role,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<People>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let (people, more) = listed(users::list(&mut transaction).await?, limits::PEOPLE_LISTED);
    let people = people
        .into_iter()
        .map(|p| Person {
            id: p.id,
            name: p.name,
            email: p.email,
            role: p.role,
            suspended: p.suspended,
        })
        .collect();
    Ok(Json(People { people, more }))
}
