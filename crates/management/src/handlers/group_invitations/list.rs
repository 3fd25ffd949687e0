//! `GET /api/v1/group-invitations`: the groups that one is invited to.

use axum::Json;
use axum::extract::State;
use protocol::{GroupId, Millis};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::millis;
use crate::ids::GroupInvitationId;
use crate::problem::ApiError;
use crate::storage::group_invitations;
use crate::storage::groups::GroupRole;

#[derive(Serialize, ToSchema)]
pub(crate) struct Invitations {
    invitations: Vec<One>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReceivedInvitation)]
struct One {
    #[schema(value_type = Uuid)]
    id: GroupInvitationId,
    group: Named,
    invited_by: String,
    role: GroupRole,
    expires_at: Millis,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GroupName)]
struct Named {
    id: GroupId,
    name: String,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Invitations>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let received = group_invitations::received(&mut transaction, &person, None, app.clock.now()).await?;
    let invitations = received
        .into_iter()
        .map(|one| One {
            id: one.id,
            group: Named {
                id: one.group,
                name: one.group_name,
            },
            invited_by: one.invited_by,
            role: one.role,
            expires_at: millis(one.expires_at),
        })
        .collect();
    Ok(Json(Invitations { invitations }))
}
