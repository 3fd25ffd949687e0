//! Social recovery: a random secret split among contacts (Shamir, GF(256)), and the request to have it put together again.
//!
//! Fewer shares than the threshold say nothing about the secret: each of its values fits them equally well. Each share carries the
//! terms (whose vault, which slot, which version, how long to wait) and a commitment to every share, so a share that does not
//! belong to the others is told from them, by whoever joins them, without knowing a key.

use blahaj::{Share, Sharks};
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha512};
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use crate::identity::{AgreementKey, digit_groups};
use crate::limits::RECOVERY_CONTACTS;
use crate::secret::SecretBytes;

const VERSION: u8 = 1;
const COMMITMENT: &[u8] = b"holdfast/recovery/share/v1";
const REQUEST: &[u8] = b"holdfast/recovery/request/v1";
/// The purpose under which a contact seals a share to the key of a request; the context is the request.
pub const RELEASE_PURPOSE: &str = "recovery/release";
/// Groups of five digits in the code of a request: 5 × 16.6 = 83 bits.
const CODE_GROUPS: usize = 5;
const REQUEST_BYTES: usize = 1 + 16 + 16 + 32 + 8;

/// Why shares are not made, read or joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    #[error("{threshold} of {count} is not possible: 2 of 2 up to RECOVERY_CONTACTS ({RECOVERY_CONTACTS}) contacts")]
    Numbers { threshold: u8, count: u8 },
    #[error("a share of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("the share is malformed")]
    Malformed,
    #[error("the share is not the one that was given to this contact: it was changed")]
    Commitment,
    #[error("{have} shares that belong together are too few")]
    TooFew { have: usize },
    #[error("the request is malformed")]
    Request,
}

/// What a split was made for. A share fits no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryTerms {
    /// Whose vault.
    pub cell: Uuid,
    /// The slot that the secret opens.
    pub slot: Uuid,
    /// Rises with each split of one vault.
    pub version: u64,
    /// How long a contact's keeper waits before it releases the share, in milliseconds.
    pub wait_ms: u64,
    /// How many shares open the slot.
    pub threshold: u8,
}

/// One contact's share.
#[derive(Clone)]
pub struct RecoveryShare {
    pub terms: RecoveryTerms,
    /// Which of the shares it is, from 1.
    pub index: u8,
    /// One for each share, in order.
    commitments: Vec<[u8; 32]>,
    value: SecretBytes<32>,
}

/// Splits a secret among `count` contacts; the n-th share is for the n-th contact.
///
/// # Errors
/// [`RecoveryError::Numbers`].
pub fn split_secret(
    secret: &SecretBytes<32>,
    terms: &RecoveryTerms,
    count: u8,
) -> Result<Vec<RecoveryShare>, RecoveryError> {
    check_numbers(terms.threshold, count)?;
    let dealt: Vec<Share> = Sharks(terms.threshold)
        .dealer_rng(secret.expose(), &mut OsRng)
        .take(usize::from(count))
        .collect();
    let mut values = Vec::with_capacity(dealt.len());
    for mut share in dealt {
        let bytes = Zeroizing::new(Vec::from(&share));
        share.zeroize();
        let [index, value @ ..] = bytes.as_slice() else {
            return Err(RecoveryError::Malformed);
        };
        let value = SecretBytes::<32>::copy_from(value).map_err(|_| RecoveryError::Malformed)?;
        values.push((*index, value));
    }
    let commitments: Vec<[u8; 32]> = values
        .iter()
        .map(|(index, value)| commitment(terms, count, *index, value))
        .collect();
    let share = |(index, value)| RecoveryShare {
        terms: terms.clone(),
        index,
        commitments: commitments.clone(),
        value,
    };
    Ok(values.into_iter().map(share).collect())
}

fn check_numbers(threshold: u8, count: u8) -> Result<(), RecoveryError> {
    let possible = threshold >= 2 && threshold <= count && usize::from(count) <= RECOVERY_CONTACTS;
    possible
        .then_some(())
        .ok_or(RecoveryError::Numbers { threshold, count })
}

impl RecoveryTerms {
    fn encode(&self, count: u8) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.cell.as_bytes());
        bytes.extend_from_slice(self.slot.as_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.wait_ms.to_be_bytes());
        bytes.extend_from_slice(&[self.threshold, count]);
        bytes
    }
}

fn commitment(terms: &RecoveryTerms, count: u8, index: u8, value: &SecretBytes<32>) -> [u8; 32] {
    let mut digest = Sha512::new();
    digest.update(COMMITMENT);
    digest.update(terms.encode(count));
    digest.update([index]);
    digest.update(value.expose());
    let mut commitment = [0; 32];
    commitment.copy_from_slice(&digest.finalize()[..32]);
    commitment
}

impl RecoveryShare {
    /// How many shares there are.
    pub fn count(&self) -> u8 {
        u8::try_from(self.commitments.len()).unwrap_or(u8::MAX)
    }

    /// `0x01 || cell (16) || slot (16) || version (u64) || wait (u64, ms) || threshold || count || count × commitment (32) || index ||
    /// value (32)`.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let terms = self.terms.encode(self.count());
        let mut bytes = Zeroizing::new(Vec::with_capacity(terms.len() + self.commitments.len() * 32 + 33));
        bytes.extend_from_slice(&terms);
        for commitment in &self.commitments {
            bytes.extend_from_slice(commitment);
        }
        bytes.push(self.index);
        bytes.extend_from_slice(self.value.expose());
        bytes
    }

    /// Reads a share and checks it against its commitment.
    ///
    /// # Errors
    /// [`RecoveryError`] says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecoveryError> {
        let malformed = RecoveryError::Malformed;
        let (&version, rest) = bytes.split_first().ok_or(malformed.clone())?;
        if version != VERSION {
            return Err(RecoveryError::UnknownVersion(version));
        }
        let (cell, rest) = rest.split_first_chunk::<16>().ok_or(malformed.clone())?;
        let (slot, rest) = rest.split_first_chunk::<16>().ok_or(malformed.clone())?;
        let (version, rest) = rest.split_first_chunk::<8>().ok_or(malformed.clone())?;
        let (wait, rest) = rest.split_first_chunk::<8>().ok_or(malformed.clone())?;
        let ([threshold, count], rest) = rest.split_first_chunk::<2>().ok_or(malformed.clone())?;
        check_numbers(*threshold, *count)?;
        let (list, rest) = rest
            .split_at_checked(usize::from(*count) * 32)
            .ok_or(malformed.clone())?;
        let (&index, value) = rest.split_first().ok_or(malformed.clone())?;
        let share = Self {
            terms: RecoveryTerms {
                cell: Uuid::from_bytes(*cell),
                slot: Uuid::from_bytes(*slot),
                version: u64::from_be_bytes(*version),
                wait_ms: u64::from_be_bytes(*wait),
                threshold: *threshold,
            },
            index,
            commitments: list.as_chunks::<32>().0.to_vec(),
            value: SecretBytes::copy_from(value).map_err(|_| malformed.clone())?,
        };
        if index == 0 || index > *count {
            return Err(malformed);
        }
        let committed = share.commitments.get(usize::from(index) - 1);
        if committed != Some(&commitment(&share.terms, *count, index, &share.value)) {
            return Err(RecoveryError::Commitment);
        }
        Ok(share)
    }

    fn belongs_with(&self, other: &Self) -> bool {
        self.terms == other.terms && self.commitments == other.commitments
    }
}

/// A secret that was put together, and which of the given shares were no part of it.
pub struct JoinedSecret {
    pub secret: SecretBytes<32>,
    /// Places in the given list.
    pub wrong: Vec<usize>,
}

/// Puts shares together. Of shares that do not belong together, those count of which there are most: as many as the threshold
/// cannot be made up by fewer contacts than could open the slot anyway.
///
/// # Errors
/// [`RecoveryError::TooFew`].
pub fn join_shares(shares: &[RecoveryShare]) -> Result<JoinedSecret, RecoveryError> {
    // Of one contact, one share.
    let with = |one: &RecoveryShare| -> Vec<usize> {
        let mut seen = [false; 256];
        (0..shares.len())
            .filter(|at| one.belongs_with(&shares[*at]))
            .filter(|at| !std::mem::replace(&mut seen[usize::from(shares[*at].index)], true))
            .collect()
    };
    let best = shares.iter().map(with).max_by_key(Vec::len).unwrap_or_default();
    let too_few = RecoveryError::TooFew { have: best.len() };
    let first = best.first().map(|at| &shares[*at]).ok_or(too_few.clone())?;
    let mut values: Vec<Share> = Vec::new();
    for at in &best {
        let share = &shares[*at];
        let bytes = Zeroizing::new([&[share.index], share.value.expose().as_slice()].concat());
        values.push(Share::try_from(bytes.as_slice()).map_err(|_| RecoveryError::Malformed)?);
    }
    let sharks = Sharks(first.terms.threshold);
    let joined = sharks.recover(&values).map(Zeroizing::new);
    for value in &mut values {
        value.zeroize();
    }
    let joined = joined.map_err(|_| too_few.clone())?;
    let secret = SecretBytes::copy_from(&joined).map_err(|_| too_few)?;
    Ok(JoinedSecret {
        secret,
        wrong: (0..shares.len())
            .filter(|at| !first.belongs_with(&shares[*at]))
            .collect(),
    })
}

/// What somebody who is locked out asks contacts for: a share of this slot, sealed to this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRequest {
    pub cell: Uuid,
    pub slot: Uuid,
    /// Made for this request alone, in the browser of the one who asks.
    pub key: AgreementKey,
    /// When, as the asking browser says: milliseconds since the Unix epoch.
    pub made: i64,
}

impl RecoveryRequest {
    /// `0x01 || cell (16) || slot (16) || key (32) || made (i64)`.
    pub fn encode(&self) -> Vec<u8> {
        [
            [VERSION].as_slice(),
            self.cell.as_bytes(),
            self.slot.as_bytes(),
            &self.key.0,
            &self.made.to_be_bytes(),
        ]
        .concat()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`RecoveryError::Request`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecoveryError> {
        let Ok([VERSION, rest @ ..]) = <&[u8; REQUEST_BYTES]>::try_from(bytes) else {
            return Err(RecoveryError::Request);
        };
        let part = |from: usize, to: usize| &rest[from..to];
        let mut key = [0; 32];
        key.copy_from_slice(part(32, 64));
        let mut made = [0; 8];
        made.copy_from_slice(part(64, 72));
        Ok(Self {
            cell: Uuid::from_slice(part(0, 16)).map_err(|_| RecoveryError::Request)?,
            slot: Uuid::from_slice(part(16, 32)).map_err(|_| RecoveryError::Request)?,
            key: AgreementKey(key),
            made: i64::from_be_bytes(made),
        })
    }

    fn digest(&self) -> [u8; 64] {
        Sha512::digest([REQUEST, &self.encode()].concat()).into()
    }

    /// What the request is known by: 32 hexadecimal digits of its digest, so another request cannot stand under it.
    pub fn id(&self) -> String {
        self.digest()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the one who asks reads to a contact, who types it: whoever put another key in has another code.
    pub fn code(&self) -> String {
        digit_groups(&self.digest()[16..], CODE_GROUPS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    fn terms(threshold: u8) -> RecoveryTerms {
        RecoveryTerms {
            cell: Uuid::from_u128(1),
            slot: Uuid::from_u128(2),
            version: 3,
            wait_ms: 4,
            threshold,
        }
    }

    /// Multiplication in GF(256) with the polynomial 0x11d, bit by bit: another way than the library's tables.
    fn times(mut a: u8, mut b: u8) -> u8 {
        let mut product = 0;
        while b > 0 {
            if b & 1 == 1 {
                product ^= a;
            }
            a = (a << 1) ^ if a & 0x80 == 0 { 0 } else { 0x1d };
            b >>= 1;
        }
        product
    }

    fn inverse(a: u8) -> u8 {
        (1..=255).find(|b| times(a, *b) == 1).unwrap()
    }

    /// The value at `x` of the one polynomial of least degree through these points.
    fn at(x: u8, points: &[(u8, u8)]) -> u8 {
        points.iter().fold(0, |sum, (xi, yi)| {
            let factor = points
                .iter()
                .filter(|(xj, _)| xj != xi)
                .fold(1, |product, (xj, _)| times(product, times(x ^ xj, inverse(xi ^ xj))));
            sum ^ times(*yi, factor)
        })
    }

    fn numbers() -> impl Strategy<Value = (u8, u8)> {
        (2_u8..=7).prop_flat_map(|count| (2..=count, Just(count)))
    }

    proptest! {
        #[test]
        fn promise_08_any_shares_up_to_the_threshold_open_and_fewer_do_not(
            secret: [u8; 32],
            (threshold, count, chosen) in numbers().prop_flat_map(|(threshold, count)| {
                (Just(threshold), Just(count), subsequence((0..usize::from(count)).collect::<Vec<_>>(), 0..=usize::from(count)))
            }),
        ) {
            let secret = SecretBytes::copy_from(&secret).unwrap();
            let shares = split_secret(&secret, &terms(threshold), count).unwrap();
            let chosen: Vec<RecoveryShare> = chosen.into_iter().map(|at| shares[at].clone()).collect();
            match join_shares(&chosen) {
                Ok(joined) => {
                    prop_assert!(chosen.len() >= usize::from(threshold));
                    prop_assert!(joined.secret.expose() == secret.expose());
                    prop_assert!(joined.wrong.is_empty());
                }
                Err(error) => {
                    prop_assert!(chosen.len() < usize::from(threshold));
                    prop_assert_eq!(error, RecoveryError::TooFew { have: chosen.len() });
                }
            }
        }

        /// For one share too few, and any secret that somebody guesses, there is a last share that makes it the secret: so the shares
        /// tell no guess from another.
        #[test]
        fn promise_08_one_share_too_few_fits_every_secret(secret: [u8; 32], guess: [u8; 32], (threshold, count) in numbers()) {
            let secret = SecretBytes::copy_from(&secret).unwrap();
            let shares = split_secret(&secret, &terms(threshold), count).unwrap();
            let known = &shares[..usize::from(threshold) - 1];
            let missing = count + 1;
            let mut value = [0; 32];
            for byte in 0..32 {
                let mut points: Vec<(u8, u8)> =
                    known.iter().map(|share| (share.index, share.value.expose()[byte])).collect();
                points.push((0, guess[byte]));
                value[byte] = at(missing, &points);
            }
            let mut shares = known.to_vec();
            shares.push(RecoveryShare { index: missing, value: SecretBytes::take(&mut value), ..known[0].clone() });
            prop_assert!(join_shares(&shares).unwrap().secret.expose() == &guess);
        }

        #[test]
        fn promise_08_a_wrong_share_is_named_and_does_no_harm(secret: [u8; 32], other: [u8; 32], at in 0_usize..5) {
            let secret = SecretBytes::copy_from(&secret).unwrap();
            let mut shares = split_secret(&secret, &terms(3), 5).unwrap();
            // A share of another split: an older version, or one that a contact made up.
            let elsewhere = split_secret(&SecretBytes::copy_from(&other).unwrap(), &terms(3), 5).unwrap();
            shares[at] = elsewhere[at].clone();
            let joined = join_shares(&shares).unwrap();
            prop_assert!(joined.secret.expose() == secret.expose());
            prop_assert_eq!(joined.wrong, vec![at]);
        }

        #[test]
        fn promise_08_a_changed_share_is_refused(at: prop::sample::Index, bit in 0_u8..8) {
            let shares = split_secret(&SecretBytes::random(), &terms(2), 3).unwrap();
            let mut bytes = shares[0].encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // A changed commitment of somebody else's share is found when the shares are joined.
            if let Ok(changed) = RecoveryShare::decode(&bytes) {
                prop_assert!(join_shares(&[changed, shares[1].clone()]).is_err());
            }
        }

        #[test]
        fn whatever_is_no_share_or_request_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
            let _ = RecoveryShare::decode(&bytes);
            let _ = RecoveryRequest::decode(&bytes);
            prop_assert!(RecoveryShare::decode(&[&[VERSION], bytes.as_slice()].concat()).is_err());
        }
    }

    #[test]
    fn promise_08_shares_of_a_replaced_split_are_no_use_with_those_of_the_new_one() {
        let secret = SecretBytes::random();
        let older = split_secret(&secret, &terms(3), 5).unwrap();
        let newer = split_secret(&secret, &RecoveryTerms { version: 4, ..terms(3) }, 5).unwrap();
        let mixed = [older[0].clone(), older[1].clone(), newer[2].clone(), newer[3].clone()];
        assert_eq!(join_shares(&mixed).err(), Some(RecoveryError::TooFew { have: 2 }));
        // The same share twice is one share.
        let twice = [older[0].clone(), older[0].clone(), older[1].clone()];
        assert!(join_shares(&twice).is_err());
    }

    #[test]
    fn a_share_and_a_request_read_back() {
        for share in split_secret(&SecretBytes::random(), &terms(3), 5).unwrap() {
            let again = RecoveryShare::decode(&share.encode()).unwrap();
            assert!(again.belongs_with(&share) && again.index == share.index);
            assert!(again.value.expose() == share.value.expose());
        }
        let request = RecoveryRequest {
            cell: Uuid::from_u128(1),
            slot: Uuid::from_u128(2),
            key: AgreementKey([3; 32]),
            made: 1_700_000_000_000,
        };
        assert_eq!(RecoveryRequest::decode(&request.encode()).unwrap(), request);
        assert_eq!(request.id().len(), 32);
        assert_eq!(request.code().split(' ').count(), CODE_GROUPS);
        let other = RecoveryRequest {
            key: AgreementKey([4; 32]),
            ..request.clone()
        };
        assert_ne!(other.code(), request.code());
        assert_ne!(other.id(), request.id());
    }

    #[test]
    fn numbers_that_are_not_possible_are_refused() {
        for (threshold, count) in [(0, 3), (1, 3), (4, 3), (2, 16)] {
            let refused = split_secret(&SecretBytes::random(), &terms(threshold), count);
            assert_eq!(refused.err(), Some(RecoveryError::Numbers { threshold, count }));
        }
    }
}
