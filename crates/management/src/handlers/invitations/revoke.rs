//! `DELETE /api/v1/invitations/{id}`: takes an open invitation back; its link stops working.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::InvitationId;
use crate::problem::ApiError;
use crate::storage::invitations;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<InvitationId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let revoked = invitations::revoke(&mut transaction, &manager, id, app.clock.now()).await?;
    let email = revoked.ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::InvitationRevoked).on(Target::new("invitation", id, &email));
    app.audit
        .record(&mut transaction, &manager.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    Ok(NoContent)
}
