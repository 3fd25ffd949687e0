//! `POST /api/v1/destinations/{id}/test`: tells a destination something that has not happened, at once, and says whether it was taken.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::millis;
use crate::delivery::Notice;
use crate::ids::DestinationId;
use crate::problem::ApiError;
use crate::storage::destinations;

#[derive(Serialize, ToSchema)]
#[schema(as = DestinationTest)]
pub(crate) struct Answer {
    delivered: bool,
    /// What to look at, where it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<DestinationId>,
) -> Result<Json<Answer>, ApiError> {
    let person = manager.signed_in();
    let session = person.session();
    app.limits
        .destination_test(session.tenant)
        .await
        .map_err(ApiError::TooMany)?;
    let mut transaction = person.transaction(&app).await?;
    let found = destinations::find(&mut transaction, &manager, id).await?;
    drop(transaction);
    let destination = found.ok_or(ApiError::NotFound)?;
    let notice = Notice::test(&session.tenant_name, &session.user_name, millis(app.clock.now()));
    let told = app
        .delivery
        .test(session.tenant, id, destination.kind, &destination.sealed, &notice)
        .await;
    let problem = told.err().map(|error| format!("{error}."));

    let target = Target::new("destination", id, &destination.name);
    let mut transaction = person.transaction(&app).await?;
    let now = app.clock.now();
    let entry = match &problem {
        None => {
            destinations::arrived(&mut transaction, &destination, now).await?;
            Entry::done(Action::DestinationTested)
        }
        Some(problem) => {
            destinations::not_arrived(&mut transaction, id, problem, now).await?;
            Entry::refused(Action::DestinationTested)
        }
    };
    app.audit
        .record(&mut transaction, &person.by(), entry.on(target))
        .await?;
    transaction.commit().await?;
    Ok(Json(Answer {
        delivered: problem.is_none(),
        problem,
    }))
}
