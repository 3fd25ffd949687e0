//! Revocations of one issuer, in epochs that are numbered from 1 without a gap, chained, and signed by the issuer. Whoever has
//! one of them knows whether another is missing or was changed, whoever carried it.

use sha2::{Digest as _, Sha512};

use super::MailboxKey;
use crate::limits::EPOCH_REVOCATIONS;
use crate::{CapabilityId, Millis};

/// What an issuer signs an epoch for.
pub const PURPOSE: &str = "relay/epoch";
const FORMAT: u8 = 1;
const HASH: &[u8] = b"holdfast/relay/epoch-hash/v1";
const HEADER: usize = 1 + 32 + 8 + 32 + 8 + 4;

/// The hash that the first epoch of an issuer follows.
pub const FIRST: [u8; 32] = [0; 32];

/// Why an epoch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    #[error("an epoch of format {0} is not known here")]
    UnknownVersion(u8),
    #[error("an epoch was cut, or has more than it should")]
    Length,
    #[error("an epoch has at most EPOCH_REVOCATIONS ({EPOCH_REVOCATIONS}) revocations")]
    TooMany,
    #[error("an epoch is not signed by its issuer")]
    NotSigned,
    #[error("epoch {found} came after epoch {last}: what is between them was kept back")]
    Gap { last: u64, found: u64 },
    #[error("epoch {0} does not follow the one before it: one of the two was exchanged")]
    Forked(u64),
    #[error("epoch {found} is of before epoch {last}")]
    Old { last: u64, found: u64 },
}

/// What an issuer revokes at one moment; with no capability in it, that nothing was revoked up to then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    pub issuer: MailboxKey,
    /// From 1, without a gap.
    pub number: u64,
    /// [`SignedEpoch::hash`] of the one before; [`FIRST`] before number 1.
    pub previous: [u8; 32],
    pub at: Millis,
    pub revoked: Vec<CapabilityId>,
}

/// How far somebody knows an issuer's epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochHead {
    pub number: u64,
    pub hash: [u8; 32],
}

impl Default for EpochHead {
    fn default() -> Self {
        Self { number: 0, hash: FIRST }
    }
}

impl Epoch {
    /// What is signed for [`PURPOSE`]: `0x01 || issuer (32) || number (u64) || previous (32) || at (u64) || count (u32) || count ×
    /// capability (16)`.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.revoked.len() * 16);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.issuer.0);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(self.revoked.len()).unwrap_or(u32::MAX).to_be_bytes());
        for capability in &self.revoked {
            bytes.extend_from_slice(capability.uuid().as_bytes());
        }
        bytes
    }
}

/// An epoch whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEpoch {
    epoch: Epoch,
    signature: [u8; 64],
}

impl SignedEpoch {
    /// Puts an epoch and its issuer's signature together.
    ///
    /// # Errors
    /// [`EpochError::NotSigned`], [`EpochError::TooMany`].
    pub fn new(epoch: Epoch, signature: [u8; 64]) -> Result<Self, EpochError> {
        if epoch.revoked.len() > EPOCH_REVOCATIONS {
            return Err(EpochError::TooMany);
        }
        if !epoch.issuer.signed(PURPOSE, &epoch.to_sign(), &signature) {
            return Err(EpochError::NotSigned);
        }
        Ok(Self { epoch, signature })
    }

    /// Reads [`Self::encode`] and checks the signature.
    ///
    /// # Errors
    /// [`EpochError`] says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, EpochError> {
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(EpochError::Length)?;
        Self::new(read(body)?, *signature)
    }

    /// What was signed, and the signature (64).
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.epoch.to_sign();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// What it says.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// What the next one names as its previous: the first 32 bytes of SHA-512(`"holdfast/relay/epoch-hash/v1"` `||` everything).
    pub fn hash(&self) -> [u8; 32] {
        let digest = Sha512::new().chain_update(HASH).chain_update(self.encode()).finalize();
        let mut hash = [0; 32];
        hash.copy_from_slice(&digest[..32]);
        hash
    }

    /// Takes the epoch as the next one after `head`.
    ///
    /// # Errors
    /// [`EpochError::Gap`], [`EpochError::Forked`], [`EpochError::Old`]; `head` stays as it was.
    pub fn follow(&self, head: &mut EpochHead) -> Result<(), EpochError> {
        let (last, found) = (head.number, self.epoch.number);
        if found <= last {
            return if found == last && found > 0 && self.hash() != head.hash {
                Err(EpochError::Forked(found))
            } else {
                Err(EpochError::Old { last, found })
            };
        }
        if found != last + 1 {
            return Err(EpochError::Gap { last, found });
        }
        if self.epoch.previous != head.hash {
            return Err(EpochError::Forked(found));
        }
        *head = EpochHead {
            number: found,
            hash: self.hash(),
        };
        Ok(())
    }
}

fn read(body: &[u8]) -> Result<Epoch, EpochError> {
    let cut = EpochError::Length;
    let (&version, rest) = body.split_first().ok_or(cut)?;
    if version != FORMAT {
        return Err(EpochError::UnknownVersion(version));
    }
    let (issuer, rest) = rest.split_first_chunk::<32>().ok_or(cut)?;
    let (number, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
    let (previous, rest) = rest.split_first_chunk::<32>().ok_or(cut)?;
    let (at, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
    let (revoked, left) = rest.as_chunks::<16>();
    if !left.is_empty() || revoked.len() != u32::from_be_bytes(*count) as usize {
        return Err(cut);
    }
    Ok(Epoch {
        issuer: MailboxKey(*issuer),
        number: u64::from_be_bytes(*number),
        previous: *previous,
        at: Millis::from_be_bytes(*at),
        revoked: revoked.iter().map(|id| uuid::Uuid::from_bytes(*id).into()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::relay::for_purpose;

    fn issuer() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn epoch(head: &EpochHead, revoked: &[CapabilityId]) -> SignedEpoch {
        let epoch = Epoch {
            issuer: MailboxKey(issuer().verifying_key().to_bytes()),
            number: head.number + 1,
            previous: head.hash,
            at: 5,
            revoked: revoked.to_vec(),
        };
        let signature = issuer().sign(&for_purpose(PURPOSE, &epoch.to_sign())).to_bytes();
        SignedEpoch::new(epoch, signature).unwrap()
    }

    #[test]
    fn epochs_follow_each_other_and_read_back() {
        let mut head = EpochHead::default();
        for count in 0..3 {
            let revoked: Vec<_> = (0..count).map(|_| CapabilityId::new()).collect();
            let next = epoch(&head, &revoked);
            assert_eq!(SignedEpoch::decode(&next.encode()), Ok(next.clone()));
            next.follow(&mut head).unwrap();
            assert_eq!(head.number, count + 1);
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Two epochs that follow each other, for whoever writes another keeper (`docs/protocol.md`, section 7.4).
    #[test]
    fn epochs_are_signed_to_the_known_bytes() {
        let mut head = EpochHead::default();
        let mut lines = Vec::new();
        for last in [0x31, 0x32] {
            let next = epoch(&head, &[uuid::Uuid::from_bytes([last; 16]).into()]);
            next.follow(&mut head).unwrap();
            lines.push(format!("{} {}\n", hex(&next.encode()), hex(&next.hash())));
        }
        assert_eq!(lines.concat(), include_str!("../../tests/vectors/epochs.txt"));
    }

    #[test]
    fn promise_09_a_gap_a_fork_and_an_old_epoch_are_told_apart() {
        let mut head = EpochHead::default();
        let first = epoch(&head, &[CapabilityId::new()]);
        first.follow(&mut head).unwrap();
        let second = epoch(&head, &[]);
        let mut far = head;
        second.follow(&mut far).unwrap();
        let third = epoch(&far, &[]);
        assert_eq!(third.follow(&mut head), Err(EpochError::Gap { last: 1, found: 3 }));
        let other = epoch(
            &EpochHead {
                number: 1,
                hash: [1; 32],
            },
            &[],
        );
        assert_eq!(other.follow(&mut head), Err(EpochError::Forked(2)));
        assert_eq!(first.follow(&mut head), Err(EpochError::Old { last: 1, found: 1 }));
        let again = epoch(&EpochHead::default(), &[]);
        assert_eq!(again.follow(&mut head), Err(EpochError::Forked(1)));
        second.follow(&mut head).unwrap();
    }

    #[test]
    fn promise_09_an_epoch_that_was_changed_or_cut_is_refused() {
        let whole = epoch(&EpochHead::default(), &[CapabilityId::new()]).encode();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(SignedEpoch::decode(&changed).is_err(), "byte {at}");
            assert!(SignedEpoch::decode(&whole[..at]).is_err(), "{at} bytes");
        }
    }
}
