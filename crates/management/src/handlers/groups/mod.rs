//! Groups: some people of the organisation who have something in common.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod invite;
pub(crate) mod list;
pub(crate) mod remove_member;
pub(crate) mod role;
pub(crate) mod withdraw;

use protocol::{GroupId, Millis};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::clock::millis;
use crate::ids::GroupInvitationId;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::group_invitations::Open;
use crate::storage::groups::{self, Group, GroupRole, ManagedGroup};

/// A group in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupAnswer {
    id: GroupId,
    name: String,
    archived: bool,
    /// One's own role in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<GroupRole>,
    /// Whether one may change it.
    manages: bool,
    /// How many are in it.
    members: i64,
}

impl From<&Group> for GroupAnswer {
    fn from(group: &Group) -> Self {
        Self {
            id: group.id,
            name: group.name.clone(),
            archived: group.archived,
            role: group.role,
            manages: group.manages(),
            members: group.members,
        }
    }
}

/// An open invitation, for those who manage the group.
#[derive(Serialize, ToSchema)]
#[schema(as = GroupInvitation)]
pub(crate) struct InvitationAnswer {
    #[schema(value_type = Uuid)]
    id: GroupInvitationId,
    email: String,
    role: GroupRole,
    expires_at: Millis,
}

impl From<Open> for InvitationAnswer {
    fn from(invitation: Open) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            expires_at: millis(invitation.expires_at),
        }
    }
}

/// Looks a group up to change it: 404 for who may not see it, 403 for who may only see it.
async fn managed(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: GroupId,
) -> Result<ManagedGroup, ApiError> {
    let group = groups::find(transaction, person, id).await?.ok_or(ApiError::NotFound)?;
    group.managed().ok_or(ApiError::NotAllowed)
}

/// The same, of a group that is not put away.
async fn managed_open(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: GroupId,
) -> Result<ManagedGroup, ApiError> {
    let group = managed(transaction, person, id).await?;
    match group.archived {
        true => Err(ApiError::GroupArchived),
        false => Ok(group),
    }
}
