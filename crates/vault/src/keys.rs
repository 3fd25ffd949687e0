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
