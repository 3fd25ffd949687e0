//! `GET /api/v1/operator/tenants`: the organisations of this installation, with numbers.

use axum::Json;
use axum::extract::State;
use protocol::{Millis, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::millis;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator::{self, TenantFacts};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorTenants)]
pub(crate) struct Tenants {
    tenants: Vec<TenantAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorTenant)]
pub(crate) struct TenantAnswer {
    id: TenantId,
    name: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended_at: Option<Millis>,
    second_factor_required: bool,
    people: i64,
    suspended_people: i64,
    signed_in_people: i64,
    service_accounts: i64,
    groups: i64,
    alert_rules: i64,
}

impl From<TenantFacts> for TenantAnswer {
    fn from(facts: TenantFacts) -> Self {
        Self {
            id: facts.id,
            name: facts.name,
            created_at: millis(facts.created_at),
            suspended_at: facts.suspended_at.map(millis),
            second_factor_required: facts.second_factor_required,
            people: facts.people,
            suspended_people: facts.suspended_people,
            signed_in_people: facts.signed_in_people,
            service_accounts: facts.service_accounts,
            groups: facts.groups,
            alert_rules: facts.alert_rules,
        }
    }
}

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<Tenants>, ApiError> {
    let tenants = operator::tenants(&app.database, &operator, None, app.session_clock()).await?;
    Ok(Json(Tenants {
        tenants: tenants.into_iter().map(TenantAnswer::from).collect(),
    }))
}
