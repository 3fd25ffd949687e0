//! Sealing a few bytes for the database under a key of the installation: `0x01 || nonce (24) || XChaCha20-Poly1305`.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use protocol::TenantId;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// A key for one purpose, from the 32 random bytes of a key file.
pub(crate) fn derive(bytes: &[u8; 32], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, bytes)
        .expand(purpose, &mut *key)
        .expect("32 bytes are a length that HKDF-SHA256 gives");
    key
}

/// What says of something sealed that it is this one, of this tenant.
pub(crate) fn whose(purpose: &[u8], tenant: TenantId, id: impl Into<Uuid>) -> Vec<u8> {
    [purpose, tenant.uuid().as_bytes(), id.into().as_bytes()].concat()
}

/// Seals; `aad` says whose and what it is.
pub(crate) fn seal(key: &[u8; 32], entropy: &dyn Entropy, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, NoEntropy> {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce)?;
    let payload = Payload { msg: secret, aad };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .expect("a few bytes are not too long for the cipher");
    Ok([&[VERSION][..], &nonce, &sealed].concat())
}

/// `None` when it was sealed for something else, under another key, or was changed.
pub(crate) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let rest = sealed.strip_prefix(&[VERSION])?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE)?;
    let payload = Payload { msg: ciphertext, aad };
    XChaCha20Poly1305::new(key.into())
        .decrypt(XNonce::from_slice(nonce), payload)
        .ok()
        .map(Zeroizing::new)
}
