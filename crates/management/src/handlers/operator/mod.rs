//! What the operator of the installation sees and does. Who, how many, in which state and how large: nobody's content is here to be
//! shown, and what an act changes is also in the log of the organisation that it concerns.

pub(crate) mod act;
pub(crate) mod audit;
pub(crate) mod audit_export;
pub(crate) mod cell;
pub(crate) mod cells;
pub(crate) mod health;
pub(crate) mod overview;
mod owner;
pub(crate) mod people;
pub(crate) mod person_cascade;
pub(crate) mod person_restore;
pub(crate) mod person_sign_out;
pub(crate) mod person_suspend;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod step_up;
pub(crate) mod tenant;
pub(crate) mod tenant_create;
pub(crate) mod tenant_losses;
pub(crate) mod tenant_owner;
pub(crate) mod tenant_remove;
pub(crate) mod tenant_restore;
pub(crate) mod tenant_suspend;
pub(crate) mod tenants;
pub(crate) mod waiting;
pub(crate) mod waiting_approve;
pub(crate) mod waiting_refuse;

use axum::response::NoContent;
use protocol::{CellId, TenantId, UserId};

use crate::app::App;
use crate::audit::Entry;
use crate::cell_control::CellRef;
use crate::ids::JoinRequestId;
use crate::joining::{self, Answer};
use crate::operator::{FreshOperator, Operator};
use crate::problem::ApiError;
use crate::storage::leaving::{self, Leaver};
use crate::storage::operator::{self, Only, PersonFacts, TenantFacts};
use crate::storage::{StorageError, TenantTransaction};

/// Writes an act down in the organisation's log and in the operator's own, and commits.
async fn record(
    app: &App,
    mut transaction: TenantTransaction,
    operator: &Operator,
    entry: impl Fn() -> Entry,
) -> Result<(), StorageError> {
    write_down(app, &mut transaction, operator, entry).await?;
    transaction.commit().await
}

/// Writes an act down in both logs; what it is part of goes on.
async fn write_down(
    app: &App,
    transaction: &mut TenantTransaction,
    operator: &Operator,
    entry: impl Fn() -> Entry,
) -> Result<(), StorageError> {
    let by = operator.by();
    let tenant = transaction.tenant();
    app.audit.record(transaction, &by, entry()).await?;
    app.audit
        .record_operator(transaction, Some(tenant), &by, &entry())
        .await
}

/// An organisation.
async fn tenant_of(app: &App, operator: &Operator, id: TenantId) -> Result<TenantFacts, ApiError> {
    let found = operator::tenants(&app.database, operator, Some(id), app.session_clock()).await?;
    found.into_iter().next().ok_or(ApiError::NotFound)
}

/// Somebody, in whichever organisation they are; a service account is nobody.
async fn person(app: &App, operator: &Operator, user: UserId) -> Result<PersonFacts, ApiError> {
    let only = Only {
        user: Some(user),
        ..Only::default()
    };
    let found = operator::people(&app.database, operator, only, app.session_clock()).await?;
    found
        .into_iter()
        .find(|person| !person.service)
        .ok_or(ApiError::NotFound)
}

/// Somebody whom the operator suspends or lets back in, or asks about before, in a transaction in which nobody else does.
async fn leaver(
    app: &App,
    fresh: &FreshOperator,
    user: UserId,
) -> Result<(PersonFacts, TenantTransaction, Leaver), ApiError> {
    let person = person(app, fresh.operator(), user).await?;
    let mut transaction = TenantTransaction::begin(&app.database, person.tenant).await?;
    let leaver = leaving::find_as_operator(&mut transaction, fresh, person.user).await?;
    Ok((person, transaction, leaver.ok_or(ApiError::NotFound)?))
}

/// The owner of a cell.
async fn owner_of(app: &App, operator: &Operator, cell: CellId) -> Result<PersonFacts, ApiError> {
    let only = Only {
        cell: Some(cell),
        ..Only::default()
    };
    let found = operator::people(&app.database, operator, only, app.session_clock()).await?;
    found.into_iter().next().ok_or(ApiError::NotFound)
}

/// Lets somebody in who waits, in whichever organisation they do, or refuses them.
async fn answer_waiting(
    app: &App,
    fresh: &FreshOperator,
    id: JoinRequestId,
    answer: Answer,
) -> Result<NoContent, ApiError> {
    let operator = fresh.operator();
    let found = operator::waiting(&app.database, operator, Some(id)).await?;
    let waiting = found.into_iter().next().ok_or(ApiError::NotFound)?;
    let mut transaction = TenantTransaction::begin(&app.database, waiting.tenant).await?;
    let answered = joining::answer(app, &mut transaction, fresh, id, answer).await?;
    record(app, transaction, operator, || answered.entry()).await?;
    joining::send(app, answered.letter).await;
    Ok(NoContent)
}

fn cell_of(person: &PersonFacts, cell: CellId) -> CellRef {
    CellRef {
        cell,
        tenant: person.tenant,
        user: person.user,
    }
}
