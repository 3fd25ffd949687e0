//! `POST /api/v1/service-accounts`: an account for programs, with a role. It never owns.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::name;
use super::Account;
use crate::access::{Body, FreshManager};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::service_accounts;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    name: String,
    role: Role,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Account>, ApiError> {
    let name = name("name", &wanted.name)?;
    if wanted.role == Role::Owner {
        return Err(ApiError::InvalidField {
            field: "role",
            reason: "A service account is never an owner.".to_owned(),
        });
    }
    let now = app.clock.now();
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let account = service_accounts::create(&mut transaction, &manager, &name, wanted.role, now)
        .await?
        .ok_or(ApiError::LimitReached(limits::SERVICE_ACCOUNTS))?;
    let entry = Entry::done(Action::ServiceAccountMade)
        .on(Target::new("service_account", account.id, name.as_str()))
        .with("role", account.role.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(Account::new(account, Vec::new(), now)))
}
