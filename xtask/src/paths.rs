//! Where things are: the repository, cargo's output, what xtask keeps between runs.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Cargo's target directory, also when it is set from outside.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// What xtask downloads or makes and may be deleted at any time.
pub fn cache() -> PathBuf {
    target().join("xtask")
}

/// The data directory when none is named: the system's place for root, the repository's own otherwise.
pub fn default_data_dir() -> PathBuf {
    if crate::machine::is_root() {
        PathBuf::from("/var/lib/holdfast")
    } else {
        root().join(".holdfast")
    }
}

/// An absolute form of a path that may not exist yet.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
