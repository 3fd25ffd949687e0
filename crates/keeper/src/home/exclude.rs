//! What of a home is not kept: caches, which their owners make again. The folders themselves are kept, empty.

const CACHES: [&[u8]; 3] = [b".openclaw/cache", b".cache", b".npm/_cacache"];

/// Whether the content of this folder (a path relative to the home) is left out.
pub(super) fn is_cache(path: &[u8]) -> bool {
    CACHES.contains(&path)
}
