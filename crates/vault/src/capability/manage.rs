use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::Wider;
use super::presentation::Presentable;
use super::terms::{Scope, Scopes};
use super::{CapabilityError, Granted};

/// What somebody has the owner's keeper do who manages what is shared: they hold it with the right `admin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ManageRequest {
    /// To say who may use it.
    Look,
    /// To let somebody use it, in the place of what they had of it.
    Grant { user: Uuid, scope: Scopes, until: i64 },
    /// To take it from somebody.
    End { user: Uuid },
}

impl ManageRequest {
    /// Whether it changes who may do what.
    pub fn changes(&self) -> bool {
        *self != Self::Look
    }
}

impl Presentable for ManageRequest {
    const DOMAIN: &'static [u8] = b"holdfast/manage/v1";

    /// Nobody lets others do more than they may themself, or manage it: that is for whoever shares it. For the same reason it does not count
    /// where the right was passed on.
    fn check(&self, granted: &Granted) -> Result<(), CapabilityError> {
        if granted.links.len() != 1 || !granted.scope.contains(&Scope::Admin) {
            return Err(CapabilityError::NotAllowed(Scope::Admin.name()));
        }
        match self {
            Self::Grant { scope, .. } if scope.contains(&Scope::Admin) || !scope.is_subset(&granted.scope) => {
                Err(CapabilityError::MoreThanOwn(Wider::Scope))
            }
            Self::Grant { until, .. } if *until > granted.until => Err(CapabilityError::MoreThanOwn(Wider::Time)),
            _ => Ok(()),
        }
    }
}
