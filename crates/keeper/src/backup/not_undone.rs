//! What a restore does not undo: what was taken back, counted, refused or paused since the backup was made, or in another vault than that of the
//! backup, lies over what is in it.

use vault::Body;

use crate::activity::UNTOLD;
use crate::relay;
use crate::shares;
use crate::vault_service::{VaultError, VaultService};

/// Kinds of records of which those that are there now stay: what was taken back, whose calls are paused, which requests were used up or
/// refused, what is allowed beforehand, who the second person is, and what the audit log has not heard of.
const STAY: [&str; 6] = [
    relay::REVOKED,
    "rates/",
    "approval/",
    "approval-rule/",
    "approval-second",
    UNTOLD,
];

/// Records to be laid over those of the backup.
pub(super) fn not_undone(vault: &VaultService, backup: &Body) -> Result<Vec<(String, Vec<u8>)>, VaultError> {
    let mut records = shares::counted_since(vault, backup)?;
    records.extend(relay::after_restore(vault, backup)?);
    for kind in STAY {
        for name in vault.list_records(kind)? {
            if let Some(value) = vault.get_record(&name)? {
                records.push((name, value.to_vec()));
            }
        }
    }
    Ok(records)
}
