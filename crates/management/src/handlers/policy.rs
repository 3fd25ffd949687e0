//! `GET /api/v1/policy`, `PUT /api/v1/policy`: what the organisation asks of everybody.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Body, FreshOwner, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, factors, mailboxes, sessions, tenants};

#[derive(Serialize, ToSchema)]
pub(crate) struct Policy {
    second_factor: SecondFactor,
    requests_while_locked: RequestsWhileLocked,
    /// For how many hours at most people may let their agents work while nobody is there.
    time_alone_hours: i16,
    /// Whether what an agent wants to change at a service, or to share, needs a second person beside its own.
    second_person: bool,
}

/// What is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PolicyChange {
    second_factor: Option<SecondFactor>,
    requests_while_locked: Option<RequestsWhileLocked>,
    /// 1 to 168.
    #[schema(minimum = 1, maximum = 168)]
    time_alone_hours: Option<i16>,
    second_person: Option<bool>,
}

/// What becomes of something that another vault sends to one that is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequestsWhileLocked {
    /// It waits, and its owner is told that something does.
    Told,
    /// It waits.
    Wait,
}

impl From<bool> for RequestsWhileLocked {
    fn from(told: bool) -> Self {
        match told {
            true => Self::Told,
            false => Self::Wait,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecondFactor {
    Optional,
    Required,
}

impl SecondFactor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

impl RequestsWhileLocked {
    fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Wait => "wait",
        }
    }
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
    Ok(Json(current(&mut transaction).await?))
}

async fn current(transaction: &mut TenantTransaction) -> Result<Policy, ApiError> {
    Ok(Policy {
        second_factor: tenants::second_factor_required(transaction).await?.into(),
        requests_while_locked: tenants::told_of_requests(transaction).await?.into(),
        time_alone_hours: tenants::time_alone_hours(transaction).await?,
        second_person: tenants::second_person(transaction).await?,
    })
}

pub(crate) async fn put(
    State(app): State<App>,
    owner: FreshOwner,
    Body(change): Body<PolicyChange>,
) -> Result<Json<Policy>, ApiError> {
    let longest = protocol::limits::TIME_ALONE_CEILING / 60;
    if let Some(hours) = change.time_alone_hours
        && !u32::try_from(hours).is_ok_and(|hours| (1..=longest).contains(&hours))
    {
        return Err(ApiError::InvalidField {
            field: "time_alone_hours",
            reason: format!("Agents may work alone for 1 to {longest} hours (TIME_ALONE_CEILING)."),
        });
    }
    let owner = owner.signed_in();
    let mut transaction = owner.transaction(&app).await?;
    let tenant = || Target::new("organisation", owner.session().tenant, &owner.session().tenant_name);
    if let Some(factor) = change.second_factor
        && let Some(ended) = set_second_factor(&mut transaction, owner, factor).await?
    {
        let entry = Entry::done(Action::PolicyChanged)
            .on(tenant())
            .with("second_factor", factor.as_str())
            .with("sessions_ended", ended);
        app.audit.record(&mut transaction, &owner.by(), entry).await?;
    }
    if let Some(requests) = change.requests_while_locked
        && set_requests(&mut transaction, requests).await?
    {
        let entry = Entry::done(Action::PolicyChanged)
            .on(tenant())
            .with("requests_while_locked", requests.as_str());
        app.audit.record(&mut transaction, &owner.by(), entry).await?;
    }
    if let Some(hours) = change.time_alone_hours
        && tenants::set_time_alone_hours(&mut transaction, hours).await?
    {
        let entry = Entry::done(Action::PolicyChanged)
            .on(tenant())
            .with("time_alone_hours", hours);
        app.audit.record(&mut transaction, &owner.by(), entry).await?;
    }
    if let Some(demanded) = change.second_person
        && tenants::set_second_person(&mut transaction, demanded).await?
    {
        let entry = Entry::done(Action::PolicyChanged)
            .on(tenant())
            .with("second_person", demanded);
        app.audit.record(&mut transaction, &owner.by(), entry).await?;
    }
    let policy = current(&mut transaction).await?;
    transaction.commit().await?;
    if change.second_person == Some(true) {
        app.cells.second_demanded(owner.session().tenant);
    }
    Ok(Json(policy))
}

/// How many sessions that ended; none if it was so already.
async fn set_second_factor(
    transaction: &mut TenantTransaction,
    owner: &SignedIn,
    factor: SecondFactor,
) -> Result<Option<u64>, ApiError> {
    let required = factor == SecondFactor::Required;
    // Whoever asks it of all has one, or they would lock themselves out with everybody else.
    if required && !factors::standing(transaction, owner.session().user).await?.has_factor() {
        return Err(ApiError::FactorFirst);
    }
    if !tenants::set_second_factor_required(transaction, required).await? {
        return Ok(None);
    }
    Ok(Some(match required {
        true => sessions::end_without_factor(transaction, owner.session().id).await?,
        false => 0,
    }))
}

/// False if it was so already.
async fn set_requests(transaction: &mut TenantTransaction, requests: RequestsWhileLocked) -> Result<bool, ApiError> {
    let told = requests == RequestsWhileLocked::Told;
    let changed = tenants::set_told_of_requests(transaction, told).await?;
    if changed && !told {
        mailboxes::forget(transaction).await?;
    }
    Ok(changed)
}
