//! `POST /api/v1/alerts`: has an address, or a destination, told of something from now on.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::email;
use super::{QuietTime, RuleAnswer};
use crate::access::{Body, FreshManager};
use crate::alerts::Trigger;
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::DestinationId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::alerts::Receiver;
use crate::storage::{StorageError, alerts, destinations};

/// What is broken by telling the same twice.
const SAME: [&str; 2] = [
    "alert_rules_tenant_id_trigger_email_key",
    "alert_rules_tenant_id_trigger_destination_key",
];

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    trigger: Trigger,
    /// Who is told: this address by mail ...
    #[serde(default)]
    email: Option<String>,
    /// ... or this destination.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    destination: Option<DestinationId>,
    #[serde(default)]
    quiet: Option<QuietTime>,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Created<RuleAnswer>, ApiError> {
    let quiet = wanted.quiet.as_ref().map(QuietTime::checked).transpose()?;
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let receiver = match (&wanted.email, wanted.destination) {
        (Some(address), None) => Receiver::Mailbox(email(address)?.as_str().to_owned()),
        (None, Some(id)) => {
            let found = destinations::find(&mut transaction, manager.manager(), id).await?;
            let found = found.ok_or_else(|| ApiError::InvalidField {
                field: "destination",
                reason: "There is no such destination.".to_owned(),
            })?;
            Receiver::Destination {
                id,
                kind: found.kind,
                name: found.name,
            }
        }
        _ => {
            return Err(ApiError::InvalidField {
                field: "email",
                reason: "Say who is told: an e-mail address, or a destination.".to_owned(),
            });
        }
    };
    let created = alerts::create(
        &mut transaction,
        &manager,
        wanted.trigger,
        receiver,
        quiet,
        app.clock.now(),
    )
    .await;
    let rule = created
        .map_err(|error| match error {
            StorageError::Conflict(rule) if SAME.contains(&rule.as_str()) => ApiError::AlreadyTold,
            other => other.into(),
        })?
        .ok_or(ApiError::LimitReached(limits::ALERT_RULES))?;
    let entry = Entry::done(Action::AlertMade)
        .on(Target::new("alert", rule.id, rule.receiver.name()))
        .with("trigger", wanted.trigger.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(rule.into()))
}
