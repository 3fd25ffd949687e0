//! Invitations to groups that one got.

pub(crate) mod accept;
pub(crate) mod decline;
pub(crate) mod list;

use crate::access::SignedIn;
use crate::app::App;
use crate::ids::GroupInvitationId;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::group_invitations::{self, Received};

/// Looks up an open invitation to this person.
async fn own(
    app: &App,
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: GroupInvitationId,
) -> Result<Received, ApiError> {
    let mut found = group_invitations::received(transaction, person, Some(id), app.clock.now()).await?;
    found.pop().ok_or(ApiError::NotFound)
}
