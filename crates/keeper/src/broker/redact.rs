//! Takes the key out of what a provider answers: some servers repeat a request's headers in their errors.

use bytes::Bytes;
use zeroize::Zeroizing;

const INSTEAD: &[u8] = b"[key removed]";
/// A shorter key is found everywhere by chance, and is no secret.
const SHORTEST: usize = 8;

/// Works on a stream: holds back only what may be the beginning of the key.
pub(super) struct Redactor {
    key: Zeroizing<Vec<u8>>,
    held: Vec<u8>,
}

impl Redactor {
    pub fn new(key: &str) -> Self {
        let key = if key.len() < SHORTEST { "" } else { key };
        Self {
            key: Zeroizing::new(key.as_bytes().to_vec()),
            held: Vec::new(),
        }
    }

    /// The next part of the answer.
    pub fn pass(&mut self, part: Bytes) -> Bytes {
        if self.key.is_empty() {
            return part;
        }
        let all = if self.held.is_empty() {
            part
        } else {
            self.held.extend_from_slice(&part);
            Bytes::from(std::mem::take(&mut self.held))
        };
        let held_from = all.len() - self.overlap(&all);
        let found = self.find(&all);
        if found.is_none() {
            self.held = all[held_from..].to_vec();
            return all.slice(..held_from);
        }
        let mut clean = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some(at) = self.find(rest) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(INSTEAD);
            rest = &rest[at + self.key.len()..];
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

    fn find(&self, text: &[u8]) -> Option<usize> {
        let first = self.key[0];
        let last_start = text.len().checked_sub(self.key.len())?;
        (0..=last_start).find(|&at| text[at] == first && text[at..].starts_with(&self.key))
    }

    /// Length of the longest end of `text` that is a proper beginning of the key.
    fn overlap(&self, text: &[u8]) -> usize {
        (1..self.key.len().min(text.len() + 1))
            .rev()
            .find(|&length| text.ends_with(&self.key[..length]))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(key: &str, parts: &[&[u8]]) -> Vec<u8> {
        let mut redactor = Redactor::new(key);
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
    }

    #[test]
    fn what_is_not_the_key_is_not_delayed() {
        let mut redactor = Redactor::new("sk-canary-1234");
        assert_eq!(
            redactor.pass(Bytes::from_static(b"data: hello\n\n")),
            &b"data: hello\n\n"[..]
        );
        assert!(redactor.end().is_empty());
    }
}
