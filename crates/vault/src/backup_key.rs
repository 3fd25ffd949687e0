//! Backup keys: 32 random bytes for paper, as text that says where a slip is and as the same text in a QR code.
//!
//! Format: `HFK1-` and 14 groups of four characters joined by `-`: Crockford's base 32 (no I, L, O, U) of the 32 bytes and the first
//! three of `SHA-512("holdfast/backup-key/v1" || the bytes)`. The `1` is the version.

use sha2::{Digest as _, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::{ClientSecret, SecretBytes};
use crate::slot::SlotKind;
use crate::slot_secret;

const PREFIX: &str = "HFK1";
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KEY: usize = 32;
const CHECK: usize = 3;
/// 35 bytes are exactly this many characters of five bits.
const CHARACTERS: usize = 56;
const GROUP: usize = 4;
/// What is looked at of a typed text: a photographed page more than a key.
const TYPED_BYTES: usize = 1024;

/// Why a typed backup key is refused, for the person who types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackupKeyError {
    #[error("a backup key begins with HFK1; this is something else, or made by a newer Holdfast")]
    NotABackupKey,
    #[error("group {0} has a character that no backup key has")]
    UnknownCharacter(usize),
    #[error("a backup key has {groups} groups of {GROUP} after HFK1, this one has {0} characters", groups = CHARACTERS / GROUP)]
    Length(usize),
    #[error("the characters are all known, but one of them is wrong or two have changed places")]
    Checksum,
}

/// A backup key.
pub struct BackupKey(SecretBytes<KEY>);

impl BackupKey {
    /// A new random key.
    pub fn random() -> Self {
        Self(SecretBytes::random())
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: SecretBytes<KEY>) -> Self {
        Self(bytes)
    }

    /// Reads what a person typed or a camera read: any case, with or without the dashes, with the letters that look like digits.
    ///
    /// # Errors
    /// [`BackupKeyError`] says where to look.
    pub fn parse(text: &str) -> Result<Self, BackupKeyError> {
        if text.len() > TYPED_BYTES {
            return Err(BackupKeyError::NotABackupKey);
        }
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        plain.extend(
            text.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(|c| c.to_ascii_uppercase()),
        );
        let rest = plain.strip_prefix(PREFIX).ok_or(BackupKeyError::NotABackupKey)?;
        let mut values = Zeroizing::new(Vec::with_capacity(CHARACTERS));
        for (at, character) in rest.chars().enumerate() {
            let digit = match character {
                'O' => b'0',
                'I' | 'L' => b'1',
                other => u8::try_from(other).unwrap_or(b'?'),
            };
            let value = ALPHABET.iter().position(|known| *known == digit);
            let value = value.and_then(|value| u8::try_from(value).ok());
            values.push(value.ok_or(BackupKeyError::UnknownCharacter(at / GROUP + 1))?);
        }
        if values.len() != CHARACTERS {
            return Err(BackupKeyError::Length(values.len()));
        }
        let mut bytes = Zeroizing::new([0_u8; KEY + CHECK]);
        for (at, value) in values.iter().enumerate() {
            for bit in 0..5 {
                let to = at * 5 + bit;
                bytes[to / 8] |= (value >> (4 - bit) & 1) << (7 - to % 8);
            }
        }
        let key = SecretBytes::copy_from(&bytes[..KEY]).map_err(|_| BackupKeyError::Checksum)?;
        if !crate::same_secret(&check(&key), &bytes[KEY..]) {
            return Err(BackupKeyError::Checksum);
        }
        Ok(Self(key))
    }

    /// The text to print; the QR code holds the same.
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0_u8; KEY + CHECK]);
        bytes[..KEY].copy_from_slice(self.0.expose());
        bytes[KEY..].copy_from_slice(&check(&self.0));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + CHARACTERS / GROUP * (GROUP + 1)));
        text.push_str(PREFIX);
        for at in 0..CHARACTERS {
            if at % GROUP == 0 {
                text.push('-');
            }
            let value = (0..5).fold(0_u8, |value, bit| {
                let from = at * 5 + bit;
                value << 1 | bytes[from / 8] >> (7 - from % 8) & 1
            });
            text.push(char::from(ALPHABET[usize::from(value)]));
        }
        text
    }

    /// What goes into OPAQUE.
    pub fn secret(&self) -> ClientSecret {
        slot_secret::from_bytes(SlotKind::BackupKey, b"", &self.0, &[])
    }
}

fn check(key: &SecretBytes<KEY>) -> [u8; CHECK] {
    let mut digest = Sha512::new()
        .chain_update(b"holdfast/backup-key/v1")
        .chain_update(key.expose())
        .finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    digest.as_mut_slice().zeroize();
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known() -> String {
        BackupKey::from_bytes(SecretBytes::copy_from(&[0xa5; 32]).unwrap())
            .text()
            .to_string()
    }

    fn error(text: &str) -> BackupKeyError {
        BackupKey::parse(text).err().unwrap()
    }

    #[test]
    fn the_printed_form_of_a_known_key_is_the_one_that_was_printed_before() {
        assert_eq!(known(), include_str!("../tests/vectors/backup-key-v1.txt").trim_end());
    }

    #[test]
    fn a_key_is_read_whatever_its_case_spacing_and_look_alikes() {
        let expected = BackupKey::parse(&known()).unwrap().secret();
        let typed = known()
            .to_lowercase()
            .replace('-', "  ")
            .replace('0', "o")
            .replace('1', "l");
        let typed = typed.replacen("hfkl", "hfk1", 1);
        assert!(BackupKey::parse(&typed).unwrap().secret().expose() == expected.expose());
    }

    #[test]
    fn a_slip_is_named() {
        assert_eq!(error("abandon ability able"), BackupKeyError::NotABackupKey);
        assert_eq!(error("HFK2-0000"), BackupKeyError::NotABackupKey);
        assert_eq!(error(&known()[..30]), BackupKeyError::Length(20));
        let mut wrong = known().into_bytes();
        wrong[11] = b'U';
        assert_eq!(
            error(&String::from_utf8(wrong).unwrap()),
            BackupKeyError::UnknownCharacter(2)
        );
    }

    proptest! {
        #[test]
        fn a_printed_key_reads_back(bytes: [u8; 32]) {
            let key = BackupKey::from_bytes(SecretBytes::copy_from(&bytes).unwrap());
            prop_assert!(BackupKey::parse(&key.text()).unwrap().secret().expose() == key.secret().expose());
        }

        #[test]
        fn a_wrong_character_is_found(at in 5_usize..74, to in 0_usize..32) {
            let mut text = known().into_bytes();
            prop_assume!(text[at] != b'-' && text[at] != ALPHABET[to]);
            text[at] = ALPHABET[to];
            prop_assert_eq!(error(&String::from_utf8(text).unwrap()), BackupKeyError::Checksum);
        }

        #[test]
        fn whatever_is_typed_does_no_harm(text: String) {
            let _ = BackupKey::parse(&text);
            let _ = BackupKey::parse(&format!("HFK1{text}"));
        }
    }
}
