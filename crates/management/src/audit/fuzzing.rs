//! What the fuzz targets reach of the audit log: an export to begin with. What checks one is public.

use protocol::{Millis, TenantId, b64};
use serde_json::value::RawValue;

use super::export::{CheckpointLine, EndLine, EventLine, Header, Signed, line};
use super::key::{Place, Whose};
use super::{Action, AuditKey, By, Entry, Text, chain};
use crate::storage::StorageError;
use crate::storage::audit::Head;

/// Events in [`an_export`].
pub const EVENTS: i64 = 2;
/// When it was made.
pub const EXPORTED_AT: Millis = 1_700_000_000_000;

/// A whole export, of an organisation or else of the operator, with signatures on its way and at its end.
///
/// # Errors
/// None that a caller could bring about.
pub fn an_export(key: &AuditKey, tenant: Option<TenantId>) -> Result<Vec<u8>, StorageError> {
    let whose = tenant.map_or(Whose::Operator { unsigned: 1 }, Whose::Tenant);
    let signed = |place, head: &Head| Signed::new(head, EXPORTED_AT, &key.sign(place, whose, head, EXPORTED_AT));
    let text = Text::of(tenant, EXPORTED_AT, &By::server(), &Entry::done(Action::ChainBroken))?;
    let mut head = Head::BEGINNING;
    let mut file = line(&Header::new(whose, &key.public()))?.to_vec();
    for seq in 1..=EVENTS {
        let body = text.numbered(seq);
        let hash = chain::next(&head.hash, &body);
        head = Head { seq, hash };
        let event = RawValue::from_string(body).map_err(|_| StorageError::Unreadable("an audit event"))?;
        let hash = b64::encode(hash);
        file.extend(line(&EventLine { event, hash })?);
        let checkpoint = signed(Place::Checkpoint, &head);
        file.extend(line(&CheckpointLine { checkpoint })?);
    }
    let end = signed(Place::End, &head);
    file.extend(line(&EndLine { end })?);
    Ok(file)
}
