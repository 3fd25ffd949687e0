//! An event read back from its text, for what tells of it in another form.

use protocol::Millis;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::storage::StorageError;

/// An event, as it was written.
#[derive(Deserialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct Told {
    pub seq: i64,
    pub at: Millis,
    pub action: String,
    pub outcome: String,
    pub actor: Named,
    pub target: Option<Named>,
    pub address: String,
    pub device: String,
    pub details: Value,
}

/// Who did it, or what it was done to.
#[derive(Deserialize, Default, ToSchema)]
#[schema(as = AuditName)]
pub(crate) struct Named {
    pub kind: String,
    pub id: Option<String>,
    pub name: String,
}

impl Told {
    /// Reads an event's text.
    pub(crate) fn read(body: &str) -> Result<Self, StorageError> {
        serde_json::from_str(body).map_err(|_| StorageError::Unreadable("an audit event"))
    }

    /// Whether somebody tried in vain.
    pub(crate) fn is_refused(&self) -> bool {
        self.outcome == "refused"
    }
}
