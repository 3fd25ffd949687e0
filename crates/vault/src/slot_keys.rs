//! Wrapping a new data key for a slot whose own key is not there: what a rotation needs of each slot, kept inside the vault.
//!
//! From a slot's key come an X25519 key pair and an authentication key. The vault holds the public half and the authentication key
//! (never in clear). A rotation wraps the new data key to the public half, mixed with the authentication key, in the manner of HPKE's
//! PSK mode (RFC 9180): so it opens with the slot's key alone, and whoever has only the volume, and so knows neither, cannot make one
//! that the slot would take for the vault's. Somebody who once had an old data key and the vault with it can forge, but not read.
//!
//! Format 2 of a wrapped key: `0x02 || ephemeral public key (32) || nonce (24, random) || ciphertext (32) || tag (16)`,
//! XChaCha20-Poly1305 under `HKDF-SHA512(X25519 || authentication key, info = "holdfast/slot/v2/" + slot id + "/" + kind + "/" + cell id
//! || ephemeral || public)`.
//! Stored form of the keys: `0x01 || public (32) || authentication key (32)`.

use uuid::Uuid;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::cipher::{Cipher, NONCE, TAG};
use crate::keys::derive;
use crate::random_bytes;
use crate::secret::{DataKey, Kek, SecretBytes};
use crate::slot::{ROTATED, SlotKind, WrapError};

const VERSION: u8 = 1;
const STORED: usize = 65;

/// What the vault keeps of a slot's key.
#[derive(Clone)]
pub struct SlotKeys {
    public: [u8; 32],
    auth: SecretBytes<32>,
}

fn private(kek: &Kek) -> SecretBytes<32> {
    derive(kek.expose(), b"", &[b"holdfast/slot-x25519/v1"])
}

impl SlotKeys {
    /// Those of the slot that has this key.
    pub fn of(kek: &Kek) -> Self {
        Self {
            public: x25519(*private(kek).expose(), X25519_BASEPOINT_BYTES),
            auth: derive(kek.expose(), b"", &[b"holdfast/slot-auth/v1"]),
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORED));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.public);
        bytes.extend_from_slice(self.auth.expose());
        bytes
    }

    /// Reads the stored form; none for another one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (public, auth) = rest.split_first_chunk::<32>()?;
        Some(Self {
            public: (version == VERSION).then_some(*public)?,
            auth: SecretBytes::copy_from(auth).ok()?,
        })
    }

    /// Wraps a data key for the slot.
    pub fn wrap(&self, data_key: &DataKey, slot: Uuid, kind: SlotKind, cell: Uuid) -> Vec<u8> {
        let ephemeral: SecretBytes<32> = SecretBytes::random();
        let ephemeral_public = x25519(*ephemeral.expose(), X25519_BASEPOINT_BYTES);
        let shared = Zeroizing::new(x25519(*ephemeral.expose(), self.public));
        let key = wrapping_key(&shared, &self.auth, ephemeral_public, self.public, (slot, kind, cell));
        let nonce: [u8; NONCE] = random_bytes();
        let mut sealed = Zeroizing::new(*data_key.expose());
        let tag = Cipher::new(key.expose())
            .seal(&nonce, b"", sealed.as_mut_slice())
            .expect("32 bytes are within what the cipher takes");
        [&[ROTATED], ephemeral_public.as_slice(), &nonce, sealed.as_slice(), &tag].concat()
    }
}

/// Opens what [`SlotKeys::wrap`] made, without its version.
pub(crate) fn unwrap_rotated(
    wrapped: &[u8],
    kek: &Kek,
    slot: Uuid,
    kind: SlotKind,
    cell: Uuid,
) -> Result<DataKey, WrapError> {
    let (ephemeral, rest) = wrapped.split_first_chunk::<32>().ok_or(WrapError::Refused)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(WrapError::Refused)?;
    let keys = SlotKeys::of(kek);
    let shared = Zeroizing::new(x25519(*private(kek).expose(), *ephemeral));
    let key = wrapping_key(&shared, &keys.auth, *ephemeral, keys.public, (slot, kind, cell));
    let (opened, tag) = sealed.split_last_chunk::<TAG>().ok_or(WrapError::Refused)?;
    let mut opened = Zeroizing::new(opened.to_vec());
    if !Cipher::new(key.expose()).open(nonce, b"", &mut opened, tag) {
        return Err(WrapError::Refused);
    }
    DataKey::copy_from(&opened).map_err(|_| WrapError::Refused)
}

/// Everything that was agreed on goes in: a point of low order, which makes the first part known, still leaves the second.
fn wrapping_key(
    shared: &[u8; 32],
    auth: &SecretBytes<32>,
    ephemeral: [u8; 32],
    public: [u8; 32],
    (slot, kind, cell): (Uuid, SlotKind, Uuid),
) -> SecretBytes<32> {
    let input = Zeroizing::new([shared.as_slice(), auth.expose()].concat());
    let place = format!("holdfast/slot/v2/{slot}/{}/{cell}", kind.as_str());
    derive(&input, b"", &[place.as_bytes(), &ephemeral, &public])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{unwrap_data_key, wrap_data_key};

    #[test]
    fn what_was_wrapped_for_a_slot_opens_with_its_key_and_in_its_place_alone() {
        let (kek, data_key) = (Kek::random(), DataKey::random());
        let (slot, cell) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let keys = SlotKeys::decode(&SlotKeys::of(&kek).encode()).unwrap();
        let wrapped = keys.wrap(&data_key, slot, SlotKind::Passkey, cell);
        let open = |kek: &Kek, slot, kind, cell| unwrap_data_key(&wrapped, kek, slot, kind, cell);
        assert!(open(&kek, slot, SlotKind::Passkey, cell).unwrap().expose() == data_key.expose());
        for refused in [
            open(&Kek::random(), slot, SlotKind::Passkey, cell),
            open(&kek, cell, SlotKind::Passkey, cell),
            open(&kek, slot, SlotKind::Password, cell),
            open(&kek, slot, SlotKind::Passkey, slot),
        ] {
            assert_eq!(refused.err(), Some(WrapError::Refused));
        }
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(
                unwrap_data_key(&changed, &kek, slot, SlotKind::Passkey, cell).is_err(),
                "byte {at}"
            );
            assert!(unwrap_data_key(&wrapped[..at], &kek, slot, SlotKind::Passkey, cell).is_err());
        }
        let first = wrap_data_key(&data_key, &kek, slot, SlotKind::Passkey, cell);
        assert!(unwrap_data_key(&first, &kek, slot, SlotKind::Passkey, cell).is_ok());
    }

    #[test]
    fn promise_02_a_key_wrapped_by_somebody_who_knows_only_the_public_half_is_refused() {
        let (kek, attackers) = (Kek::random(), DataKey::random());
        let (slot, cell) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let forged = SlotKeys {
            public: SlotKeys::of(&kek).public,
            auth: SecretBytes::random(),
        };
        let wrapped = forged.wrap(&attackers, slot, SlotKind::Password, cell);
        let outcome = unwrap_data_key(&wrapped, &kek, slot, SlotKind::Password, cell);
        assert_eq!(outcome.err(), Some(WrapError::Refused));
    }

    #[test]
    fn promise_02_a_point_of_low_order_does_not_help() {
        let kek = Kek::random();
        let (slot, cell) = (Uuid::from_u128(1), Uuid::from_u128(2));
        // X25519 of any key with this point is zero; the key then depends on the authentication key alone, which is not known.
        let (zero, auth) = ([0; 32], SecretBytes::random());
        let public = SlotKeys::of(&kek).public;
        let key = wrapping_key(&zero, &auth, zero, public, (slot, SlotKind::Password, cell));
        let mut sealed = *DataKey::random().expose();
        let tag = Cipher::new(key.expose()).seal(&[0; NONCE], b"", &mut sealed).unwrap();
        let wrapped = [&[ROTATED], [0_u8; 32].as_slice(), &[0; NONCE], &sealed, &tag].concat();
        assert!(unwrap_data_key(&wrapped, &kek, slot, SlotKind::Password, cell).is_err());
    }
}
