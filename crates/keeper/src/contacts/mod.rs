//! Who this person deals with: each one's public identity, pinned when it was first used, in the vault.
//!
//! What is promised here: once somebody is known, other keys under the same name are refused until the person has forgotten the
//! old ones. The platform hands the keys out and is not believed; that two people have the same digits before them is what
//! makes sure of the first time.

mod book;
mod error;
mod methods;

use std::sync::Arc;

pub use book::Contact;
pub use error::ContactError;
use protocol::UserId;
use vault::PublicIdentity;

use crate::clock::Clock;
use crate::vault_service::VaultService;

/// The contacts of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Contacts {
    vault: VaultService,
    clock: Arc<dyn Clock>,
}

impl Contacts {
    /// The contacts in this vault.
    pub fn new(vault: VaultService, clock: Arc<dyn Clock>) -> Self {
        Self { vault, clock }
    }

    /// Remembers somebody's identity. The same one again changes the name alone.
    ///
    /// # Errors
    /// [`ContactError::Changed`] when another identity is known for them; [`ContactError::Bundle`]; the vault's errors.
    pub async fn pin(&self, user: UserId, name: &str, bundle: &[u8]) -> Result<Contact, ContactError> {
        let identity = PublicIdentity::decode(bundle)?;
        if identity == self.vault.identity().await?.public() {
            return Err(ContactError::Own);
        }
        let name = book::tidy_name(name);
        let contact = match self.get(user)? {
            Some(known) if known.identity != identity => {
                return Err(ContactError::Changed {
                    name: known.name,
                    known: known.identity.fingerprint(),
                    offered: identity.fingerprint(),
                });
            }
            Some(known) if known.name == name => return Ok(known),
            Some(known) => Contact { name, ..known },
            None => {
                self.check_room()?;
                Contact {
                    user,
                    name,
                    identity,
                    pinned_at: self.clock.now(),
                    compared_at: None,
                }
            }
        };
        self.put(&contact).await?;
        Ok(contact)
    }

    /// The person has compared the fingerprint with its owner.
    ///
    /// # Errors
    /// [`ContactError::Unknown`]; [`ContactError::Differs`] when what was compared is not what is pinned.
    pub async fn compared(&self, user: UserId, fingerprint: &str) -> Result<Contact, ContactError> {
        let mut contact = self.known(user)?;
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        if digits(&contact.identity.fingerprint()) != digits(fingerprint) {
            return Err(ContactError::Differs);
        }
        contact.compared_at = Some(self.clock.now());
        self.put(&contact).await?;
        Ok(contact)
    }

    /// Somebody who must be known.
    ///
    /// # Errors
    /// [`ContactError::Unknown`]; the vault's errors.
    pub fn known(&self, user: UserId) -> Result<Contact, ContactError> {
        self.get(user)?.ok_or(ContactError::Unknown)
    }
}
