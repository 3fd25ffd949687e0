//! `POST /api/v1/operator/tenants`: makes an organisation and invites its owner by mail. Nobody is in it until they follow the link.

use axum::extract::State;
use protocol::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::owner::{self, OwnerAnswer};
use super::write_down;
use crate::access::Body;
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::handlers::{email, name};
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::{installation, operator, tenants};

#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorNewTenant)]
pub(crate) struct Wanted {
    name: String,
    /// Of its owner.
    email: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorMadeTenant)]
pub(crate) struct Made {
    id: TenantId,
    name: String,
    owner: OwnerAnswer,
}

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let (name, email) = (name("name", &wanted.name)?, email(&wanted.email)?);
    app.limits.owner_invitation().await.map_err(ApiError::TooMany)?;
    if installation::needs_setup(&app.database).await? {
        return Err(ApiError::NotSetUp);
    }
    if operator::is_named(&app.database, fresh.operator(), &name).await? {
        return Err(ApiError::OrganisationKnown);
    }
    let mut transaction = tenants::create(&app.database, &name, app.clock.now()).await?;
    let id = transaction.tenant();
    let entry = || Entry::done(Action::OrganisationMade).on(Target::new("organisation", id, name.as_str()));
    write_down(&app, &mut transaction, fresh.operator(), entry).await?;
    let owner = owner::invite(&app, transaction, &fresh, &email).await?;
    Ok(Created(Made {
        id,
        name: name.as_str().to_owned(),
        owner,
    }))
}
