//! Backup codes: ten at a time, each works once, 50 random bits each.

use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};
use crate::limits;

/// Crockford's alphabet: no letter that is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 10;

/// New codes, as they are hashed.
pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Vec<Zeroizing<String>>, NoEntropy> {
    (0..limits::BACKUP_CODES)
        .map(|_| {
            let mut bytes = Zeroizing::new([0; CHARS]);
            entropy.fill(&mut *bytes)?;
            Ok(Zeroizing::new(
                bytes
                    .iter()
                    .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
                    .collect(),
            ))
        })
        .collect()
}

/// As people see it: two groups of five.
pub(crate) fn shown(code: &str) -> String {
    let (one, two) = code.split_at(CHARS / 2);
    format!("{one}-{two}")
}

/// Reads what somebody typed; `None` if it cannot be a code.
pub(crate) fn parse(text: &str) -> Option<Zeroizing<String>> {
    let read: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| !matches!(c, ' ' | '-'))
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect(),
    );
    (read.len() == CHARS && read.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn a_code_is_read_back_however_it_is_typed() {
        let codes = generate(&OsEntropy).unwrap();
        assert_eq!(codes.len(), 10);
        for code in &codes {
            assert_eq!(**parse(&shown(code).to_lowercase()).unwrap(), **code);
        }
        assert_eq!(**parse(" oI2-34 567 89").unwrap(), *"0123456789");
        for bad in ["", "123456", "12345-6789U", "12345-67890-1"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
