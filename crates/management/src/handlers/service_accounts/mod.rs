//! Accounts for programs, which are no person's.

pub(crate) mod create;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod remove;

use protocol::{Millis, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::keys::KeyAnswer;
use crate::clock::millis;
use crate::person::Role;
use crate::storage::api_keys::Listed;
use crate::storage::service_accounts::ServiceAccount;

/// A service account, as managers get it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    id: UserId,
    name: String,
    role: Role,
    created_at: Millis,
    keys: Vec<KeyAnswer>,
}

impl Account {
    fn new(account: ServiceAccount, keys: Vec<Listed>, now: OffsetDateTime) -> Self {
        Self {
            id: account.id,
            name: account.name,
            role: account.role,
            created_at: millis(account.created_at),
            keys: keys.into_iter().map(|key| KeyAnswer::new(key, now)).collect(),
        }
    }
}
