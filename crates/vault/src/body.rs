//! What a vault holds while it is open: named entries and the epoch, a number that rises with each write.
//!
//! Format: `0x01 || epoch (u64) || count (u32) || count × (len (u16) || name || len (u32) || value)`, big endian, names
//! strictly ascending, nothing after the last. One body has one encoding.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::limits::{ENTRY_BYTES, ENTRY_NAME_BYTES, VAULT_BYTES};

const VERSION: u8 = 1;

/// Why the body of a vault is refused, or not grown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("a vault body of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("the body of the vault is malformed at byte {0}")]
    Malformed(usize),
    #[error("an entry's name has {0} bytes: 1 to ENTRY_NAME_BYTES ({ENTRY_NAME_BYTES}) are allowed")]
    Name(usize),
    #[error("an entry of {0} bytes is larger than ENTRY_BYTES ({ENTRY_BYTES})")]
    EntryTooLarge(usize),
    #[error("the vault would have {0} bytes, more than VAULT_BYTES ({VAULT_BYTES})")]
    Full(usize),
}

/// The content of an open vault; values are wiped when dropped.
#[derive(Clone, Default)]
pub struct Body {
    /// Rises with each write; a client refuses a vault whose epoch is lower than one it has seen.
    pub epoch: u64,
    entries: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Body {
    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.entries.get(name).map(|value| value.as_slice())
    }

    /// Names that start with `prefix`, ascending.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries
            .range(prefix.to_owned()..)
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    /// Sets an entry.
    ///
    /// # Errors
    /// [`BodyError`] when the name, the value or the whole would pass its limit; nothing is changed then.
    pub fn put(&mut self, name: &str, value: &[u8]) -> Result<(), BodyError> {
        if name.is_empty() || name.len() > ENTRY_NAME_BYTES {
            return Err(BodyError::Name(name.len()));
        }
        if value.len() > ENTRY_BYTES {
            return Err(BodyError::EntryTooLarge(value.len()));
        }
        let before = self.get(name).map_or(0, |old| Self::cost(name, old));
        let after = self.encoded_len() - before + Self::cost(name, value);
        // Half of the limit is left to the header, so that a body that was accepted can always be written.
        if after > VAULT_BYTES / 2 {
            return Err(BodyError::Full(after));
        }
        self.entries.insert(name.to_owned(), Zeroizing::new(value.to_vec()));
        Ok(())
    }

    /// Removes an entry; says whether it was there.
    pub fn delete(&mut self, name: &str) -> bool {
        self.entries.remove(name).is_some()
    }

    fn cost(name: &str, value: &[u8]) -> usize {
        6 + name.len() + value.len()
    }

    fn encoded_len(&self) -> usize {
        13 + self
            .entries
            .iter()
            .map(|(name, value)| Self::cost(name, value))
            .sum::<usize>()
    }

    /// The one encoding of this body.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length = |n: usize| u32::try_from(n).expect("put() keeps lengths below 16 MiB");
        let mut out = Zeroizing::new(Vec::with_capacity(self.encoded_len()));
        out.push(VERSION);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&length(self.entries.len()).to_be_bytes());
        for (name, value) in &self.entries {
            let name_len = u16::try_from(name.len()).expect("put() keeps names below 200 bytes");
            out.extend_from_slice(&name_len.to_be_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&length(value.len()).to_be_bytes());
            out.extend_from_slice(value);
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`BodyError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut reader = Reader { bytes, at: 0 };
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(BodyError::UnknownVersion(version));
        }
        let mut body = Self {
            epoch: u64::from_be_bytes(reader.array()?),
            entries: BTreeMap::new(),
        };
        let count = u32::from_be_bytes(reader.array()?);
        for _ in 0..count {
            let start = reader.at;
            let name_len = u16::from_be_bytes(reader.array()?);
            let name = std::str::from_utf8(reader.take(name_len.into())?).map_err(|_| BodyError::Malformed(start))?;
            let value_len = u32::from_be_bytes(reader.array()?);
            let value = reader.take(usize::try_from(value_len).map_err(|_| BodyError::Malformed(start))?)?;
            let ascending = body
                .entries
                .last_key_value()
                .is_none_or(|(last, _)| last.as_str() < name);
            if !ascending || name.is_empty() || name.len() > ENTRY_NAME_BYTES || value.len() > ENTRY_BYTES {
                return Err(BodyError::Malformed(start));
            }
            body.entries.insert(name.to_owned(), Zeroizing::new(value.to_vec()));
        }
        if reader.at != bytes.len() {
            return Err(BodyError::Malformed(reader.at));
        }
        Ok(body)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], BodyError> {
        let taken = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..length))
            .ok_or(BodyError::Malformed(self.at))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_reads_back_as_it_was_written(
            epoch: u64,
            entries in btree_map("[a-z/]{1,20}", vec(any::<u8>(), 0..50), 0..10),
        ) {
            let mut body = Body { epoch, ..Body::default() };
            for (name, value) in &entries {
                body.put(name, value).unwrap();
            }
            let read = Body::decode(&body.encode()).unwrap();
            prop_assert_eq!(read.epoch, epoch);
            prop_assert_eq!(read.names("").collect::<Vec<_>>(), entries.keys().collect::<Vec<_>>());
            for (name, value) in &entries {
                prop_assert_eq!(read.get(name), Some(value.as_slice()));
            }
        }

        #[test]
        fn bytes_that_are_read_are_the_one_encoding(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(body) = Body::decode(&bytes) {
                prop_assert_eq!(&*body.encode(), &bytes);
            }
        }
    }

    #[test]
    fn limits_are_refused_by_name_and_change_nothing() {
        let mut body = Body::default();
        let large = vec![0; ENTRY_BYTES];
        assert_eq!(body.put("", b"x"), Err(BodyError::Name(0)));
        assert_eq!(body.put(&"n".repeat(201), b"x"), Err(BodyError::Name(201)));
        assert_eq!(
            body.put("a", &vec![0; ENTRY_BYTES + 1]),
            Err(BodyError::EntryTooLarge(ENTRY_BYTES + 1))
        );
        for n in 0..7 {
            body.put(&format!("large/{n}"), &large).unwrap();
        }
        assert!(matches!(body.put("large/7", &large), Err(BodyError::Full(_))));
        assert_eq!(body.names("large/").count(), 7);
    }
}
