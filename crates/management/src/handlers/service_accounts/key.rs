//! `POST /api/v1/service-accounts/{id}/keys`: makes a key of a service account. It is shown this once.

use axum::extract::State;
use protocol::UserId;

use super::super::keys::{Made, Wanted, make};
use crate::access::{Body, FreshManager, Id};
use crate::answer::Created;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::service_accounts;

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    if wanted.scopes()?.iter().any(|scope| scope.is_of_cell()) {
        return Err(ApiError::InvalidField {
            field: "scopes",
            reason: "A service account has no cell.".to_owned(),
        });
    }
    let person = manager.signed_in();
    let mut transaction = person.staying(&app).await?;
    let account = service_accounts::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    make(&app, transaction, &person.by(), account.id, &wanted).await
}
