//! `GET /api/v1/service-accounts`: the organisation's service accounts with their keys, by name.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Account;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{api_keys, service_accounts};

#[derive(Serialize, ToSchema)]
pub(crate) struct Accounts {
    service_accounts: Vec<Account>,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Accounts>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let now = app.clock.now();
    let mut accounts = Vec::new();
    for account in service_accounts::list(&mut transaction, &manager).await? {
        let keys = api_keys::list(&mut transaction, account.id).await?;
        accounts.push(Account::new(account, keys, now));
    }
    Ok(Json(Accounts {
        service_accounts: accounts,
    }))
}
