//! The file of a backup (`.hfb`): a vault file, and the sealed home that it pins, in sections, ended by a sealed digest of all of it.
//!
//! Format: `"holdfast-backup" || 0x01`, then sections: `kind (u8) || length (u32, big endian) || body`.
//!
//! | kind | body | how many |
//! |---|---|---|
//! | 1 | the vault file, as it lay on disk: its header has the keyslots | one, first |
//! | 2 | the sealed list of the home's files | at most one, second |
//! | 3 | name of a chunk (32), sealed chunk | any number |
//! | 4 | a sealed record: purpose `backup`, name `end`, version = the vault's epoch, content = SHA-512 of every byte before this section | one, last |
//!
//! Everything in it is sealed already; whoever opens the vault file with any of its slots can check all of it.

use sha2::{Digest as _, Sha512};

use crate::limits::{BACKUP_SECTION_BYTES, VAULT_BYTES};
use crate::seal::{SealError, SealKey};

const MAGIC: &[u8; 16] = b"holdfast-backup\x01";
/// The purpose under which the end of a backup is sealed.
pub const BACKUP_PURPOSE: &str = "backup";
const END: &str = "end";
const DIGEST: usize = 64;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionKind {
    Vault,
    Files,
    Chunk,
    End,
}

impl SectionKind {
    fn byte(self) -> u8 {
        match self {
            Self::Vault => 1,
            Self::Files => 2,
            Self::Chunk => 3,
            Self::End => 4,
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Vault => VAULT_BYTES,
            _ => BACKUP_SECTION_BYTES,
        }
    }
}

/// Why a backup is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    #[error("this is no Holdfast backup, or one of a version that is not known here")]
    NotABackup,
    #[error("the backup was changed: there is no kind of section {0}")]
    UnknownSection(u8),
    #[error("the backup was changed: a section of {0} bytes is larger than any that is written")]
    SectionTooLarge(usize),
    #[error("the backup was changed: its sections are not in their order")]
    Order,
    #[error("the backup was cut: it ends after {0} bytes, before its end was written")]
    Cut(u64),
    #[error("something was added after the end of the backup")]
    AfterTheEnd,
    #[error("the backup was changed, or put together from several: its end does not seal what comes before it")]
    Digest,
    #[error("the end of the backup is refused: {0}")]
    End(#[from] SealError),
}

/// A section as it is read.
pub struct Section {
    pub kind: SectionKind,
    pub body: Vec<u8>,
}

/// Writes a backup, a section at a time.
pub struct BackupWriter {
    digest: Sha512,
    started: bool,
}

impl Default for BackupWriter {
    fn default() -> Self {
        Self {
            digest: Sha512::new(),
            started: false,
        }
    }
}

impl BackupWriter {
    /// The bytes of one section, with the file's first bytes before the first.
    ///
    /// # Errors
    /// [`BackupError::SectionTooLarge`].
    pub fn section(&mut self, kind: SectionKind, parts: &[&[u8]]) -> Result<Vec<u8>, BackupError> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let written = u32::try_from(length)
            .ok()
            .filter(|_| length <= kind.most())
            .ok_or(BackupError::SectionTooLarge(length))?;
        let mut bytes = Vec::with_capacity(MAGIC.len() + 5 + length);
        if !std::mem::replace(&mut self.started, true) {
            bytes.extend_from_slice(MAGIC);
        }
        bytes.push(kind.byte());
        bytes.extend_from_slice(&written.to_be_bytes());
        for part in parts {
            bytes.extend_from_slice(part);
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// What the last section seals: hand it to [`seal_backup_end`], and the result to [`Self::section`] as [`SectionKind::End`].
    pub fn digest(&self) -> [u8; DIGEST] {
        self.digest.clone().finalize().into()
    }
}

/// Seals the digest of a backup, with the key of [`BACKUP_PURPOSE`].
///
/// # Errors
/// [`SealError`].
pub fn seal_backup_end(key: &SealKey, epoch: u64, digest: &[u8; DIGEST]) -> Result<Vec<u8>, SealError> {
    key.seal(END, epoch, digest)
}

/// Name and version under which the end of a backup is sealed.
pub fn backup_end_name() -> &'static str {
    END
}

/// Reads a backup from pieces of any size; holds one section at most.
pub struct BackupReader {
    waiting: Vec<u8>,
    digest: Sha512,
    /// As it was before the section that was read last.
    before: [u8; DIGEST],
    read: u64,
    last: Option<SectionKind>,
    magic: bool,
}

impl Default for BackupReader {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            digest: Sha512::new(),
            before: [0; DIGEST],
            read: 0,
            last: None,
            magic: false,
        }
    }
}

impl BackupReader {
    /// Takes the next piece of the file.
    pub fn push(&mut self, piece: &[u8]) {
        self.waiting.extend_from_slice(piece);
    }

    /// Bytes that were pushed and not read.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next section, once all of it was pushed.
    ///
    /// # Errors
    /// [`BackupError`] for what no backup is.
    pub fn next_section(&mut self) -> Result<Option<Section>, BackupError> {
        if !self.magic {
            let seen = self.waiting.len().min(MAGIC.len());
            if self.waiting[..seen] != MAGIC[..seen] {
                return Err(BackupError::NotABackup);
            }
            if seen < MAGIC.len() {
                return Ok(None);
            }
            self.take(MAGIC.len());
            self.magic = true;
        }
        if self.waiting.is_empty() {
            return Ok(None);
        }
        if self.last == Some(SectionKind::End) {
            return Err(BackupError::AfterTheEnd);
        }
        let kind = match self.waiting[0] {
            1 => SectionKind::Vault,
            2 => SectionKind::Files,
            3 => SectionKind::Chunk,
            4 => SectionKind::End,
            other => return Err(BackupError::UnknownSection(other)),
        };
        let in_order = match kind {
            SectionKind::Vault => self.last.is_none(),
            SectionKind::Files => self.last == Some(SectionKind::Vault),
            SectionKind::Chunk => matches!(self.last, Some(SectionKind::Files | SectionKind::Chunk)),
            SectionKind::End => self.last.is_some(),
        };
        if !in_order {
            return Err(BackupError::Order);
        }
        let Some((_, rest)) = self.waiting.split_first_chunk::<1>() else {
            return Ok(None);
        };
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > kind.most() {
            return Err(BackupError::SectionTooLarge(length));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let body = body.to_vec();
        self.before = self.digest.clone().finalize().into();
        self.take(5 + length);
        self.last = Some(kind);
        Ok(Some(Section { kind, body }))
    }

    fn take(&mut self, length: usize) {
        self.digest.update(&self.waiting[..length]);
        self.waiting.drain(..length);
        self.read += length as u64;
    }

    /// Checks what the end seals (its content, opened) against what was read.
    ///
    /// # Errors
    /// [`BackupError::Digest`].
    pub fn check_end(&self, sealed_digest: &[u8]) -> Result<(), BackupError> {
        match self.last == Some(SectionKind::End) && sealed_digest == self.before.as_slice() {
            true => Ok(()),
            false => Err(BackupError::Digest),
        }
    }

    /// Nothing more comes: the end must have been read.
    ///
    /// # Errors
    /// [`BackupError::Cut`].
    pub fn finish(&self) -> Result<(), BackupError> {
        match self.last == Some(SectionKind::End) && self.waiting.is_empty() {
            true => Ok(()),
            false => Err(BackupError::Cut(self.read + self.waiting.len() as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::secret::DataKey;

    fn written(key: &SealKey, chunks: usize) -> Vec<u8> {
        let mut writer = BackupWriter::default();
        let mut file = writer.section(SectionKind::Vault, &[b"vault"]).unwrap();
        file.extend(writer.section(SectionKind::Files, &[b"files"]).unwrap());
        for n in 0..chunks {
            file.extend(
                writer
                    .section(SectionKind::Chunk, &[&[u8::try_from(n).unwrap(); 32], b"chunk"])
                    .unwrap(),
            );
        }
        let end = seal_backup_end(key, 7, &writer.digest()).unwrap();
        file.extend(writer.section(SectionKind::End, &[&end]).unwrap());
        file
    }

    fn read(key: &SealKey, file: &[u8], piece: usize) -> Result<usize, BackupError> {
        let mut reader = BackupReader::default();
        let mut sections = 0;
        for piece in file.chunks(piece) {
            reader.push(piece);
            while let Some(section) = reader.next_section()? {
                sections += 1;
                if section.kind == SectionKind::End {
                    reader.check_end(&key.open(END, 7, &section.body)?)?;
                }
            }
        }
        reader.finish()?;
        Ok(sections)
    }

    proptest! {
        #[test]
        fn a_backup_reads_back_in_pieces_of_any_size(chunks in 0_usize..5, piece in 1_usize..200) {
            let key = SealKey::new(&DataKey::random(), BACKUP_PURPOSE);
            prop_assert_eq!(read(&key, &written(&key, chunks), piece), Ok(chunks + 3));
        }

        #[test]
        fn whatever_is_no_backup_is_refused_without_a_panic(bytes in vec(any::<u8>(), 1..300), piece in 1_usize..50) {
            let key = SealKey::new(&DataKey::random(), BACKUP_PURPOSE);
            prop_assert!(read(&key, &bytes, piece).is_err());
            let started = [MAGIC.as_slice(), &bytes].concat();
            prop_assert!(read(&key, &started, piece).is_err());
        }
    }

    #[test]
    fn promise_02_a_backup_that_was_cut_changed_or_mixed_is_refused() {
        let key = SealKey::new(&DataKey::random(), BACKUP_PURPOSE);
        let file = written(&key, 2);
        for length in 0..file.len() {
            assert!(
                matches!(read(&key, &file[..length], 64), Err(BackupError::Cut(_))),
                "{length}"
            );
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(read(&key, &changed, 64).is_err(), "byte {at}");
        }
        let longer = [file.as_slice(), b"\x03"].concat();
        assert_eq!(read(&key, &longer, 64), Err(BackupError::AfterTheEnd));
        // Two chunks in each other's place, each of them whole.
        let chunk = 5 + 32 + 5;
        let start = MAGIC.len() + 10 + 10;
        let mut swapped = file.clone();
        swapped[start..start + chunk].copy_from_slice(&file[start + chunk..start + 2 * chunk]);
        swapped[start + chunk..start + 2 * chunk].copy_from_slice(&file[start..start + chunk]);
        assert_eq!(read(&key, &swapped, 64), Err(BackupError::Digest));
        // The end of another backup of the same vault.
        let other = written(&key, 1);
        let end = file.len() - (5 + DIGEST + crate::SEAL_OVERHEAD);
        let other_end = other.len() - (5 + DIGEST + crate::SEAL_OVERHEAD);
        let mixed = [&file[..end], &other[other_end..]].concat();
        assert_eq!(read(&key, &mixed, 64), Err(BackupError::Digest));
    }
}
