//! `DELETE /api/v1/join-domains/{id}`: nobody joins from a domain any more. Who has joined stays.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::JoinDomainId;
use crate::problem::ApiError;
use crate::storage::join_domains;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<JoinDomainId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let domain = join_domains::remove(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::JoinDomainRemoved).on(Target::new("domain", id, &domain));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
