//! `GET /api/v1/operator/people`: everybody on this installation: who they are, not what they do.

use axum::Json;
use axum::extract::State;
use protocol::{CellId, Millis, TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::listed;
use crate::app::App;
use crate::clock::millis;
use crate::limits;
use crate::operator::Operator;
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::operator::{self, Only, PersonFacts};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorPeople)]
pub(crate) struct People {
    people: Vec<PersonAnswer>,
    /// There are more than an answer lists.
    more: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorPerson)]
pub(crate) struct PersonAnswer {
    id: UserId,
    tenant: Named,
    name: String,
    email: String,
    /// A program's account: nobody signs in with it.
    service: bool,
    role: Role,
    created_at: Millis,
    suspended: bool,
    /// Whether there is one; which one is theirs to know.
    second_factor: bool,
    sessions: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<CellId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorNamed)]
pub(super) struct Named {
    pub(super) id: TenantId,
    pub(super) name: String,
}

impl From<PersonFacts> for PersonAnswer {
    fn from(facts: PersonFacts) -> Self {
        Self {
            id: facts.user,
            tenant: Named {
                id: facts.tenant,
                name: facts.tenant_name,
            },
            name: facts.name,
            email: facts.email,
            service: facts.service,
            role: facts.role,
            created_at: millis(facts.created_at),
            suspended: facts.suspended,
            second_factor: facts.second_factor,
            sessions: facts.sessions,
            last_seen_at: facts.last_seen_at.map(millis),
            cell: facts.cell,
        }
    }
}

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<People>, ApiError> {
    let people = operator::people(&app.database, &operator, Only::default(), app.session_clock()).await?;
    let (people, more) = listed(people, limits::OPERATOR_LISTED);
    Ok(Json(People {
        more,
        people: people.into_iter().map(PersonAnswer::from).collect(),
    }))
}
