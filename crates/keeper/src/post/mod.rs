//! Letters between vaults, until the relay carries them: sealed to the receiver's identity, carried by the two people's clients and
//! the platform in between, none of which can read, change or forge one.
//!
//! What is promised here: a letter waits in the vault until a client says that the platform has it; one that comes twice does
//! what it does once; and what it does it does for its sender alone.

mod letter;
mod methods;

use protocol::{UserId, b64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use letter::Letter;

use crate::contacts::Contacts;
use crate::recovery::{Recovery, RecoveryFailure};
use crate::vault_service::{Record, VaultError, VaultService};

const OUT: &str = "post/out/";

/// The letters of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Post {
    vault: VaultService,
    contacts: Contacts,
    recovery: Recovery,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    v: u8,
    to: UserId,
    #[serde(with = "b64")]
    sealed: Vec<u8>,
}

/// The record of a letter that is to be sent.
pub(crate) fn outgoing(to: UserId, sealed: Vec<u8>) -> Record {
    let waiting = Waiting { v: 1, to, sealed };
    let json = serde_json::to_vec(&waiting).expect("an id and bytes serialise");
    (format!("{OUT}{}", Uuid::now_v7()), Some(json))
}

/// Takes back the letters that were not sent yet.
pub(crate) fn withdrawn(vault: &VaultService) -> Result<Vec<Record>, VaultError> {
    Ok(vault.list_records(OUT)?.into_iter().map(|name| (name, None)).collect())
}

impl Post {
    /// The letters of this vault.
    pub fn new(vault: VaultService, contacts: Contacts, recovery: Recovery) -> Self {
        Self {
            vault,
            contacts,
            recovery,
        }
    }

    /// Opens a letter, and does what it says. The platform says from whom it is: other keys than those that are pinned for them are
    /// refused.
    async fn take(&self, from: UserId, name: &str, sealed: &[u8]) -> Result<&'static str, RecoveryFailure> {
        let identity = self.vault.identity().await?;
        let (sender, letter) = Letter::open(identity.agreement(), sealed)?;
        let contact = self.contacts.pin(from, name, &sender.encode()).await?;
        match letter {
            Letter::Share(share) => {
                self.recovery.take_share(from, &contact.name, &sender, &share).await?;
                Ok("share")
            }
            Letter::Stop(request) => {
                self.recovery.take_stop(from, &sender, &request).await?;
                Ok("stop")
            }
            Letter::Gone(version) => {
                self.recovery.take_gone(from, &sender, version).await?;
                Ok("gone")
            }
        }
    }
}
