//! Where the owner opens the vault, and the one sentence in which an agent that meets a locked one is told so: by the tools, the broker and
//! the egress proxy alike.

use std::sync::{Arc, PoisonError, RwLock};

use crate::vault_service::VaultError;

/// The address of the page that unlocks: it asks for what its owner knows, and holds nothing that opens anything by itself. Cheap to clone.
#[derive(Clone, Default)]
pub struct UnlockLink(Arc<RwLock<String>>);

impl UnlockLink {
    /// The platform has said what people see as this installation's address.
    pub fn set_installation(&self, url: &str) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = format!("{}/", url.trim_end_matches('/'));
    }

    /// The link.
    pub fn address(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was refused with `code`, in words for a model: with what to do where the vault is not open.
    pub fn told(&self, code: &str, message: &str) -> String {
        if ![VaultError::Locked.code(), VaultError::New.code()].contains(&code) {
            return message.to_owned();
        }
        format!(
            "{message} Nothing can be done until your owner opens the vault. Give them this link, say that it asks for their password, and \
             stop: {}",
            self.address()
        )
    }
}
