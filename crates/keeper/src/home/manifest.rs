//! The manifest: one complete set of files, numbered, sealed, and bound to the one before it.
//!
//! Plaintext: `0x01 || packed postcard`, sealed as version `number`, stored as
//! `home/m/<number, 20 digits>-<first 8 bytes of its digest>`: two attempts at one number never replace each other.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use vault::SEAL_HEADER;
use zeroize::Zeroizing;

use super::HomeError;
use super::chunk::{self, ChunkName, ChunkRef};
use super::seal::{HomeVault, Purpose};
use crate::limits;

/// The vault's purpose for manifest keys.
pub const MANIFEST_PURPOSE: &str = "home/manifest";
/// Where manifests are in the store.
pub(super) const MANIFEST_PREFIX: &str = "home/m/";
/// Where one waits that came with a backup.
const STAGED_PREFIX: &str = "home/r/";
const FORMAT: u8 = 1;
const NAME: &str = "home/manifest";
/// Largest manifest in memory: what [`limits::HOME_ENTRIES`] and [`limits::HOME_BYTES`] can need.
const PLAIN_BYTES: usize = 64 * 1024 * 1024;

/// Which manifest is the newest acknowledged one; kept in the vault, where the store cannot turn it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub number: u64,
    /// SHA-256 of the sealed manifest.
    pub digest: [u8; 32],
}

/// What one sealed home is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub number: u64,
    /// Digest of the sealed manifest before this one.
    pub parent: Option<[u8; 32]>,
    /// Milliseconds since the Unix epoch.
    pub made: i64,
    /// Parents before children, each folder's entries together.
    pub entries: Vec<Entry>,
}

/// One file, folder or symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// 1 for what lies in the home itself.
    pub depth: u16,
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    pub mode: u16,
    /// Nanoseconds since the Unix epoch.
    pub modified: i64,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Folder,
    Link(#[serde(with = "serde_bytes")] Vec<u8>),
    File(Arc<Content>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    Chunks(Vec<ChunkRef>),
}

impl Content {
    /// The chunks that it needs.
    pub fn chunks(&self) -> &[ChunkRef] {
        match self {
            Self::Inline(_) => &[],
            Self::Chunks(chunks) => chunks,
        }
    }
}

impl Manifest {
    /// All chunks, repeated where they are used more than once.
    pub fn chunks(&self) -> impl Iterator<Item = ChunkRef> + '_ {
        self.entries
            .iter()
            .flat_map(|entry| match &entry.kind {
                Kind::File(content) => content.chunks(),
                _ => &[],
            })
            .copied()
    }

    /// All names of chunks.
    pub fn chunk_names(&self) -> impl Iterator<Item = ChunkName> + '_ {
        self.chunks().map(|chunk| chunk.name)
    }

    /// A digest of what it says, without number and parent.
    pub fn entries_digest(&self) -> Result<[u8; 32], HomeError> {
        Ok(digest(&encode(&self.entries)?))
    }

    /// Seals it for the store.
    pub fn seal(&self, vault: &dyn HomeVault) -> Result<Bytes, HomeError> {
        let mut record = self.encode(SEAL_HEADER)?;
        let sealed = vault.seal(Purpose::Manifest, NAME, self.number, std::mem::take(&mut *record))?;
        if sealed.len() > protocol::limits::BLOB_BYTES {
            return Err(HomeError::ManifestTooLarge);
        }
        Ok(sealed.into())
    }

    /// `free` bytes, then what is sealed.
    pub fn encode(&self, free: usize) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        let mut record = chunk::pack(free + 1, &Zeroizing::new(encode(self)?));
        record[free] = FORMAT;
        Ok(record)
    }

    /// Opens manifest `number`; another number, another format or a name that is not one is refused.
    pub fn open(vault: &dyn HomeVault, number: u64, sealed: &[u8]) -> Result<Self, HomeError> {
        Self::decode(number, &vault.open(Purpose::Manifest, NAME, number, sealed)?)
    }

    /// Reads what was sealed as manifest `number`.
    pub fn decode(number: u64, plain: &[u8]) -> Result<Self, HomeError> {
        let damaged = |why: String| HomeError::Damaged {
            what: format!("manifest {number}"),
            why,
        };
        let Some((&FORMAT, packed)) = plain.split_first() else {
            return Err(damaged("its format is not known to this keeper".to_owned()));
        };
        let encoded = chunk::unpack(Zeroizing::new(packed.to_vec()), PLAIN_BYTES).map_err(damaged)?;
        let manifest: Self = postcard::from_bytes(&encoded).map_err(|error| damaged(error.to_string()))?;
        if manifest.number != number {
            return Err(damaged("it says another number".to_owned()));
        }
        manifest.check().map_err(damaged)?;
        Ok(manifest)
    }

    /// Names and depths make a tree below the home, and nothing else.
    fn check(&self) -> Result<(), String> {
        let mut deepest_folder = 0;
        for entry in &self.entries {
            let name = entry.name.as_slice();
            if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
                return Err("an entry's name is not a name".to_owned());
            }
            if entry.depth == 0 || entry.depth > deepest_folder + 1 || usize::from(entry.depth) > limits::HOME_DEPTH {
                return Err("an entry is in no folder".to_owned());
            }
            if let Kind::File(content) = &entry.kind
                && content
                    .chunks()
                    .iter()
                    .any(|chunk| chunk.length as usize > limits::CHUNK_MAX * limits::LARGE_FILE_CHUNKS)
            {
                return Err("a chunk is larger than one may be (CHUNK_MAX × LARGE_FILE_CHUNKS)".to_owned());
            }
            deepest_folder = if entry.kind == Kind::Folder {
                entry.depth
            } else {
                entry.depth - 1
            };
        }
        Ok(())
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, HomeError> {
    postcard::to_stdvec(value).map_err(|error| HomeError::Internal(error.to_string()))
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The name of a manifest's object in the store.
pub(super) fn object(pin: &Pin) -> String {
    let mut text = format!("{MANIFEST_PREFIX}{:020}-", pin.number);
    chunk::push_hex(&mut text, &pin.digest[..8]);
    text
}

/// Where the list of files of a backup waits until the vault pins it. It is no list that could be taken over by itself.
pub(super) fn staged(pin: &Pin) -> String {
    object(pin).replacen(MANIFEST_PREFIX, STAGED_PREFIX, 1)
}

/// The number in such a name.
pub(super) fn number_of(object: &str) -> Option<u64> {
    let (number, _) = object.strip_prefix(MANIFEST_PREFIX)?.split_once('-')?;
    number.parse().ok()
}
