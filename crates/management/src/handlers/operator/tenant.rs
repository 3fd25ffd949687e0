//! `GET /api/v1/operator/tenants/{id}`: one organisation, the people in it, and the limits that hold for it.

use axum::Json;
use axum::extract::State;
use protocol::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

use super::owner::OwnerAnswer;
use super::people::PersonAnswer;
use super::tenant_of;
use super::tenants::TenantAnswer;
use crate::access::Id;
use crate::app::App;
use crate::limits;
use crate::machine::CellLimits;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator::{self, Only};
use crate::storage::{TenantTransaction, owner_invitations};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorWholeTenant)]
pub(crate) struct WholeTenant {
    tenant: TenantAnswer,
    people: Vec<PersonAnswer>,
    /// While nobody is in it: who was invited to own it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_invited: Option<OwnerAnswer>,
    limits: TenantLimits,
    cell_limits: CellLimits,
}

/// How many of each an organisation may have.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorTenantLimits)]
struct TenantLimits {
    service_accounts: i64,
    groups: i64,
    group_members: i64,
    alert_rules: i64,
    /// Invitations in so many minutes.
    invitations: u32,
    invitations_minutes: u64,
}

pub(crate) async fn get(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id<TenantId>,
) -> Result<Json<WholeTenant>, ApiError> {
    let now = app.clock.now();
    let tenant = tenant_of(&app, &operator, id).await?;
    let only = Only {
        tenant: Some(tenant.id),
        ..Only::default()
    };
    let people = operator::people(&app.database, &operator, only, app.session_clock()).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let invited = owner_invitations::open(&mut transaction, &operator).await?;
    Ok(Json(WholeTenant {
        owner_invited: invited.map(|invited| OwnerAnswer::new(&invited, now, None)),
        tenant: tenant.into(),
        people: people.into_iter().map(PersonAnswer::from).collect(),
        limits: TenantLimits {
            service_accounts: limits::SERVICE_ACCOUNTS,
            groups: limits::GROUPS,
            group_members: limits::GROUP_MEMBERS,
            alert_rules: limits::ALERT_RULES,
            invitations: limits::INVITATIONS_PER_TENANT,
            invitations_minutes: limits::RATE_PERIOD.as_secs() / 60,
        },
        cell_limits: app.machine.limits(),
    }))
}
