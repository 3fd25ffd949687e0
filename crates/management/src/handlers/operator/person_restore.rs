//! `POST /api/v1/operator/people/{id}/restore`: lets somebody back in who was suspended; not while their organisation is.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;

use super::{leaver, record};
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<UserId>,
) -> Result<NoContent, ApiError> {
    let (_, mut transaction, leaver) = leaver(&app, &fresh, id).await?;
    if leaver.suspended.is_some() {
        leaving::restore(&mut transaction, &leaver).await?;
        let entry = || Entry::done(Action::PersonRestored).on(Target::new("person", leaver.id, &leaver.name));
        record(&app, transaction, fresh.operator(), entry).await?;
    }
    Ok(NoContent)
}
