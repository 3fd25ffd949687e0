//! `GET /api/v1/me`: who is signed in.
//!
//! `PUT /api/v1/me`: gives oneself another name. Address and role are not one's own to change.

use axum::Json;
use axum::extract::State;
use protocol::{CellId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name;
use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::sessions::Session;
use crate::storage::users;

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

#[derive(Deserialize, ToSchema)]
#[schema(as = OwnProfile)]
pub(crate) struct Profile {
    name: String,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Body(profile): Body<Profile>,
) -> Result<Json<Me>, ApiError> {
    let name = name("name", &profile.name)?;
    let mut session = person.session().clone();
    if name.as_str() != session.user_name {
        let mut transaction = person.transaction(&app).await?;
        users::rename(&mut transaction, session.user, &name).await?;
        let entry = Entry::done(Action::PersonRenamed)
            .on(Target::new("name", name.as_str(), name.as_str()))
            .with("before", &session.user_name);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
        transaction.commit().await?;
        session.user_name = name.as_str().to_owned();
    }
    Ok(Json(Me::from(&session)))
}
