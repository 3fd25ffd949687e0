//! Chunks: cut by content, so that a change moves few of them; named by a keyed hash, so that equal ones are stored
//! once and the names say nothing; compressed where that helps; sealed under their name.
//!
//! Plaintext of a sealed chunk: `0x00 || bytes` or `0x01 || zstd frame`.

use bytes::Bytes;
use fastcdc::v2020::StreamCDC;
use serde::{Deserialize, Serialize};
use std::io::Read;
use zeroize::Zeroizing;

use super::seal::{HomeVault, Purpose};
use super::{HomeError, blocking};
use crate::limits::{CHUNK_AVERAGE, CHUNK_MAX, CHUNK_MIN};
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

/// A chunk with its content, not sealed yet.
pub(super) struct PlainChunk {
    pub at: ChunkRef,
    pub bytes: Zeroizing<Vec<u8>>,
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

/// Cuts content while it is read.
pub(super) fn cut_stream(vault: &dyn HomeVault, source: impl Read, each: Sink<'_>) -> Result<Vec<ChunkRef>, HomeError> {
    let mut chunks = Vec::new();
    for piece in StreamCDC::new(source, CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX) {
        let piece = piece.map_err(|error| HomeError::Files {
            doing: "read",
            why: error.to_string(),
        })?;
        let bytes = Zeroizing::new(piece.data);
        let at = reference(vault, &bytes)?;
        each(at, &bytes)?;
        chunks.push(at);
    }
    Ok(chunks)
}

/// Compresses if it helps, and seals.
pub(super) fn seal(vault: &dyn HomeVault, chunk: &PlainChunk) -> Result<Bytes, HomeError> {
    let packed = pack(&chunk.bytes);
    vault
        .seal(Purpose::Chunk, &object(&chunk.at.name), VERSION, &packed)
        .map(Bytes::from)
}

/// Opens and checks that it is the chunk that was asked for.
pub(super) fn open(vault: &dyn HomeVault, at: &ChunkRef, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let name = object(&at.name);
    let packed = vault.open(Purpose::Chunk, &name, VERSION, sealed)?;
    let plain = unpack(&packed, at.length as usize).map_err(|why| HomeError::Damaged {
        what: name.clone(),
        why,
    })?;
    if plain.len() != at.length as usize || vault.content_id(&plain)? != at.name {
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

pub(super) fn pack(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let compressible = plain.len() <= 4 * SAMPLE || {
        let middle = plain.len() / 2;
        shrinks(&plain[middle..middle + SAMPLE])
    };
    if compressible
        && let Ok(frame) = zstd::bulk::compress(plain, LEVEL)
        && frame.len() < plain.len()
    {
        let frame = Zeroizing::new(frame);
        let mut packed = Zeroizing::new(Vec::with_capacity(frame.len() + 1));
        packed.push(ZSTD);
        packed.extend_from_slice(&frame);
        return packed;
    }
    let mut packed = Zeroizing::new(Vec::with_capacity(plain.len() + 1));
    packed.push(RAW);
    packed.extend_from_slice(plain);
    packed
}

fn shrinks(sample: &[u8]) -> bool {
    zstd::bulk::compress(sample, LEVEL).is_ok_and(|frame| frame.len() < sample.len() / 10 * 9)
}

pub(super) fn unpack(packed: &[u8], most: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    match packed.split_first() {
        Some((&RAW, bytes)) if bytes.len() <= most => Ok(Zeroizing::new(bytes.to_vec())),
        Some((&RAW, _)) => Err("it is longer than it says".to_owned()),
        Some((&ZSTD, frame)) => zstd::bulk::decompress(frame, most)
            .map(Zeroizing::new)
            .map_err(|error| format!("it cannot be decompressed: {error}")),
        Some((kind, _)) => Err(format!("packing {kind} is not known to this keeper")),
        None => Err("it is empty".to_owned()),
    }
}
