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
        let mut entropy: [u8; 16] = random_bytes();
        let mnemonic = Mnemonic::from_entropy_in(Language::English, &entropy)
            .expect("16 bytes are one of the lengths that BIP 39 knows");
        entropy.zeroize();
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

    #[test]
    fn a_slip_is_named() {
        assert_eq!(error("legal winner"), PhraseError::WordCount(2));
        assert_eq!(error(&KNOWN.replacen("thank", "thanx", 1)), PhraseError::UnknownWord(3));
        assert_eq!(error(&KNOWN.replace("yellow", "year")), PhraseError::Checksum);
    }
}
