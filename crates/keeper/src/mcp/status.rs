//! `vault_status` and `unlock_link`.

use protocol::channel::VaultState;
use serde_json::{Value, json};

use super::Tools;

impl Tools {
    /// Where the owner opens the vault: a page that asks them for what they know, and nothing that opens anything by itself.
    pub(super) fn unlock_address(&self) -> String {
        format!("{}/", self.public_url.get())
    }

    pub(super) fn vault_status(&self) -> Value {
        match self.vault.state() {
            VaultState::Unlocked => json!({"vault": "unlocked", "locks_at": self.vault.locks_at()}),
            state => json!({"vault": state, "unlock_link": self.unlock_address()}),
        }
    }

    pub(super) fn unlock_link(&self) -> Value {
        json!({
            "unlock_link": self.unlock_address(),
            "say": "Your vault is locked. Open this address and sign in to unlock it; then ask me again.",
        })
    }
}
