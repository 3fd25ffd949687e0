//! Emptying a home, however it was built: symbolic links are removed, not followed, and folders nested deeper than a
//! process can hold open are taken apart in slices.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, renameat, unlinkat};
use rustix::io::Errno;

use super::{HomeError, folder};
use crate::limits;

/// Removes everything in the folder. Nobody else may be writing it.
pub(super) fn wipe(root: &OwnedFd) -> Result<(), HomeError> {
    let mut slices = 0_u64;
    loop {
        let names = folder::names(root)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            remove(root.as_fd(), root.as_fd(), &name, 1, &mut slices)?;
        }
    }
}

fn remove(
    root: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &CStr,
    depth: usize,
    slices: &mut u64,
) -> Result<(), HomeError> {
    let error = HomeError::files("removed");
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(error(errno)),
    }
    if depth > limits::HOME_DEPTH {
        *slices += 1;
        let slice = CString::new(format!(".holdfast-wipe-{slices}")).expect("digits hold no NUL byte");
        return renameat(parent, name, root, &slice).map_err(error);
    }
    let inside = folder::open_folder(parent, name).map_err(&error)?;
    for child in folder::names(&inside)? {
        remove(root, inside.as_fd(), &child, depth + 1, slices)?;
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(error)
}
