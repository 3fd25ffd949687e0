//! What others ask the owner to share: `share/asked/<id>`; and asking others. Words between people: nothing is shared by them.

use protocol::{Millis, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::PublicIdentity;

use super::message::Message;
use super::{ShareError, Shares};
use crate::limits;
use crate::relay::{Courier as _, Record};
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode};

const ASKED: &str = "share/asked/";

/// Somebody asks for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub id: Uuid,
    pub user: UserId,
    /// As the owner knows them.
    pub name: String,
    /// What they would like, in their words.
    pub words: String,
    pub at: Millis,
}

/// As it is shown in a few lines.
fn tidy(words: &str) -> String {
    let plain = |letter: &char| !letter.is_control() || *letter == '\n';
    let short = words.chars().filter(plain).take(limits::SHARE_WORDS_CHARS);
    short.collect::<String>().trim().to_owned()
}

/// What of somebody's words is sent: without blanks around them, up to [`limits::SHARE_WORDS_CHARS`].
///
/// # Errors
/// [`ShareError::Words`]: there are none, or more.
pub fn words_to_send(words: &str) -> Result<&str, ShareError> {
    let words = words.trim();
    if (1..=limits::SHARE_WORDS_CHARS).contains(&words.chars().count()) {
        Ok(words)
    } else {
        Err(ShareError::Words)
    }
}

impl Shares {
    /// Asks somebody to share something.
    ///
    /// # Errors
    /// [`ShareError::Contact`], [`ShareError::Words`], [`ShareError::Relay`], the vault's errors.
    pub async fn ask(&self, of: UserId, words: &str) -> Result<(), ShareError> {
        let contact = self.contacts.known(of)?;
        let ask = Message::Ask {
            id: Uuid::now_v7(),
            words: words_to_send(words)?.to_owned(),
        };
        self.relay.send(ask.to(&contact.identity, Vec::new())).await?;
        Ok(())
    }

    /// What others ask for, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn asked(&self) -> Result<Vec<Asked>, VaultError> {
        let mut names = self.vault.list_records(ASKED)?;
        names.reverse();
        let read = |name: String| decode(&self.vault.get_record(&name).ok()??);
        Ok(names.into_iter().filter_map(read).collect())
    }

    /// It was answered, or is not to be.
    ///
    /// # Errors
    /// The vault's errors.
    pub async fn dismiss(&self, id: Uuid) -> Result<(), ShareError> {
        self.vault.delete_record(&format!("{ASKED}{id}")).await?;
        self.changed();
        Ok(())
    }

    /// What is to be remembered of somebody's words: nothing of a stranger's, and not more of one person than may wait.
    pub(super) fn take_ask(&self, from: &PublicIdentity, id: Uuid, words: &str) -> Result<Vec<Record>, ShareError> {
        let contacts = self.contacts.list()?;
        let Some(contact) = contacts.into_iter().find(|contact| contact.identity == *from) else {
            return Ok(Vec::new());
        };
        let (known, words) = (self.asked()?, tidy(words));
        let of_them = known.iter().filter(|each| each.user == contact.user).count();
        let room = known.len() < limits::SHARES_ASKED && of_them < limits::SHARES_ASKED_BY_ONE;
        if words.is_empty() || !room || known.iter().any(|each| each.id == id) {
            return Ok(Vec::new());
        }
        let asked = Asked {
            id,
            user: contact.user,
            name: contact.name,
            words,
            at: self.clock.now(),
        };
        Ok(vec![(format!("{ASKED}{id}"), Some(encode(&asked)))])
    }
}
