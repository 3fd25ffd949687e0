//! Domains whose addresses may join without an invitation.

pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A domain, as those who manage the organisation get it.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinDomain)]
pub(crate) struct DomainAnswer {
    id: Uuid,
    domain: String,
    /// Whether somebody who manages the organisation has to agree.
    approval: bool,
}
