//! What the fuzz targets reach of a home: readers of what a store may have changed, behind the seal.

use zeroize::Zeroizing;

use super::chunk;
use super::manifest::{Content, Entry, Kind, Manifest};
use crate::limits;

/// Reads a manifest. One that is read is written and read again as the same.
///
/// # Panics
/// When it is not, or when it holds what [`Manifest::decode`] promises to refuse.
pub fn manifest(plain: &[u8]) {
    const NUMBER: u64 = 7;
    let Ok(manifest) = Manifest::decode(NUMBER, plain) else {
        return;
    };
    assert_eq!(manifest.number, NUMBER);
    for entry in &manifest.entries {
        assert!(!entry.name.contains(&b'/') && entry.name != b".." && entry.name != b".");
        assert!((1..=limits::HOME_DEPTH).contains(&usize::from(entry.depth)));
    }
    let again = manifest.encode(0).expect("what was read can be written");
    assert!(Manifest::decode(NUMBER, &again).is_ok_and(|again| again == manifest));
}

/// A manifest to begin with.
pub fn a_manifest() -> Vec<u8> {
    let entry = |depth, name: &[u8], kind| Entry {
        depth,
        name: name.to_vec(),
        mode: 0o644,
        modified: 1_700_000_000_000_000_000,
        kind,
    };
    let part = chunk::ChunkRef {
        name: [3; 32],
        length: 70_000,
    };
    let manifest = Manifest {
        number: 7,
        parent: Some([1; 32]),
        made: 1_700_000_000_000,
        entries: vec![
            entry(1, b"folder", Kind::Folder),
            entry(2, b"file", Kind::File(Content::Inline(b"content".to_vec()).into())),
            entry(2, b"large", Kind::File(Content::Chunks(vec![part, part]).into())),
            entry(1, b"link", Kind::Link(b"folder/file".to_vec())),
        ],
    };
    manifest.encode(0).map(|plain| plain.to_vec()).unwrap_or_default()
}

/// Unpacks a chunk of at most so many bytes.
///
/// # Panics
/// When it gives more, or when what it gives does not survive being packed.
pub fn chunk(packed: &[u8], most: usize) {
    if let Ok(plain) = chunk::unpack(Zeroizing::new(packed.to_vec()), most) {
        assert!(plain.len() <= most);
        let again = chunk::unpack(chunk::pack(0, &plain), plain.len());
        assert!(again.is_ok_and(|again| *again == *plain));
    }
}

/// A packed chunk to begin with.
pub fn a_chunk(content: &[u8]) -> Vec<u8> {
    chunk::pack(0, content).to_vec()
}
