//! Binary messages on the connection to the relay: one frame each, numbers big endian. What is read borrows from the message.

use super::MailboxKey;
use crate::{EnvelopeId, Millis};

const SEND: u8 = 0x01;
const ACK: u8 = 0x02;
const ACCEPTED: u8 = 0x81;
const DELIVER: u8 = 0x82;
const RETURNED: u8 = 0x83;

/// Bytes of a delivery before what is sealed.
pub const DELIVER_HEADER: usize = 1 + 8 + 8 + 16;
/// Bytes of a sent envelope before what is sealed.
pub const SEND_HEADER: usize = 1 + 32 + 16;

/// Not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of the relay")]
pub struct NotAFrame;

/// A keeper's frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxFrame<'a> {
    /// Take this envelope: `0x01 || receiver (32) || id (16) || sealed`.
    Send {
        to: MailboxKey,
        id: EnvelopeId,
        sealed: &'a [u8],
    },
    /// These deliveries need not be kept any longer: `0x02 || numbers (u64 each)`.
    Ack(Vec<u64>),
}

/// The relay's frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayFrame<'a> {
    /// These envelopes are kept, durably: `0x81 || ids (16 each)`.
    Accepted(Vec<EnvelopeId>),
    /// An envelope: `0x82 || number (u64) || taken at (u64, ms) || id (16) || sealed`.
    Deliver {
        number: u64,
        at: Millis,
        id: EnvelopeId,
        sealed: &'a [u8],
    },
    /// An envelope of one's own that was never fetched, and is not kept any longer: `0x83 || number (u64) || id (16) || receiver (32)`.
    Returned {
        number: u64,
        id: EnvelopeId,
        to: MailboxKey,
    },
}

impl<'a> MailboxFrame<'a> {
    /// Reads a keeper's message.
    ///
    /// # Errors
    /// [`NotAFrame`].
    pub fn decode(message: &'a [u8]) -> Result<Self, NotAFrame> {
        let (&kind, rest) = message.split_first().ok_or(NotAFrame)?;
        match kind {
            SEND => {
                let (to, rest) = rest.split_first_chunk::<32>().ok_or(NotAFrame)?;
                let (id, sealed) = id(rest)?;
                let to = MailboxKey(*to);
                Ok(Self::Send { to, id, sealed })
            }
            ACK => {
                let (numbers, left) = rest.as_chunks::<8>();
                if numbers.is_empty() || !left.is_empty() {
                    return Err(NotAFrame);
                }
                Ok(Self::Ack(
                    numbers.iter().map(|number| u64::from_be_bytes(*number)).collect(),
                ))
            }
            _ => Err(NotAFrame),
        }
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Send { to, id, sealed } => [&[SEND][..], &to.0, id.uuid().as_bytes(), sealed].concat(),
            Self::Ack(numbers) => {
                let mut message = Vec::with_capacity(1 + numbers.len() * 8);
                message.push(ACK);
                message.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                message
            }
        }
    }
}

impl<'a> RelayFrame<'a> {
    /// Reads a message of the relay.
    ///
    /// # Errors
    /// [`NotAFrame`].
    pub fn decode(message: &'a [u8]) -> Result<Self, NotAFrame> {
        let (&kind, rest) = message.split_first().ok_or(NotAFrame)?;
        match kind {
            ACCEPTED => {
                let (ids, left) = rest.as_chunks::<16>();
                if ids.is_empty() || !left.is_empty() {
                    return Err(NotAFrame);
                }
                let ids = ids.iter().map(|id| uuid::Uuid::from_bytes(*id).into()).collect();
                Ok(Self::Accepted(ids))
            }
            DELIVER => {
                let (number, rest) = number(rest)?;
                let (at, rest) = rest.split_first_chunk::<8>().ok_or(NotAFrame)?;
                let (id, sealed) = id(rest)?;
                let at = Millis::from_be_bytes(*at);
                Ok(Self::Deliver { number, at, id, sealed })
            }
            RETURNED => {
                let (number, rest) = number(rest)?;
                let (id, rest) = id(rest)?;
                let to = MailboxKey(rest.try_into().map_err(|_| NotAFrame)?);
                Ok(Self::Returned { number, id, to })
            }
            _ => Err(NotAFrame),
        }
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Accepted(ids) => {
                let mut message = Vec::with_capacity(1 + ids.len() * 16);
                message.push(ACCEPTED);
                for id in ids {
                    message.extend_from_slice(id.uuid().as_bytes());
                }
                message
            }
            Self::Deliver { number, at, id, sealed } => {
                let mut message = Vec::with_capacity(DELIVER_HEADER + sealed.len());
                message.push(DELIVER);
                message.extend_from_slice(&number.to_be_bytes());
                message.extend_from_slice(&at.to_be_bytes());
                message.extend_from_slice(id.uuid().as_bytes());
                message.extend_from_slice(sealed);
                message
            }
            Self::Returned { number, id, to } => {
                [&[RETURNED][..], &number.to_be_bytes(), id.uuid().as_bytes(), &to.0].concat()
            }
        }
    }
}

fn id(bytes: &[u8]) -> Result<(EnvelopeId, &[u8]), NotAFrame> {
    let (id, rest) = bytes.split_first_chunk::<16>().ok_or(NotAFrame)?;
    Ok((uuid::Uuid::from_bytes(*id).into(), rest))
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), NotAFrame> {
    let (number, rest) = bytes.split_first_chunk::<8>().ok_or(NotAFrame)?;
    Ok((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        let (to, id) = (MailboxKey([7; 32]), EnvelopeId::new());
        let sent = MailboxFrame::Send {
            to,
            id,
            sealed: b"sealed",
        };
        for frame in [sent, MailboxFrame::Ack(vec![1, u64::MAX])] {
            assert_eq!(MailboxFrame::decode(&frame.encode()), Ok(frame));
        }
        let deliver = RelayFrame::Deliver {
            number: 3,
            at: 4,
            id,
            sealed: b"sealed",
        };
        let returned = RelayFrame::Returned { number: 5, id, to };
        for frame in [RelayFrame::Accepted(vec![id, EnvelopeId::new()]), deliver, returned] {
            assert_eq!(RelayFrame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn promise_11_what_is_cut_or_unknown_is_no_frame() {
        for kind in 0..=u8::MAX {
            for length in 0..80 {
                let message = [&[kind][..], &vec![0; length]].concat();
                if let Ok(frame) = MailboxFrame::decode(&message) {
                    assert_eq!(frame.encode(), message);
                }
                if let Ok(frame) = RelayFrame::decode(&message) {
                    assert_eq!(frame.encode(), message);
                }
            }
        }
        assert_eq!(MailboxFrame::decode(&[]), Err(NotAFrame));
        assert_eq!(MailboxFrame::decode(&[ACK, 0]), Err(NotAFrame));
        assert_eq!(RelayFrame::decode(&[DELIVER; 32]), Err(NotAFrame));
    }
}
