//! Whom somebody's recovery asks, as their keeper tells the platform: signed with the key of their vault, so that a session
//! alone names nobody.

use crate::relay::MailboxKey;
use crate::{CellId, Millis, SlotId, UserId};

/// What a vault signs the list of its contacts for.
pub const CONTACTS_PURPOSE: &str = "recovery/contacts";
const FORMAT: u8 = 1;

/// The contacts of one recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactList {
    pub cell: CellId,
    pub slot: SlotId,
    /// When they were chosen. It only rises: of two lists, the later one counts.
    pub made: Millis,
    pub threshold: u8,
    pub wait_ms: u64,
    /// At most 255.
    pub contacts: Vec<UserId>,
}

impl ContactList {
    /// What is signed for [`CONTACTS_PURPOSE`]: `0x01 || cell (16) || slot (16) || made (u64) || threshold (u8) || wait_ms (u64) ||
    /// count (u8) || count × user (16)`.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(self.cell.uuid().as_bytes());
        bytes.extend_from_slice(self.slot.uuid().as_bytes());
        bytes.extend_from_slice(&self.made.to_be_bytes());
        bytes.push(self.threshold);
        bytes.extend_from_slice(&self.wait_ms.to_be_bytes());
        bytes.push(u8::try_from(self.contacts.len()).unwrap_or(u8::MAX));
        for user in &self.contacts {
            bytes.extend_from_slice(user.uuid().as_bytes());
        }
        bytes
    }

    /// Whether the vault with this signing key says so.
    pub fn is_signed(&self, by: MailboxKey, signature: &[u8; 64]) -> bool {
        by.signed(CONTACTS_PURPOSE, &self.to_sign(), signature)
    }
}
