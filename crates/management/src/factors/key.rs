//! The key under which authenticators' secrets are sealed and backup codes are hashed: a copy of the database alone opens
//! neither.

use std::path::Path;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use protocol::{TenantId, UserId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};
use crate::key_file::{self, KeyFileError};

const VERSION: u8 = 1;
const NONCE: usize = 24;

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
        let derive = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            Hkdf::<Sha256>::new(None, bytes)
                .expand(info, &mut *key)
                .expect("32 bytes are a length that HKDF-SHA256 gives");
            key
        };
        Self {
            sealing: derive(b"holdfast/authenticator/v1"),
            hashing: derive(b"holdfast/backup-code/v1"),
        }
    }

    /// `0x01 || nonce (24) || XChaCha20-Poly1305`, bound to whose it is.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        user: UserId,
        secret: &[u8],
    ) -> Result<Vec<u8>, NoEntropy> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        let aad = aad(tenant, user);
        let payload = Payload { msg: secret, aad: &aad };
        let sealed = XChaCha20Poly1305::new((&*self.sealing).into())
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("a few bytes are not too long for the cipher");
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// `None` when it was sealed for somebody else, under another key, or was changed.
    pub(crate) fn open(&self, tenant: TenantId, user: UserId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE)?;
        let aad = aad(tenant, user);
        let payload = Payload {
            msg: ciphertext,
            aad: &aad,
        };
        XChaCha20Poly1305::new((&*self.sealing).into())
            .decrypt(XNonce::from_slice(nonce), payload)
            .ok()
            .map(Zeroizing::new)
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

fn aad(tenant: TenantId, user: UserId) -> Vec<u8> {
    [
        &b"holdfast/authenticator/v1"[..],
        tenant.uuid().as_bytes(),
        user.uuid().as_bytes(),
    ]
    .concat()
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
