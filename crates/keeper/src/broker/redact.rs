//! Takes a secret out of what a server answers: some repeat a request's headers in their errors, and an agent may look for
//! one that does. Found as it is, and in the forms that servers commonly give to what they repeat.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use zeroize::Zeroizing;

const INSTEAD: &[u8] = b"[key removed]";
/// A shorter secret is found everywhere by chance, and is none.
pub(super) const SHORTEST: usize = 8;

type Needle = Zeroizing<Vec<u8>>;

/// Works on a stream: holds back only what may be the beginning of the secret.
pub(super) struct Redactor {
    needles: Vec<Needle>,
    /// Which bytes a needle begins with.
    first: Box<[bool; 256]>,
    held: Vec<u8>,
}

impl Redactor {
    /// For each of these secrets, in every form.
    pub fn new(secrets: &[&str]) -> Self {
        let mut needles: Vec<Needle> = secrets
            .iter()
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(|secret| forms(secret))
            .filter(|needle| needle.len() >= SHORTEST)
            .collect();
        // The longest first: of two that begin alike, all of the longer one is removed.
        needles.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        needles.dedup();
        let mut first = Box::new([false; 256]);
        for needle in &needles {
            first[usize::from(needle[0])] = true;
        }
        Self {
            needles,
            first,
            held: Vec::new(),
        }
    }

    /// Whether a secret stands in this text.
    pub fn finds(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    /// The next part of the answer.
    pub fn pass(&mut self, part: Bytes) -> Bytes {
        if self.needles.is_empty() {
            return part;
        }
        let all = if self.held.is_empty() {
            part
        } else {
            self.held.extend_from_slice(&part);
            Bytes::from(std::mem::take(&mut self.held))
        };
        if self.find(&all).is_none() {
            let held_from = all.len() - self.overlap(&all);
            self.held = all[held_from..].to_vec();
            return all.slice(..held_from);
        }
        let mut clean = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some((at, length)) = self.find(rest) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(INSTEAD);
            rest = &rest[at + length..];
        }
        let overlap = self.overlap(rest);
        clean.extend_from_slice(&rest[..rest.len() - overlap]);
        self.held = rest[rest.len() - overlap..].to_vec();
        clean.into()
    }

    /// What was held back, at the end of the answer.
    pub fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// Where the first secret stands, and how long it is.
    fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        for (at, byte) in text.iter().enumerate() {
            if self.first[usize::from(*byte)]
                && let Some(needle) = self.needles.iter().find(|needle| text[at..].starts_with(needle))
            {
                return Some((at, needle.len()));
            }
        }
        None
    }

    /// Length of the longest end of `text` that is a proper beginning of a secret.
    fn overlap(&self, text: &[u8]) -> usize {
        self.needles
            .iter()
            .filter_map(|needle| {
                (1..needle.len().min(text.len() + 1))
                    .rev()
                    .find(|&length| text.ends_with(&needle[..length]))
            })
            .max()
            .unwrap_or(0)
    }
}

/// The secret as it is; in base64 and base64url wherever it may stand in what was encoded; in hexadecimal; escaped for a URL, for
/// JSON and for HTML.
fn forms(secret: &str) -> Vec<Needle> {
    let bytes = secret.as_bytes();
    let mut forms = vec![Zeroizing::new(bytes.to_vec())];
    for before in 0..3_usize {
        let mut shifted = Zeroizing::new(vec![0_u8; before]);
        shifted.extend_from_slice(bytes);
        // Characters that hold bits of what stands before or after the secret are not known.
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = Zeroizing::new(engine.encode(&*shifted));
            forms.push(Zeroizing::new(text.as_bytes()[from..to].to_vec()));
        }
    }
    let each = |write: &dyn Fn(u8) -> Vec<u8>| -> Needle {
        Zeroizing::new(bytes.iter().flat_map(|byte| write(*byte)).collect())
    };
    forms.push(each(&|byte| format!("{byte:02x}").into_bytes()));
    forms.push(each(&|byte| format!("{byte:02X}").into_bytes()));
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for kept in [b"".as_slice(), b"*", b"!'()*", b"/", b":/"] {
        let keeps = |byte: u8| unreserved(byte) || kept.contains(&byte);
        forms.push(each(&|byte| {
            if keeps(byte) {
                vec![byte]
            } else {
                format!("%{byte:02X}").into_bytes()
            }
        }));
        forms.push(each(&|byte| {
            if keeps(byte) {
                vec![byte]
            } else {
                format!("%{byte:02x}").into_bytes()
            }
        }));
        forms.push(each(&|byte| match byte {
            b' ' => vec![b'+'],
            _ if keeps(byte) => vec![byte],
            _ => format!("%{byte:02X}").into_bytes(),
        }));
    }
    for slash in ["/", "\\/"] {
        forms.push(each(&|byte| match byte {
            b'"' => b"\\\"".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            b'/' => slash.as_bytes().to_vec(),
            b'\n' => b"\\n".to_vec(),
            b'\t' => b"\\t".to_vec(),
            _ => vec![byte],
        }));
    }
    forms.push(each(&|byte| match byte {
        b'<' => b"&lt;".to_vec(),
        b'>' => b"&gt;".to_vec(),
        b'&' => b"&amp;".to_vec(),
        b'"' => b"&quot;".to_vec(),
        b'\'' => b"&#39;".to_vec(),
        _ => vec![byte],
    }));
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(key: &str, parts: &[&[u8]]) -> Vec<u8> {
        let mut redactor = Redactor::new(&[key]);
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(&redactor.pass(Bytes::copy_from_slice(part)));
        }
        out.extend_from_slice(&redactor.end());
        out
    }

    proptest! {
        #[test]
        fn promise_04_a_key_is_removed_wherever_the_stream_is_cut(cut in 0_usize..60, cut2 in 0_usize..60) {
            let text = b"before sk-sk-canary-1234 between sk-canary-1234sk-canary-1234 after sk-canary-123";
            let (one, two) = (cut.min(cut2), cut.max(cut2));
            let out = run("sk-canary-1234", &[&text[..one], &text[one..two], &text[two..]]);
            let expected = b"before sk-[key removed] between [key removed][key removed] after sk-canary-123";
            prop_assert_eq!(out, expected.to_vec());
        }

        #[test]
        fn promise_04_a_key_is_removed_from_what_was_encoded_with_something_around_it(before in "[ -~]{0,7}", after in "[ -~]{0,7}") {
            let key = "p@ss/word+1 \"<x>\\";
            let all = format!("{before}{key}{after}");
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let told = run(key, &[engine.encode(&all).as_bytes()]);
                prop_assert!(told.windows(INSTEAD.len()).any(|window| window == INSTEAD));
            }
        }
    }

    #[test]
    fn promise_04_a_key_is_removed_in_each_form_that_servers_give_it() {
        let key = "p@ss/word+1 \"<x>\\";
        for form in [
            "p@ss/word+1 \"<x>\\",
            "p%40ss%2Fword%2B1%20%22%3Cx%3E%5C",
            "p%40ss%2fword%2b1%20%22%3cx%3e%5c",
            "p%40ss%2Fword%2B1+%22%3Cx%3E%5C",
            "p@ss/word+1 \\\"<x>\\\\",
            "p@ss\\/word+1 \\\"<x>\\\\",
            "p@ss/word+1 &quot;&lt;x&gt;\\",
            "704073732f776f72642b3120223c783e5c",
            "704073732F776F72642B3120223C783E5C",
        ] {
            assert_eq!(
                run(key, &[b"a ", form.as_bytes(), b" b"]),
                b"a [key removed] b",
                "{form}"
            );
        }
    }

    #[test]
    fn what_is_not_the_key_is_not_delayed() {
        let mut redactor = Redactor::new(&["sk-canary-1234"]);
        assert_eq!(
            redactor.pass(Bytes::from_static(b"data: hello\n\n")),
            &b"data: hello\n\n"[..]
        );
        assert!(redactor.end().is_empty());
    }
}
