//! Frames of a channel (`docs/protocol.md`, section 1.3): `0x01 || counter || ciphertext`, one key a direction, counters from 0
//! that rise by one. A frame that is replayed, reordered, dropped, cut or changed is refused, and so is everything after it.

use zeroize::{Zeroize as _, Zeroizing};

use crate::cipher::{Cipher, NONCE, TAG};
use crate::limits::FRAME_BYTES;
use crate::secret::SecretBytes;

const VERSION: u8 = 1;
const AAD: &[u8] = b"holdfast/frame/v1";
const HEADER: usize = 9;
/// Kind of a frame whose body is JSON.
const JSON: u8 = 0;

/// Why a frame is refused. Each ends the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame was cut: {0} bytes are too few")]
    Truncated(usize),
    #[error("a frame of {0} bytes is larger than FRAME_BYTES ({FRAME_BYTES})")]
    TooLarge(usize),
    #[error("frames of version {0} are not known here")]
    UnknownVersion(u8),
    #[error("frame {found} came where {expected} was due: it was replayed, reordered or dropped")]
    OutOfOrder { expected: u64, found: u64 },
    #[error("a frame does not open: it was changed, or sealed with another key")]
    Tampered,
    #[error("a frame of kind {0} is not known here")]
    UnknownKind(u8),
    #[error("the channel was ended by an earlier frame that was refused")]
    Ended,
}

fn nonce(counter: u64) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[16..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// Seals the frames of one direction.
pub struct FrameSealer {
    cipher: Cipher,
    next: Option<u64>,
}

impl FrameSealer {
    /// Starts at counter 0.
    pub fn new(key: &SecretBytes<32>) -> Self {
        Self {
            cipher: Cipher::new(key.expose()),
            next: Some(0),
        }
    }

    /// Seals one JSON body.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`]; nothing is counted then, and the next body may be sealed.
    pub fn seal(&mut self, json: &[u8]) -> Result<Vec<u8>, FrameError> {
        let length = HEADER + 1 + json.len() + TAG;
        if length > FRAME_BYTES {
            return Err(FrameError::TooLarge(length));
        }
        let counter = self.next.ok_or(FrameError::Ended)?;
        let mut frame = Vec::with_capacity(length);
        frame.push(VERSION);
        frame.extend_from_slice(&counter.to_be_bytes());
        frame.push(JSON);
        frame.extend_from_slice(json);
        let Some(tag) = self.cipher.seal(&nonce(counter), AAD, &mut frame[HEADER..]) else {
            frame.zeroize();
            return Err(FrameError::TooLarge(length));
        };
        frame.extend_from_slice(&tag);
        self.next = counter.checked_add(1);
        Ok(frame)
    }
}

/// Opens the frames of one direction, strictly in order.
pub struct FrameOpener {
    cipher: Cipher,
    next: Option<u64>,
}

impl FrameOpener {
    /// Expects counter 0 first.
    pub fn new(key: &SecretBytes<32>) -> Self {
        Self {
            cipher: Cipher::new(key.expose()),
            next: Some(0),
        }
    }

    /// Opens the next frame and gives its JSON body.
    ///
    /// # Errors
    /// [`FrameError`]; after any error every further frame is refused with [`FrameError::Ended`].
    pub fn open(&mut self, frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, FrameError> {
        let expected = self.next.take().ok_or(FrameError::Ended)?;
        let body = self.open_at(frame, expected)?;
        self.next = expected.checked_add(1);
        Ok(body)
    }

    fn open_at(&self, frame: &[u8], expected: u64) -> Result<Zeroizing<Vec<u8>>, FrameError> {
        if frame.len() > FRAME_BYTES {
            return Err(FrameError::TooLarge(frame.len()));
        }
        let truncated = FrameError::Truncated(frame.len());
        let (&version, rest) = frame.split_first().ok_or(truncated)?;
        if version != VERSION {
            return Err(FrameError::UnknownVersion(version));
        }
        let (counter, sealed) = rest.split_first_chunk::<8>().ok_or(truncated)?;
        let found = u64::from_be_bytes(*counter);
        if found != expected {
            return Err(FrameError::OutOfOrder { expected, found });
        }
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG>().ok_or(truncated)?;
        let mut body = Zeroizing::new(ciphertext.to_vec());
        if !self.cipher.open(&nonce(expected), AAD, &mut body, tag) {
            return Err(FrameError::Tampered);
        }
        match body.first() {
            Some(&JSON) => {
                body.remove(0);
                Ok(body)
            }
            Some(&kind) => Err(FrameError::UnknownKind(kind)),
            None => Err(truncated),
        }
    }
}
