//! Sealing to somebody's key, by somebody who can be told from anybody else.
//!
//! Format: `0x01 || one-time X25519 key (32) || ciphertext || tag (16)`, XChaCha20-Poly1305 under `HKDF-SHA512(ikm = X25519(one-time,
//! receiver's), salt = one-time key || receiver's key, info = "holdfast/sealed-to/v1/" + purpose)` with a nonce of zeros: a key
//! seals one message. Inside: the sender's bundle, the sender's signature over all of it, and the message. So a receiver knows
//! who sent it, nobody else learns that, and it cannot be taken out and sealed again to another receiver, or for another purpose.

use zeroize::Zeroizing;

use crate::cipher::{Cipher, NONCE, TAG};
use crate::identity::{AgreementKey, AgreementSecret, BUNDLE_BYTES, Identity, PublicIdentity};
use crate::keys::derive;
use crate::limits::SEALED_TO_BYTES;
use crate::secret::SecretBytes;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"holdfast/sealed-to/v1";
const SIGNED: &[u8] = b"holdfast/sealed-to/signature/v1";
const SIGNATURE: usize = 64;
/// A key seals one message.
const ONCE: [u8; NONCE] = [0; NONCE];
/// By how many bytes a sealed message is longer than its content.
pub const SEALED_TO_OVERHEAD: usize = 1 + 32 + BUNDLE_BYTES + SIGNATURE + TAG;

/// Why a message is not sealed, or a sealed one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedToError {
    #[error("a sealed message of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("a sealed message was cut")]
    Truncated,
    #[error("a message of {0} bytes is larger than SEALED_TO_BYTES ({SEALED_TO_BYTES})")]
    TooLarge(usize),
    #[error("the receiver's key is no key that anything can be sealed to")]
    BadKey,
    #[error("a sealed message does not open: it was changed, or is for somebody else or another purpose")]
    NotForThisKey,
    #[error("a sealed message opens, but is not signed by whom it names as its sender")]
    NotSigned,
}

/// What was sealed, and by whom. Compare the sender with whom it should be before the message is believed.
pub struct OpenedMessage {
    pub sender: PublicIdentity,
    pub message: Zeroizing<Vec<u8>>,
}

/// Seals `message` to `receiver`. `purpose` says what for; `context` is bound to it and must be known to the receiver.
///
/// # Errors
/// [`SealedToError::TooLarge`], [`SealedToError::BadKey`].
pub fn seal_to(
    sender: &Identity,
    receiver: &AgreementKey,
    purpose: &str,
    context: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SealedToError> {
    seal_with(&AgreementSecret::random(), sender, receiver, purpose, context, message)
}

/// As [`seal_to`], with a given one-time key: for known answers. A one-time key that is used twice gives both messages away.
#[doc(hidden)]
pub fn seal_to_with_one_time_key(
    one_time: &[u8; 32],
    sender: &Identity,
    receiver: &AgreementKey,
    purpose: &str,
    context: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SealedToError> {
    let one_time = AgreementSecret::from_bytes(one_time);
    seal_with(&one_time, sender, receiver, purpose, context, message)
}

fn seal_with(
    one_time: &AgreementSecret,
    sender: &Identity,
    receiver: &AgreementKey,
    purpose: &str,
    context: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SealedToError> {
    if message.len() > SEALED_TO_BYTES {
        return Err(SealedToError::TooLarge(message.len()));
    }
    let public = one_time.public();
    let shared = one_time.agree(receiver).ok_or(SealedToError::BadKey)?;
    let signature = sender.sign(&signed(&public, receiver, purpose, context, message));
    let mut text = Zeroizing::new(Vec::with_capacity(BUNDLE_BYTES + SIGNATURE + message.len()));
    text.extend_from_slice(&sender.public().encode());
    text.extend_from_slice(&signature);
    text.extend_from_slice(message);
    let tag = cipher(&shared, &public, receiver, purpose)
        .seal(&ONCE, &associated_data(purpose, context), &mut text)
        .ok_or(SealedToError::TooLarge(message.len()))?;
    Ok([[VERSION].as_slice(), &public.0, &text, &tag].concat())
}

/// Opens what was sealed to `receiver` for this purpose and context.
///
/// # Errors
/// [`SealedToError`] says what is wrong with it.
pub fn open_sealed_to(
    receiver: &AgreementSecret,
    purpose: &str,
    context: &[u8],
    sealed: &[u8],
) -> Result<OpenedMessage, SealedToError> {
    let (&version, rest) = sealed.split_first().ok_or(SealedToError::Truncated)?;
    if version != VERSION {
        return Err(SealedToError::UnknownVersion(version));
    }
    let (one_time, sealed) = rest.split_first_chunk::<32>().ok_or(SealedToError::Truncated)?;
    if rest.len() > SEALED_TO_BYTES + SEALED_TO_OVERHEAD {
        return Err(SealedToError::TooLarge(rest.len()));
    }
    let one_time = AgreementKey(*one_time);
    let shared = receiver.agree(&one_time).ok_or(SealedToError::BadKey)?;
    let to = receiver.public();
    let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(SealedToError::Truncated)?;
    let mut text = Zeroizing::new(text.to_vec());
    if !cipher(&shared, &one_time, &to, purpose).open(&ONCE, &associated_data(purpose, context), &mut text, tag) {
        return Err(SealedToError::NotForThisKey);
    }
    let (bundle, rest) = text
        .split_first_chunk::<BUNDLE_BYTES>()
        .ok_or(SealedToError::Truncated)?;
    let (signature, message) = rest.split_first_chunk::<SIGNATURE>().ok_or(SealedToError::Truncated)?;
    let sender = PublicIdentity::decode(bundle).map_err(|_| SealedToError::NotSigned)?;
    if !sender.verifies(&signed(&one_time, &to, purpose, context, message), signature) {
        return Err(SealedToError::NotSigned);
    }
    Ok(OpenedMessage {
        sender,
        message: Zeroizing::new(message.to_vec()),
    })
}

fn cipher(shared: &SecretBytes<32>, one_time: &AgreementKey, receiver: &AgreementKey, purpose: &str) -> Cipher {
    let salt = [one_time.0, receiver.0].concat();
    let key: SecretBytes<32> = derive(shared.expose(), &salt, &[LABEL, b"/", purpose.as_bytes()]);
    Cipher::new(key.expose())
}

/// `label || len(purpose) || purpose || len(context) || context`; lengths are u64, big endian.
fn associated_data(purpose: &str, context: &[u8]) -> Vec<u8> {
    with_lengths(LABEL, &[purpose.as_bytes(), context])
}

fn signed(
    one_time: &AgreementKey,
    receiver: &AgreementKey,
    purpose: &str,
    context: &[u8],
    message: &[u8],
) -> Zeroizing<Vec<u8>> {
    let parts = [&one_time.0, &receiver.0, purpose.as_bytes(), context, message];
    Zeroizing::new(with_lengths(SIGNED, &parts))
}

fn with_lengths(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let length = label.len() + parts.iter().map(|part| 8 + part.len()).sum::<usize>();
    let mut data = Vec::with_capacity(length);
    data.extend_from_slice(label);
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn refused(opened: Result<OpenedMessage, SealedToError>) -> SealedToError {
        opened.err().unwrap()
    }

    #[test]
    fn a_sealed_message_opens_for_its_receiver_and_names_its_sender() {
        let (ada, bob) = (Identity::random(), Identity::random());
        let sealed = seal_to(&ada, bob.public().agreement(), "test", b"42", b"hello").unwrap();
        assert_eq!(sealed.len(), 5 + SEALED_TO_OVERHEAD);
        let opened = open_sealed_to(bob.agreement(), "test", b"42", &sealed).unwrap();
        assert_eq!(opened.message.as_slice(), b"hello");
        assert_eq!(opened.sender, ada.public());
    }

    #[test]
    fn promise_02_another_receiver_purpose_or_context_does_not_open_it() {
        let (ada, bob) = (Identity::random(), Identity::random());
        let sealed = seal_to(&ada, bob.public().agreement(), "test", b"42", b"hello").unwrap();
        let other = Identity::random();
        assert_eq!(
            refused(open_sealed_to(other.agreement(), "test", b"42", &sealed)),
            SealedToError::NotForThisKey
        );
        assert_eq!(
            refused(open_sealed_to(bob.agreement(), "tess", b"42", &sealed)),
            SealedToError::NotForThisKey
        );
        assert_eq!(
            refused(open_sealed_to(bob.agreement(), "test", b"43", &sealed)),
            SealedToError::NotForThisKey
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(
                open_sealed_to(bob.agreement(), "test", b"42", &changed).is_err(),
                "byte {at}"
            );
        }
        for length in 0..sealed.len() {
            assert!(open_sealed_to(bob.agreement(), "test", b"42", &sealed[..length]).is_err());
        }
    }

    /// What a receiver gets it can open, and seal again in clear view of the sender's name; the signature is for one receiver.
    #[test]
    fn promise_02_a_receiver_cannot_pass_a_message_on_as_if_the_sender_had_sealed_it() {
        let (ada, bob, carol) = (Identity::random(), Identity::random(), Identity::random());
        let sealed = seal_to(&ada, bob.public().agreement(), "test", b"", b"I owe you").unwrap();
        let opened = open_sealed_to(bob.agreement(), "test", b"", &sealed).unwrap();
        let one_time = AgreementSecret::random();
        let (public, to) = (one_time.public(), *carol.public().agreement());
        let shared = one_time.agree(&to).unwrap();
        let first = AgreementKey(sealed[1..33].try_into().unwrap());
        let (stolen, tag) = sealed[33..].split_last_chunk::<TAG>().unwrap();
        let mut stolen = stolen.to_vec();
        let associated = associated_data("test", b"");
        let opening = bob.agreement().agree(&first).unwrap();
        let opening = cipher(&opening, &first, bob.public().agreement(), "test");
        assert!(opening.open(&ONCE, &associated, &mut stolen, tag));
        let sealing = cipher(&shared, &public, &to, "test");
        let tag = sealing.seal(&ONCE, &associated, &mut stolen).unwrap();
        let forged = [[VERSION].as_slice(), &public.0, &stolen, &tag].concat();
        assert_eq!(
            refused(open_sealed_to(carol.agreement(), "test", b"", &forged)),
            SealedToError::NotSigned
        );
        assert_eq!(opened.sender, ada.public());
    }

    #[test]
    fn nothing_is_sealed_to_a_key_of_small_order_or_beyond_the_limit() {
        let ada = Identity::random();
        assert_eq!(
            seal_to(&ada, &AgreementKey([0; 32]), "t", b"", b""),
            Err(SealedToError::BadKey)
        );
        let large = vec![0; SEALED_TO_BYTES + 1];
        assert_eq!(
            seal_to(&ada, ada.public().agreement(), "t", b"", &large),
            Err(SealedToError::TooLarge(large.len()))
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_from_outside_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
            let bob = Identity::decode(&[&[1][..], &[7; 64]].concat()).unwrap();
            prop_assert!(open_sealed_to(bob.agreement(), "test", b"", &bytes).is_err());
        }
    }
}
