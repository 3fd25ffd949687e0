//! Envelopes: what one vault sends to another through a relay that neither of them trusts.
//!
//! Inside what is sealed each envelope is numbered among those of its sender to its receiver, and names the one before it by a
//! hash: so the receiver finds what was left out, repeated, exchanged or put in another order on the way. Its content is padded
//! to one of a few sizes.

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use crate::identity::{AgreementKey, AgreementSecret, Identity, PublicIdentity};
use crate::keys::derive;
use crate::limits::ENVELOPE_CLASSES;
use crate::sealed_to::{SEALED_TO_OVERHEAD, SealedToError, open_sealed_to, seal_to_with_one_time_key};
use crate::secret::SecretBytes;

const VERSION: u8 = 1;
const PURPOSE: &str = "relay/envelope/v1";
const ONE_TIME: &[u8] = b"holdfast/relay/one-time/v1";
const LINK: &[u8] = b"holdfast/relay/link/v1";
const LARGEST: usize = ENVELOPE_CLASSES[ENVELOPE_CLASSES.len() - 1];
const HEADER: usize = 1 + 1 + 8 + 8 + 8 + 32 + 2 + 2 + 4;
/// By how many bytes a sealed envelope is longer than the class of its content.
pub const ENVELOPE_OVERHEAD: usize = SEALED_TO_OVERHEAD + HEADER;

/// Why an envelope is not made, or is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error(transparent)]
    Sealed(#[from] SealedToError),
    #[error("an envelope of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("the content of an envelope has at most {LARGEST} bytes, not {0}")]
    TooLarge(usize),
    #[error("an envelope is malformed inside")]
    Malformed,
}

/// Where an envelope stands among those of one sender to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the sender began to count, in milliseconds since the Unix epoch: a vault that was restored begins again, later.
    pub stream: u64,
    /// From 1, without a gap.
    pub sequence: u64,
    /// What comes before this number and has not arrived, the sender has given up: it knows that it is lost.
    pub base: u64,
    /// The link ([`envelope_link`]) of the one before; zeros before number 1.
    pub previous: [u8; 32],
    /// Which part of its message this is, from 0.
    pub part: u16,
    /// How many parts the message has, from 1.
    pub parts: u16,
}

/// An envelope that was opened.
pub struct OpenedEnvelope {
    pub sender: PublicIdentity,
    /// Which part of the receiver it is for.
    pub topic: u8,
    pub place: Place,
    pub content: Zeroizing<Vec<u8>>,
}

/// Seals one envelope. `id` is bound to it. `seed` is 32 random bytes of this envelope alone: sealed again with everything the same it
/// is the same bytes, so that it can be sent again; with anything changed it is sealed under another key.
///
/// # Errors
/// [`EnvelopeError::TooLarge`]; a key that nothing can be sealed to.
pub fn seal_envelope(
    sender: &Identity,
    receiver: &AgreementKey,
    id: &[u8; 16],
    topic: u8,
    place: &Place,
    content: &[u8],
    seed: &[u8; 32],
) -> Result<Vec<u8>, EnvelopeError> {
    let too_large = EnvelopeError::TooLarge(content.len());
    let class = ENVELOPE_CLASSES.into_iter().find(|class| content.len() <= *class);
    let class = class.ok_or(too_large)?;
    let mut message = Zeroizing::new(Vec::with_capacity(HEADER + class));
    message.extend_from_slice(&[VERSION, topic]);
    message.extend_from_slice(&place.stream.to_be_bytes());
    message.extend_from_slice(&place.sequence.to_be_bytes());
    message.extend_from_slice(&place.base.to_be_bytes());
    message.extend_from_slice(&place.previous);
    message.extend_from_slice(&place.part.to_be_bytes());
    message.extend_from_slice(&place.parts.to_be_bytes());
    message.extend_from_slice(&u32::try_from(content.len()).map_err(|_| too_large)?.to_be_bytes());
    message.extend_from_slice(content);
    message.resize(HEADER + class, 0);
    let digest = Sha512::new()
        .chain_update(receiver.0)
        .chain_update(id)
        .chain_update(message.as_slice())
        .finalize();
    let one_time: SecretBytes<32> = derive(seed, &digest, &[ONE_TIME]);
    Ok(seal_to_with_one_time_key(
        one_time.expose(),
        sender,
        receiver,
        PURPOSE,
        id,
        &message,
    )?)
}

/// Opens an envelope that was sealed to `receiver` under this id.
///
/// # Errors
/// [`EnvelopeError`] says what is wrong with it.
pub fn open_envelope(
    receiver: &AgreementSecret,
    id: &[u8; 16],
    sealed: &[u8],
) -> Result<OpenedEnvelope, EnvelopeError> {
    let opened = open_sealed_to(receiver, PURPOSE, id, sealed)?;
    let malformed = EnvelopeError::Malformed;
    let (header, padded) = opened.message.split_first_chunk::<HEADER>().ok_or(malformed)?;
    if header[0] != VERSION {
        return Err(EnvelopeError::UnknownVersion(header[0]));
    }
    let mut fields = Fields(&header[2..]);
    let place = Place {
        stream: u64::from_be_bytes(fields.take()?),
        sequence: u64::from_be_bytes(fields.take()?),
        base: u64::from_be_bytes(fields.take()?),
        previous: fields.take()?,
        part: u16::from_be_bytes(fields.take()?),
        parts: u16::from_be_bytes(fields.take()?),
    };
    let length = u32::from_be_bytes(fields.take()?) as usize;
    let content = padded.get(..length).ok_or(malformed)?;
    if place.sequence == 0 || place.part >= place.parts || !ENVELOPE_CLASSES.contains(&padded.len()) {
        return Err(malformed);
    }
    Ok(OpenedEnvelope {
        sender: opened.sender,
        topic: header[1],
        place,
        content: Zeroizing::new(content.to_vec()),
    })
}

/// What the next envelope names as the one before it: the first 32 bytes of SHA-512(label `||` the link before `||` sealed bytes).
pub fn envelope_link(previous: &[u8; 32], sealed: &[u8]) -> [u8; 32] {
    let digest = Sha512::new()
        .chain_update(LINK)
        .chain_update(previous)
        .chain_update(sealed)
        .finalize();
    let mut link = [0; 32];
    link.copy_from_slice(&digest[..32]);
    link
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(EnvelopeError::Malformed)?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::sealed_to::seal_to;

    fn place(sequence: u64) -> Place {
        Place {
            stream: 1,
            sequence,
            base: 1,
            previous: [3; 32],
            part: 0,
            parts: 1,
        }
    }

    #[test]
    fn an_envelope_opens_as_it_was_sealed_and_tells_its_class_alone() {
        let (ada, bob) = (Identity::random(), Identity::random());
        for (length, class) in [(0, 256), (256, 256), (257, 1024), (1024, 1024), (65536, 65536)] {
            let content = vec![9; length];
            let sealed = seal_envelope(
                &ada,
                bob.public().agreement(),
                &[5; 16],
                2,
                &place(4),
                &content,
                &[1; 32],
            )
            .unwrap();
            assert_eq!(sealed.len(), class + ENVELOPE_OVERHEAD);
            let opened = open_envelope(bob.agreement(), &[5; 16], &sealed).unwrap();
            assert_eq!((opened.topic, opened.place), (2, place(4)));
            assert_eq!(opened.content.as_slice(), content);
            assert_eq!(opened.sender, ada.public());
        }
        assert_eq!(
            seal_envelope(
                &ada,
                bob.public().agreement(),
                &[5; 16],
                2,
                &place(4),
                &vec![0; 65537],
                &[1; 32]
            ),
            Err(EnvelopeError::TooLarge(65537))
        );
    }

    #[test]
    fn promise_02_an_envelope_under_another_id_does_not_open() {
        let (ada, bob) = (Identity::random(), Identity::random());
        let sealed = seal_envelope(&ada, bob.public().agreement(), &[5; 16], 2, &place(4), b"hi", &[1; 32]).unwrap();
        assert!(open_envelope(bob.agreement(), &[6; 16], &sealed).is_err());
    }

    #[test]
    fn sealed_again_it_is_the_same_and_with_anything_changed_its_one_time_key_is_another() {
        let (ada, bob) = (Identity::random(), Identity::random());
        let seal = |place: &Place, content: &[u8]| {
            seal_envelope(&ada, bob.public().agreement(), &[5; 16], 2, place, content, &[1; 32]).unwrap()
        };
        let first = seal(&place(4), b"hi");
        assert_eq!(seal(&place(4), b"hi"), first);
        assert_ne!(seal(&place(5), b"hi")[1..33], first[1..33]);
        assert_ne!(seal(&place(4), b"ho")[1..33], first[1..33]);
    }

    #[test]
    fn a_link_depends_on_all_that_came_before() {
        let first = envelope_link(&[0; 32], b"one");
        assert_ne!(envelope_link(&first, b"two"), envelope_link(&[0; 32], b"two"));
        assert_ne!(first, envelope_link(&[0; 32], b"oNe"));
    }

    proptest! {
        #[test]
        fn promise_11_whatever_a_sender_puts_inside_is_refused_without_a_panic(message in vec(any::<u8>(), 0..400)) {
            let (ada, bob) = (Identity::random(), Identity::random());
            let sealed = seal_to(&ada, bob.public().agreement(), PURPOSE, &[5; 16], &message).unwrap();
            prop_assert!(open_envelope(bob.agreement(), &[5; 16], &sealed).is_err());
        }
    }
}
