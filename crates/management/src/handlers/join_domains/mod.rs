//! Domains whose addresses may join without an invitation.

pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;

use serde::Serialize;
use utoipa::ToSchema;

use crate::ids::JoinDomainId;

/// A domain, as those who manage the organisation get it.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinDomain)]
pub(crate) struct DomainAnswer {
    #[schema(value_type = Uuid)]
    id: JoinDomainId,
    domain: String,
    /// Whether somebody who manages the organisation has to agree.
    approval: bool,
}
