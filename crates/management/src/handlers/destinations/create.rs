//! `POST /api/v1/destinations`: adds a destination of alerts and audit events. The secret of a webhook's signatures is in the answer,
//! this once.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::name;
use crate::access::{Body, FreshManager};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::delivery::{Kind, NewDestination, Wrong};
use crate::ids::DestinationId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::destinations;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    kind: Kind,
    name: String,
    /// `https://…`; for syslog `tls://host:port`. For PagerDuty it may be left out.
    #[serde(default)]
    url: String,
    /// PagerDuty's integration key.
    #[serde(default)]
    key: String,
}

/// A new destination.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeDestination)]
pub(crate) struct Made {
    #[schema(value_type = Uuid)]
    id: DestinationId,
    kind: Kind,
    name: String,
    host: String,
    /// What a webhook's receiver checks signatures with, in clear this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let name = name("name", &wanted.name)?;
    let person = manager.signed_in();
    let tenant = person.session().tenant;
    let new = NewDestination::new(
        &app.delivery,
        &*app.entropy,
        tenant,
        wanted.kind,
        &wanted.url,
        &wanted.key,
    );
    let new = new.map_err(|wrong| match wrong {
        Wrong::Field { field, reason } => ApiError::InvalidField { field, reason },
        Wrong::Entropy(error) => error.into(),
    })?;
    let mut transaction = person.transaction(&app).await?;
    if !destinations::create(&mut transaction, &manager, &new, &name, app.clock.now()).await? {
        return Err(ApiError::LimitReached(limits::DESTINATIONS));
    }
    let entry = Entry::done(Action::DestinationAdded)
        .on(Target::new("destination", new.id, name.as_str()))
        .with("kind", new.kind.as_str())
        .with("host", &new.host);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(Made {
        id: new.id,
        kind: new.kind,
        name: name.as_str().to_owned(),
        host: new.host,
        secret: new.secret,
    }))
}
