//! `POST /api/v1/operator/tenants/{id}/suspend`: puts an organisation out of use. Everybody in it is signed out and stays out, nobody
//! joins, and every cell goes to sleep; nothing is deleted.

use axum::Json;
use axum::extract::State;
use protocol::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{cell_of, record, tenant_of};
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::cell_control::CellState;
use crate::leavers;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::operator::{self, Only};
use crate::storage::{TenantTransaction, suspension};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorSuspended)]
pub(crate) struct Suspended {
    /// Cells that were sent to sleep, those that sleep already included.
    cells: usize,
    /// Of these, those that do not sleep yet: what runs in them is broken off and sealed.
    stopping: usize,
}

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<TenantId>,
) -> Result<Json<Suspended>, ApiError> {
    let operator = fresh.operator();
    let now = app.clock.now();
    let tenant = tenant_of(&app, operator, id).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    if suspension::suspend(&mut transaction, &fresh, now).await? {
        let entry =
            || Entry::done(Action::OrganisationSuspended).on(Target::new("organisation", tenant.id, &tenant.name));
        record(&app, transaction, operator, entry).await?;
    }
    let only = Only {
        tenant: Some(tenant.id),
        ..Only::default()
    };
    let people = operator::people(&app.database, operator, only, app.session_clock()).await?;
    let cells: Vec<_> = people
        .iter()
        .filter_map(|person| Some(cell_of(person, person.cell?)))
        .collect();
    let mut stopping = 0;
    for cell in &cells {
        stopping += usize::from(leavers::send_to_sleep(&app, *cell).await? != CellState::Asleep);
    }
    Ok(Json(Suspended {
        cells: cells.len(),
        stopping,
    }))
}
