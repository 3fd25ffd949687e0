//! API keys: one's own, and those of service accounts for who manages the organisation.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;
pub(crate) mod rotate;

use std::collections::BTreeSet;

use protocol::{ApiKeyId, Millis, UserId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::name;
use crate::answer::Created;
use crate::api_key::ApiKey;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::clock::millis;
use crate::limits;
use crate::problem::ApiError;
use crate::scope::Scope;
use crate::storage::TenantTransaction;
use crate::storage::api_keys::{self, Listed, NewKey};

/// A key, as its holder gets it.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyStatus)]
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
#[derive(Serialize, ToSchema)]
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

/// Makes a key of `holder`'s, as it is wanted, and writes down who made it; commits.
pub(crate) async fn make(
    app: &App,
    mut transaction: TenantTransaction,
    by: &By,
    holder: UserId,
    wanted: &Wanted,
) -> Result<Created<Made>, ApiError> {
    let now = app.clock.now();
    let name = name("name", &wanted.name)?;
    let (scopes, expires_at) = (wanted.scopes()?, wanted.expires_at(now)?);
    let key = ApiKey::generate(&*app.entropy)?;
    let new = NewKey {
        holder,
        name: &name,
        scopes: &scopes,
        key: &key,
        now,
        expires_at,
    };
    let made = api_keys::create(&mut transaction, new)
        .await?
        .ok_or(ApiError::LimitReached(limits::KEYS_PER_ACCOUNT))?;
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    let entry = Entry::done(Action::KeyMade)
        .on(Target::new("key", made.id, name.as_str()))
        .with("scopes", words.join(" "))
        .with("days", (expires_at - now).whole_days())
        .with("holder", holder);
    app.audit.record(&mut transaction, by, entry).await?;
    transaction.commit().await?;
    Ok(Created(Made::new(&key, made, now)))
}

/// What a key is asked for with.
#[derive(Deserialize, ToSchema)]
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
