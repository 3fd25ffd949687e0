//! Chunks: cut by content, so that a change moves few of them; named by a keyed hash, so that equal ones are stored
//! once and the names say nothing; compressed where that helps; sealed under their name.
//!
//! Plaintext of a sealed chunk: `0x00 || bytes` or `0x01 || zstd frame`.

use bytes::Bytes;
use fastcdc::v2020::{FastCDC, Normalization};
use futures::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use std::io::Read;
use vault::{SEAL_HEADER, SEAL_OVERHEAD};
use zeroize::Zeroizing;

use super::seal::{HomeVault, Purpose};
use super::{HomeError, blocking};
use crate::limits::{CHUNK_AVERAGE, CHUNK_MAX, CHUNK_MIN, CHUNKS_IN_FLIGHT, LARGE_FILE_BYTES, LARGE_FILE_CHUNKS};
use crate::platform::Blobs;
use std::sync::Arc;

/// The vault's purpose for chunk keys.
pub const CHUNK_PURPOSE: &str = "home/chunk";
/// Where chunks are in the store.
pub(super) const CHUNK_PREFIX: &str = "home/c/";
const VERSION: u64 = 1;
const RAW: u8 = 0;
const ZSTD: u8 = 1;
const LEVEL: i32 = 1;
/// A chunk longer than four samples is compressed whole only if a sample of it shrinks.
const SAMPLE: usize = 4096;
/// Memory through which a file is read, in its largest chunks: enough that little is moved when it is filled again.
const WINDOW: usize = 4;

/// Keyed hash of a chunk's plaintext.
pub(super) type ChunkName = [u8; 32];

/// A chunk as a manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkRef {
    pub name: ChunkName,
    pub length: u32,
}

/// Gets every chunk of every file that is read.
pub(super) type Sink<'a> = &'a mut dyn FnMut(ChunkRef, &[u8]) -> Result<(), HomeError>;

/// A chunk with its content, not sealed yet, in the memory that becomes the sealed object if it does not shrink.
pub(super) struct PlainChunk {
    at: ChunkRef,
    /// [`SEAL_HEADER`] free bytes, [`RAW`], the content; capacity for the tag.
    record: Zeroizing<Vec<u8>>,
}

impl PlainChunk {
    pub fn copy(at: ChunkRef, content: &[u8]) -> Self {
        let mut record = Zeroizing::new(Vec::with_capacity(content.len() + 1 + SEAL_OVERHEAD));
        record.resize(SEAL_HEADER, 0);
        record.push(RAW);
        record.extend_from_slice(content);
        Self { at, record }
    }

    /// The name of its object in the store.
    pub fn object(&self) -> String {
        object(&self.at.name)
    }

    fn content(&self) -> &[u8] {
        &self.record[SEAL_HEADER + 1..]
    }
}

/// The name of a chunk's object in the store.
pub(super) fn object(name: &ChunkName) -> String {
    let mut text = String::with_capacity(CHUNK_PREFIX.len() + 64);
    text.push_str(CHUNK_PREFIX);
    push_hex(&mut text, name);
    text
}

pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Names a piece of content.
fn reference(vault: &dyn HomeVault, bytes: &[u8]) -> Result<ChunkRef, HomeError> {
    Ok(ChunkRef {
        name: vault.content_id(bytes)?,
        length: u32::try_from(bytes.len()).map_err(|_| HomeError::Internal("a chunk of 4 GiB".to_owned()))?,
    })
}

/// Cuts files by content while they are read, all through one window of memory.
pub(super) struct Cutter<'v> {
    vault: &'v dyn HomeVault,
    window: Zeroizing<Vec<u8>>,
}

impl<'v> Cutter<'v> {
    pub fn new(vault: &'v dyn HomeVault) -> Self {
        Self {
            vault,
            window: Zeroizing::default(),
        }
    }

    /// Cuts one file of about `size` bytes. A large one is cut into larger chunks: what a chunk costs beside its bytes counts
    /// there, and what a small change costs does not.
    pub fn cut(&mut self, mut source: impl Read, size: u64, each: Sink<'_>) -> Result<Vec<ChunkRef>, HomeError> {
        let times = if size < LARGE_FILE_BYTES { 1 } else { LARGE_FILE_CHUNKS };
        let (average, most) = (CHUNK_AVERAGE * times, CHUNK_MAX * times);
        // What comes before the least is not looked at, and soon after the average a cut is likely: most of a large file is passed over.
        let (least, level) = match times {
            1 => (CHUNK_MIN, Normalization::Level1),
            _ => (average / 8 * 7, Normalization::Level3),
        };
        // One byte more than there should be, so that the end is seen without growing.
        let wanted = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .clamp(most, WINDOW * most - 1)
            + 1;
        if self.window.capacity() < wanted {
            self.window = Zeroizing::new(Vec::with_capacity(wanted));
        }
        self.window.clear();
        let window = &mut *self.window;
        let (mut chunks, mut start, mut ended) = (Vec::new(), 0, false);
        loop {
            if !ended && window.len() - start < most {
                window.drain(..start);
                start = 0;
                let room = window.capacity() - window.len();
                let read = (&mut source)
                    .take(room as u64)
                    .read_to_end(window)
                    .map_err(|error| HomeError::Files {
                        doing: "read",
                        why: error.to_string(),
                    })?;
                ended = read < room;
            }
            let rest = &window[start..];
            if rest.is_empty() {
                return Ok(chunks);
            }
            let (_, length) = FastCDC::with_level(rest, least, average, most, level).cut(0, rest.len());
            let at = reference(self.vault, &rest[..length])?;
            each(at, &rest[..length])?;
            chunks.push(at);
            start += length;
        }
    }
}

/// Each chunk sealed, with the name of its object; several at once, in any order.
pub(super) fn sealed(
    vault: &Arc<dyn HomeVault>,
    chunks: impl Stream<Item = PlainChunk>,
) -> impl Stream<Item = Result<(String, Bytes), HomeError>> {
    chunks
        .map(|chunk| {
            let (keys, name) = (vault.clone(), chunk.object());
            async move { Ok((name, blocking(move || seal(&*keys, chunk)).await?)) }
        })
        .buffer_unordered(CHUNKS_IN_FLIGHT)
}

/// Compresses if it helps, and seals.
pub(super) fn seal(vault: &dyn HomeVault, mut chunk: PlainChunk) -> Result<Bytes, HomeError> {
    let record = match compressed(SEAL_HEADER, chunk.content()) {
        Some(mut smaller) => std::mem::take(&mut *smaller),
        None => std::mem::take(&mut *chunk.record),
    };
    vault
        .seal(Purpose::Chunk, &chunk.object(), VERSION, record)
        .map(Bytes::from)
}

/// Opens and checks that it is the chunk that was asked for.
pub(super) fn open(vault: &dyn HomeVault, at: &ChunkRef, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let name = object(&at.name);
    let packed = vault.open(Purpose::Chunk, &name, VERSION, sealed)?;
    let plain = unpack(packed, at.length as usize).map_err(|why| HomeError::Damaged {
        what: name.clone(),
        why,
    })?;
    if plain.len() != at.length as usize || !vault.is_content_id(&plain, &at.name)? {
        return Err(HomeError::Damaged {
            what: name,
            why: "its content is not what its name says".to_owned(),
        });
    }
    Ok(plain)
}

/// Reads a chunk from the store.
pub(super) async fn fetch(
    blobs: &Blobs,
    vault: &Arc<dyn HomeVault>,
    at: ChunkRef,
) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let sealed = blobs.get(&object(&at.name)).await?;
    let vault = vault.clone();
    blocking(move || open(&*vault, &at, &sealed)).await
}

/// `free` bytes, then the content as it is packed, then capacity for a tag.
pub(super) fn pack(free: usize, content: &[u8]) -> Zeroizing<Vec<u8>> {
    compressed(free, content).unwrap_or_else(|| {
        let mut packed = Zeroizing::new(Vec::with_capacity(free + 1 + content.len() + SEAL_OVERHEAD));
        packed.resize(free, 0);
        packed.push(RAW);
        packed.extend_from_slice(content);
        packed
    })
}

/// As [`pack`], if it becomes shorter by that.
fn compressed(free: usize, content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let middle = content.len() / 2;
    if content.is_empty() || content.len() > 4 * SAMPLE && !shrinks(&content[middle..middle + SAMPLE]) {
        return None;
    }
    let mut packed = Zeroizing::new(Vec::with_capacity(free + 1 + content.len() + SEAL_OVERHEAD));
    packed.resize(free, 0);
    packed.push(ZSTD);
    // Room for one byte less than the content: what does not fit does not help.
    packed.resize(free + content.len(), 0);
    let length = zstd::bulk::compress_to_buffer(content, &mut packed[free + 1..], LEVEL).ok()?;
    packed.truncate(free + 1 + length);
    Some(packed)
}

fn shrinks(sample: &[u8]) -> bool {
    let mut room = [0; SAMPLE / 10 * 9];
    zstd::bulk::compress_to_buffer(sample, &mut room, LEVEL).is_ok()
}

pub(super) fn unpack(mut packed: Zeroizing<Vec<u8>>, most: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    match packed.split_first() {
        Some((&RAW, bytes)) if bytes.len() <= most => {
            // Moved in its own memory: that costs less than new memory.
            packed.remove(0);
            Ok(packed)
        }
        Some((&RAW, _)) => Err("it is longer than it says".to_owned()),
        Some((&ZSTD, frame)) => zstd::bulk::decompress(frame, most)
            .map(Zeroizing::new)
            .map_err(|error| format!("it cannot be decompressed: {error}")),
        Some((kind, _)) => Err(format!("packing {kind} is not known to this keeper")),
        None => Err("it is empty".to_owned()),
    }
}
