//! What goes into OPAQUE for the slots whose secret is 32 bytes from somewhere: derived for its slot's kind, so that the same bytes
//! in another place are another secret, and written as text, because that is what every OPAQUE library takes.
//!
//! `base64url(HKDF-SHA512(ikm = the bytes, salt, info = "holdfast/slot-secret/v1/" + kind + what belongs to it, 32))`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys::derive;
use crate::secret::{ClientSecret, SecretBytes};
use crate::slot::SlotKind;

pub(crate) fn from_bytes(kind: SlotKind, salt: &[u8], bytes: &SecretBytes<32>, context: &[&[u8]]) -> ClientSecret {
    let mut info: Vec<&[u8]> = vec![b"holdfast/slot-secret/v1/", kind.as_str().as_bytes()];
    info.extend_from_slice(context);
    let derived: SecretBytes<32> = derive(bytes.expose(), salt, &info);
    let mut text = vec![0; 43];
    URL_SAFE_NO_PAD
        .encode_slice(derived.expose(), &mut text)
        .expect("32 bytes are 43 characters of base64");
    ClientSecret::new(text)
}

/// The secret of a passkey's slot: the authenticator's PRF output, bound to the salt it was asked with and to the site.
pub fn passkey_secret(prf_output: &SecretBytes<32>, prf_salt: &[u8], rp_id: &str) -> ClientSecret {
    from_bytes(SlotKind::Passkey, prf_salt, prf_output, &[b"/", rp_id.as_bytes()])
}

/// The secret of a social slot: what the contacts' shares join to.
pub fn social_secret(joined: &SecretBytes<32>) -> ClientSecret {
    from_bytes(SlotKind::Social, b"", joined, &[])
}

/// The secret of a platform slot: what the platform keeps for a cell of its tenant API.
pub fn platform_secret(kept: &SecretBytes<32>) -> ClientSecret {
    from_bytes(SlotKind::Platform, b"", kept, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_another_secret_for_each_kind_salt_and_site() {
        let bytes = SecretBytes::copy_from(&[7; 32]).unwrap();
        let secrets = [
            passkey_secret(&bytes, &[1; 32], "example.org"),
            passkey_secret(&bytes, &[2; 32], "example.org"),
            passkey_secret(&bytes, &[1; 32], "example.com"),
            social_secret(&bytes),
            platform_secret(&bytes),
            crate::BackupKey::from_bytes(bytes).secret(),
        ];
        for (at, one) in secrets.iter().enumerate() {
            assert_eq!(one.expose().len(), 43);
            assert!(secrets[at + 1..].iter().all(|other| other.expose() != one.expose()));
        }
    }
}
