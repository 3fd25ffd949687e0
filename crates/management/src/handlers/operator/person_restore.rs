//! `POST /api/v1/operator/people/{id}/restore`: lets somebody back in who was suspended; not while their organisation is.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;

use super::{person, record};
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, leaving};

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<UserId>,
) -> Result<NoContent, ApiError> {
    let person = person(&app, fresh.operator(), id).await?;
    let mut transaction = TenantTransaction::begin(&app.database, person.tenant).await?;
    let leaver = leaving::find_as_operator(&mut transaction, &fresh, person.user)
        .await?
        .ok_or(ApiError::NotFound)?;
    if leaver.suspended.is_some() {
        leaving::restore(&mut transaction, &leaver).await?;
        let entry = || Entry::done(Action::PersonRestored).on(Target::new("person", leaver.id, &leaver.name));
        record(&app, transaction, fresh.operator(), entry).await?;
    }
    Ok(NoContent)
}
