//! `vault_status` and `unlock_link`.

use protocol::channel::VaultState;
use serde_json::{Value, json};

use super::Tools;

impl Tools {
    pub(super) fn vault_status(&self) -> Value {
        match self.vault.state() {
            VaultState::Unlocked => json!({"vault": "unlocked", "locks_at": self.vault.locks_at()}),
            state => json!({"vault": state, "unlock_link": self.unlock.address()}),
        }
    }

    pub(super) fn unlock_link(&self) -> Value {
        json!({
            "unlock_link": self.unlock.address(),
            "say": "Your vault is locked. Open this address and sign in to unlock it; then ask me again.",
        })
    }
}
