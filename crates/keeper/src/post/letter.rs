//! What a letter says: `kind (u8) || content`, sealed for the purpose `letter/v1`.

use vault::{AgreementKey, AgreementSecret, Identity, PublicIdentity, SealedToError, open_sealed_to, seal_to};
use zeroize::Zeroizing;

const PURPOSE: &str = "letter/v1";
const SHARE: u8 = 1;
const STOP: u8 = 2;
const GONE: u8 = 3;

/// One letter.
pub enum Letter {
    /// A share of the sender's recovery, to be held.
    Share(Zeroizing<Vec<u8>>),
    /// Release nothing for the request with this id.
    Stop(String),
    /// Shares up to this version are worth nothing.
    Gone(u64),
}

impl Letter {
    /// Seals it.
    ///
    /// # Errors
    /// [`SealedToError`].
    pub fn seal(&self, sender: &Identity, to: &AgreementKey) -> Result<Vec<u8>, SealedToError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(1024));
        match self {
            Self::Share(share) => {
                plain.push(SHARE);
                plain.extend_from_slice(share);
            }
            Self::Stop(request) => {
                plain.push(STOP);
                plain.extend_from_slice(request.as_bytes());
            }
            Self::Gone(version) => {
                plain.push(GONE);
                plain.extend_from_slice(&version.to_be_bytes());
            }
        }
        seal_to(sender, to, PURPOSE, b"", &plain)
    }

    /// Opens one, and says who sealed it.
    ///
    /// # Errors
    /// [`SealedToError`].
    pub fn open(receiver: &AgreementSecret, sealed: &[u8]) -> Result<(PublicIdentity, Self), SealedToError> {
        let opened = open_sealed_to(receiver, PURPOSE, b"", sealed)?;
        let unknown = SealedToError::Truncated;
        let (&kind, content) = opened.message.split_first().ok_or(unknown)?;
        let letter = match kind {
            SHARE => Self::Share(Zeroizing::new(content.to_vec())),
            STOP => Self::Stop(String::from_utf8(content.to_vec()).map_err(|_| unknown)?),
            GONE => Self::Gone(u64::from_be_bytes(content.try_into().map_err(|_| unknown)?)),
            other => return Err(SealedToError::UnknownVersion(other)),
        };
        Ok((opened.sender, letter))
    }
}
