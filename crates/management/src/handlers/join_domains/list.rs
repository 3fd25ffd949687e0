//! `GET /api/v1/join-domains`: domains whose addresses may join.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::DomainAnswer;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::join_domains;

#[derive(Serialize, ToSchema)]
pub(crate) struct Domains {
    domains: Vec<DomainAnswer>,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Domains>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let domains = join_domains::list(&mut transaction, &manager).await?;
    let domains = domains
        .into_iter()
        .map(|each| DomainAnswer {
            id: each.id,
            domain: each.domain,
            approval: each.approval,
        })
        .collect();
    Ok(Json(Domains { domains }))
}
