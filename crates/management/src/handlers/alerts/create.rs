//! `POST /api/v1/alerts`: has an address told of something, from now on.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::email;
use super::{QuietTime, RuleAnswer};
use crate::access::{Body, FreshManager};
use crate::alerts::{Quiet, Trigger};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{StorageError, alerts};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    trigger: Trigger,
    email: String,
    #[serde(default)]
    quiet: Option<QuietTime>,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Created<RuleAnswer>, ApiError> {
    let email = email(&wanted.email)?;
    let quiet = match wanted.quiet {
        Some(time) => Some(Quiet::new(time.from, time.to).ok_or(ApiError::InvalidField {
            field: "quiet",
            reason: "Quiet hours are two different minutes of a day, 0 to 1439.".to_owned(),
        })?),
        None => None,
    };
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let created = alerts::create(
        &mut transaction,
        &manager,
        wanted.trigger,
        &email,
        quiet,
        app.clock.now(),
    )
    .await;
    let rule = created
        .map_err(|error| match error {
            StorageError::Conflict(rule) if rule == "alert_rules_tenant_id_trigger_email_key" => ApiError::AlreadyTold,
            other => other.into(),
        })?
        .ok_or(ApiError::LimitReached(limits::ALERT_RULES))?;
    let entry = Entry::done(Action::AlertMade)
        .on(Target::new("alert", rule.id, email.as_str()))
        .with("trigger", wanted.trigger.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(rule.into()))
}
