//! `PUT /api/v1/join-domains`: lets a domain's addresses join, or changes what that takes.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::DomainAnswer;
use crate::access::{Body, FreshManager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::person::Domain;
use crate::problem::ApiError;
use crate::storage::join_domains;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    domain: String,
    approval: bool,
}

pub(crate) async fn put(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Json<DomainAnswer>, ApiError> {
    let domain = Domain::parse(&wanted.domain).map_err(|reason| ApiError::InvalidField {
        field: "domain",
        reason,
    })?;
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let now = app.clock.now();
    let id = join_domains::put(&mut transaction, &manager, &domain, wanted.approval, now)
        .await?
        .ok_or(ApiError::LimitReached(limits::JOIN_DOMAINS))?;
    let entry = Entry::done(Action::JoinDomainSet)
        .on(Target::new("domain", id, domain.as_str()))
        .with("approval", wanted.approval);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Json(DomainAnswer {
        id,
        domain: domain.as_str().to_owned(),
        approval: wanted.approval,
    }))
}
