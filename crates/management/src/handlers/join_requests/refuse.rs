//! `POST /api/v1/join-requests/{id}/refuse`: does not let somebody in, and tells them by mail. They are not asked about again for a
//! while; an invitation lets them in all the same.

use axum::extract::State;
use axum::response::NoContent;

use super::super::email;
use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::JoinRequestId;
use crate::joining;
use crate::mail;
use crate::problem::ApiError;
use crate::storage::join_requests;

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<JoinRequestId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let waiting = join_requests::refuse(&mut transaction, &manager, id, app.clock.now())
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::JoinRefused).on(Target::new("join_request", id, &waiting.email));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let letter = mail::join_refused(&email(&waiting.email)?, &person.session().tenant_name);
    joining::send(&app, letter).await;
    Ok(NoContent)
}
