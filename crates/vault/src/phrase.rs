//! Recovery phrases: 12 words of BIP 39's English list, 128 bits with a checksum.

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize as _, Zeroizing};

use crate::random_bytes;
use crate::secret::ClientSecret;

const WORDS: usize = 12;

/// Why a recovery phrase is refused, for the person who types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    #[error("a recovery phrase has {WORDS} words, this one has {0}")]
    WordCount(usize),
    #[error("word {0} is not one of the list: look for a slip of the pen there")]
    UnknownWord(usize),
    #[error("the words are all known, but one of them is wrong or two have changed places")]
    Checksum,
}

/// A recovery phrase in its one form.
pub struct Phrase(Mnemonic);

impl Phrase {
    /// A new random phrase.
    pub fn random() -> Self {
        let mut entropy = random_bytes();
        let phrase = Self::from_entropy(&entropy);
        entropy.zeroize();
        phrase
    }

    fn from_entropy(entropy: &[u8; 16]) -> Self {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy)
            .expect("16 bytes are one of the lengths that BIP 39 knows");
        Self(mnemonic)
    }

    /// Reads what a person typed: any case, any white space between the words.
    ///
    /// # Errors
    /// [`PhraseError`] says which word to look at.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let text = Zeroizing::new(text.to_lowercase());
        let words = text.split_whitespace().count();
        if words != WORDS {
            return Err(PhraseError::WordCount(words));
        }
        let mut normal = Zeroizing::new(String::with_capacity(text.len()));
        for (index, word) in text.split_whitespace().enumerate() {
            if index > 0 {
                normal.push(' ');
            }
            normal.push_str(word);
        }
        Mnemonic::parse_in_normalized(Language::English, &normal)
            .map(Self)
            .map_err(|error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord(index + 1),
                _ => PhraseError::Checksum,
            })
    }

    /// The words, to be shown once.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// What goes into OPAQUE: the words in lower case with one space between them, as ASCII.
    pub fn secret(&self) -> ClientSecret {
        let mut bytes = Vec::with_capacity(WORDS * 9);
        for (index, word) in self.0.words().enumerate() {
            if index > 0 {
                bytes.push(b' ');
            }
            bytes.extend_from_slice(word.as_bytes());
        }
        ClientSecret::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

    fn error(text: &str) -> PhraseError {
        Phrase::parse(text).err().unwrap()
    }

    #[test]
    fn a_phrase_is_read_whatever_its_case_and_spacing() {
        let typed = Phrase::parse(&format!("  {}\n", KNOWN.to_uppercase().replace(' ', "\t  "))).unwrap();
        assert!(typed.secret().expose() == KNOWN.as_bytes());
    }

    #[test]
    fn a_new_phrase_has_twelve_words_and_reads_back() {
        let phrase = Phrase::random();
        let text = phrase.words().collect::<Vec<_>>().join(" ");
        assert_eq!(phrase.words().count(), 12);
        assert!(Phrase::parse(&text).unwrap().secret().expose() == text.as_bytes());
        assert!(Phrase::random().secret().expose() != text.as_bytes());
    }

    /// The reference vectors of BIP 39 that have 128 bits (python-mnemonic, vectors.json).
    #[test]
    fn the_vectors_of_bip_39_pass() {
        let vectors: [(u128, &str); 8] = [
            (
                0,
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
            ),
            (0x7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f, KNOWN),
            (
                0x8080_8080_8080_8080_8080_8080_8080_8080,
                "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
            ),
            (u128::MAX, "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"),
            (
                0x9e88_5d95_2ad3_62ca_eb4e_fe34_a8e9_1bd2,
                "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic",
            ),
            (
                0xc0ba_5a8e_9141_1121_0f2b_d131_f3d5_e08d,
                "scheme spot photo card baby mountain device kick cradle pact join borrow",
            ),
            (
                0x23db_8160_a31d_3e0d_ca36_88ed_941a_dbf3,
                "cat swing flag economy stadium alone churn speed unique patch report train",
            ),
            (
                0xf30f_8c1d_a665_478f_49b0_01d9_4c5f_c452,
                "vessel ladder alter error federal sibling chat ability sun glass valve picture",
            ),
        ];
        for (entropy, words) in vectors {
            let phrase = Phrase::from_entropy(&entropy.to_be_bytes());
            assert_eq!(phrase.words().collect::<Vec<_>>().join(" "), words);
            let read = Phrase::parse(words).unwrap();
            assert_eq!(read.0.to_entropy(), entropy.to_be_bytes());
        }
    }

    #[test]
    fn a_slip_is_named() {
        assert_eq!(error("legal winner"), PhraseError::WordCount(2));
        assert_eq!(error(&KNOWN.replacen("thank", "thanx", 1)), PhraseError::UnknownWord(3));
        assert_eq!(error(&KNOWN.replace("yellow", "year")), PhraseError::Checksum);
    }
}
