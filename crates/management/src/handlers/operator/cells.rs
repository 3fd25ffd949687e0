//! `GET /api/v1/operator/cells`: every cell and how it is: state, size, use. What is in it is encrypted, and not the operator's to see.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use protocol::{CellId, Millis, TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use super::people::Named;
use crate::app::App;
use crate::cell_control::CellState;
use crate::clock::millis;
use crate::machine::{CellFacts, CellLimits, Host, Seen};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator::{self, Only, PersonFacts};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorCells)]
pub(crate) struct Cells {
    /// When the machine was looked at, and why not since, where it could not be.
    seen_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    host: Host,
    limits: CellLimits,
    cells: Vec<CellAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorCell)]
pub(crate) struct CellAnswer {
    id: CellId,
    tenant: Named,
    owner: Owner,
    state: CellState,
    created_at: Millis,
    /// More about one that the server has had to do with since it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<CellFacts>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorCellOwner)]
struct Owner {
    id: UserId,
    name: String,
    email: String,
    suspended: bool,
}

impl CellAnswer {
    /// `None` for somebody without a cell.
    pub(super) fn new(person: PersonFacts, facts: Option<CellFacts>) -> Option<Self> {
        Some(Self {
            id: person.cell?,
            tenant: Named {
                id: person.tenant,
                name: person.tenant_name,
            },
            owner: Owner {
                id: person.user,
                name: person.name,
                email: person.email,
                suspended: person.suspended,
            },
            state: facts.as_ref().map_or(CellState::Asleep, |facts| facts.state),
            created_at: millis(person.cell_made_at?),
            facts,
        })
    }
}

/// What is known of cells, by their id; of none in another organisation than the database says.
pub(super) fn by_id(seen: &Seen) -> HashMap<(CellId, TenantId), CellFacts> {
    let facts = seen
        .cells
        .iter()
        .map(|facts| ((facts.cell, facts.tenant), facts.clone()));
    facts.collect()
}

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<Cells>, ApiError> {
    let (people, seen) = futures::future::join(
        operator::people(&app.database, &operator, Only::default(), app.session_clock()),
        app.machine.look(),
    )
    .await;
    let mut facts = by_id(&seen);
    let cells = people?.into_iter().filter_map(|person| {
        let facts = person.cell.and_then(|cell| facts.remove(&(cell, person.tenant)));
        CellAnswer::new(person, facts)
    });
    Ok(Json(Cells {
        cells: cells.collect(),
        seen_at: seen.at,
        problem: seen.problem,
        host: seen.host,
        limits: app.machine.limits(),
    }))
}
