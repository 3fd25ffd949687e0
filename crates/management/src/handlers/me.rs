//! `GET /api/v1/me`: who is signed in.

use axum::Json;
use protocol::{CellId, TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::person::Role;
use crate::storage::sessions::Session;

#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user: User,
    tenant: Tenant,
    cell: Cell,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Oneself)]
struct User {
    id: UserId,
    name: String,
    email: String,
    role: Role,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
struct Tenant {
    id: TenantId,
    name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnCell)]
struct Cell {
    id: CellId,
}

impl From<&Session> for Me {
    fn from(session: &Session) -> Self {
        Self {
            user: User {
                id: session.user,
                name: session.user_name.clone(),
                email: session.email.clone(),
                role: session.role,
            },
            tenant: Tenant {
                id: session.tenant,
                name: session.tenant_name.clone(),
            },
            cell: Cell { id: session.cell },
        }
    }
}

pub(crate) async fn get(person: SignedIn) -> Json<Me> {
    Json(Me::from(person.session()))
}
