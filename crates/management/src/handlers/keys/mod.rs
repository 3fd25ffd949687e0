//! API keys: one's own, and those of service accounts for who manages the organisation.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;
pub(crate) mod rotate;

use std::collections::BTreeSet;

use protocol::{ApiKeyId, Millis};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::api_key::ApiKey;
use crate::clock::millis;
use crate::limits;
use crate::problem::ApiError;
use crate::scope::Scope;
use crate::storage::api_keys::Listed;

/// A key, as its holder gets it.
#[derive(Serialize)]
pub(crate) struct KeyAnswer {
    id: ApiKeyId,
    name: String,
    /// Its first characters.
    hint: String,
    scopes: Vec<Scope>,
    created_at: Millis,
    expires_at: Millis,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Millis>,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_used_from: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    /// Works until `expires_at`; another one has its place.
    Replaced,
    Expired,
}

impl KeyAnswer {
    pub(crate) fn new(key: Listed, now: OffsetDateTime) -> Self {
        let status = match &key {
            key if key.expires_at <= now => Status::Expired,
            Listed {
                replaced_at: Some(_), ..
            } => Status::Replaced,
            _ => Status::Active,
        };
        Self {
            id: key.id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            created_at: millis(key.created_at),
            expires_at: millis(key.expires_at),
            status,
            last_used_at: key.last_used_at.map(millis),
            last_used_from: key.last_used_from,
        }
    }
}

/// A new key, in clear this once.
#[derive(Serialize)]
pub(crate) struct Made {
    key: String,
    #[serde(flatten)]
    answer: KeyAnswer,
}

impl Made {
    pub(crate) fn new(key: &ApiKey, listed: Listed, now: OffsetDateTime) -> Self {
        Self {
            key: key.text().as_str().to_owned(),
            answer: KeyAnswer::new(listed, now),
        }
    }
}

/// What a key is asked for with.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    scopes: BTreeSet<Scope>,
    days: u32,
}

impl Wanted {
    /// The scopes, at least one.
    pub(crate) fn scopes(&self) -> Result<Vec<Scope>, ApiError> {
        match self.scopes.is_empty() {
            true => Err(ApiError::InvalidField {
                field: "scopes",
                reason: "Choose at least one thing that the key is for.".to_owned(),
            }),
            false => Ok(self.scopes.iter().copied().collect()),
        }
    }

    /// When it ends.
    pub(crate) fn expires_at(&self, now: OffsetDateTime) -> Result<OffsetDateTime, ApiError> {
        match self.days {
            1..=limits::KEY_DAYS => Ok(now.saturating_add(Duration::days(self.days.into()))),
            _ => Err(ApiError::InvalidField {
                field: "days",
                reason: format!("A key works for 1 to {} days.", limits::KEY_DAYS),
            }),
        }
    }
}
