//! How events hang together: `hash = SHA-256("holdfast/audit/v1" || 0x00 || hash before || body)`; before the first, zeros.

use sha2::{Digest as _, Sha256};

const DOMAIN: &[u8] = b"holdfast/audit/v1\0";

/// The hash of an event, given that of the one before and its text.
pub(super) fn next(before: &[u8; 32], body: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(before);
    hash.update(body.as_bytes());
    hash.finalize().into()
}
