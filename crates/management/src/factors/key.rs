//! The key under which authenticators' secrets are sealed and backup codes are hashed: a copy of the database alone opens
//! neither.

use std::path::Path;

use hmac::{Hmac, Mac as _};
use protocol::{TenantId, UserId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};
use crate::key_file::{self, KeyFileError};
use crate::sealing;

const PURPOSE: &[u8] = b"holdfast/authenticator/v1";

/// The installation's key for second factors. No `Debug`; wiped when dropped.
pub struct FactorKey {
    sealing: Zeroizing<[u8; 32]>,
    hashing: Zeroizing<[u8; 32]>,
}

impl FactorKey {
    /// Reads the key of this installation, or makes it.
    ///
    /// # Errors
    /// [`KeyFileError`] says which file and what to do.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyFileError> {
        let loss = "everybody has to set up their authenticator app again";
        Ok(Self::from_bytes(&*key_file::load_or_create(data_dir, "factors", loss)?))
    }

    /// From 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            sealing: sealing::derive(bytes, PURPOSE),
            hashing: sealing::derive(bytes, b"holdfast/backup-code/v1"),
        }
    }

    /// Bound to whose it is.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        user: UserId,
        secret: &[u8],
    ) -> Result<Vec<u8>, NoEntropy> {
        sealing::seal(&self.sealing, entropy, &sealing::whose(PURPOSE, tenant, user), secret)
    }

    /// `None` when it was sealed for somebody else, under another key, or was changed.
    pub(crate) fn open(&self, tenant: TenantId, user: UserId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        sealing::open(&self.sealing, &sealing::whose(PURPOSE, tenant, user), sealed)
    }

    /// What is stored of a backup code.
    pub(crate) fn hash_code(&self, user: UserId, code: &str) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*self.hashing).expect("HMAC takes a key of any length");
        mac.update(user.uuid().as_bytes());
        mac.update(code.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    fn ids() -> (TenantId, UserId) {
        (
            "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            "00000000-0000-7000-8000-000000000002".parse().unwrap(),
        )
    }

    #[test]
    fn a_secret_opens_for_its_person_alone() {
        let key = FactorKey::from_bytes(&[7; 32]);
        let (tenant, user) = ids();
        let sealed = key.seal(&OsEntropy, tenant, user, b"secret").unwrap();
        assert_eq!(**key.open(tenant, user, &sealed).unwrap(), *b"secret");
        assert!(key.open(tenant, UserId::new(), &sealed).is_none());
        assert!(key.open(TenantId::new(), user, &sealed).is_none());
        assert!(FactorKey::from_bytes(&[8; 32]).open(tenant, user, &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(tenant, user, &changed).is_none(), "byte {at}");
        }
        assert!(key.open(tenant, user, &sealed[..10]).is_none());
    }

    /// What was written by the first version must be read by every later one.
    #[test]
    fn the_stored_form_stays_readable() {
        struct Counting;
        impl Entropy for Counting {
            fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
                buffer.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
                Ok(())
            }
        }
        let key = FactorKey::from_bytes(&[7; 32]);
        let (tenant, user) = ids();
        let sealed = key.seal(&Counting, tenant, user, b"12345678901234567890").unwrap();
        assert_eq!(
            protocol::b64::encode(&sealed),
            include_str!("../../tests/fixtures/authenticator.v1").trim()
        );
        assert_eq!(
            protocol::b64::encode(key.hash_code(user, "ABCDEFGHJK")),
            include_str!("../../tests/fixtures/backup-code.v1").trim()
        );
    }
}
