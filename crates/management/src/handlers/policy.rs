//! `GET /api/v1/policy`, `PUT /api/v1/policy`: what the organisation asks of everybody.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Body, FreshOwner, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::{factors, sessions, tenants};

#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Policy {
    second_factor: SecondFactor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecondFactor {
    Optional,
    Required,
}

impl From<bool> for SecondFactor {
    fn from(required: bool) -> Self {
        match required {
            true => Self::Required,
            false => Self::Optional,
        }
    }
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Policy>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let required = tenants::second_factor_required(&mut transaction).await?;
    Ok(Json(Policy {
        second_factor: required.into(),
    }))
}

pub(crate) async fn put(
    State(app): State<App>,
    owner: FreshOwner,
    Body(policy): Body<Policy>,
) -> Result<Json<Policy>, ApiError> {
    let owner = owner.signed_in();
    let required = policy.second_factor == SecondFactor::Required;
    let mut transaction = owner.transaction(&app).await?;
    // Whoever asks it of all has one, or they would lock themselves out with everybody else.
    if required
        && !factors::standing(&mut transaction, owner.session().user)
            .await?
            .has_factor()
    {
        return Err(ApiError::FactorFirst);
    }
    if tenants::set_second_factor_required(&mut transaction, required).await? {
        let lowered = match required {
            true => sessions::ask_for_second_factors(&mut transaction, owner.session().id).await?,
            false => 0,
        };
        let tenant = Target::new("organisation", owner.session().tenant, &owner.session().tenant_name);
        let entry = Entry::done(Action::PolicyChanged)
            .on(tenant)
            .with("second_factor", if required { "required" } else { "optional" })
            .with("sessions_lowered", lowered);
        app.audit.record(&mut transaction, &owner.by(), entry).await?;
    }
    transaction.commit().await?;
    Ok(Json(policy))
}
