//! What is in a folder, to compare: kind, mode, time and content of everything, links not followed.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

pub type Tree = BTreeMap<Vec<u8>, String>;

pub fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    add(root, root, &mut found);
    found
}

fn add(root: &Path, folder: &Path, found: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        let what = if meta.is_symlink() {
            format!("link to {:?}", std::fs::read_link(&path).unwrap())
        } else if meta.is_dir() {
            add(root, &path, found);
            format!("folder {:o} {}.{}", meta.mode(), meta.mtime(), meta.mtime_nsec())
        } else {
            let content = std::fs::read(&path).unwrap();
            format!(
                "file {:o} {}.{} {}",
                meta.mode(),
                meta.mtime(),
                meta.mtime_nsec(),
                digest(&content)
            )
        };
        found.insert(name, what);
    }
}

fn digest(content: &[u8]) -> String {
    let mut text = String::new();
    super::super::chunk::push_hex(&mut text, &super::super::manifest::digest(content));
    text
}
