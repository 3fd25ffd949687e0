//! Removing single files from the home, such as the archive of a deleted conversation.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::{Home, HomeError, blocking, folder};

impl Home {
    /// Removes these files, given relative to the home. What is not there is passed over; a symbolic link is removed
    /// itself where it is named, and refused where it leads to.
    ///
    /// # Errors
    /// [`HomeError::Files`].
    pub async fn remove_files(&self, paths: &[String]) -> Result<(), HomeError> {
        let _one_at_a_time = self.shared.state.lock().await;
        let folder = self.shared.folder.clone();
        let paths = paths.to_vec();
        blocking(move || {
            let root = folder::open_root(&folder)?;
            paths.iter().try_for_each(|path| remove(&root, path))
        })
        .await
    }
}

fn remove(root: &OwnedFd, path: &str) -> Result<(), HomeError> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match CString::new(part) {
            Ok(name) if !part.is_empty() && part != "." && part != ".." => parts.push(name),
            _ => {
                return Err(HomeError::Files {
                    doing: "removed",
                    why: "a path leads out of the home".to_owned(),
                });
            }
        }
    }
    let error = HomeError::files("removed");
    let mut inside: Option<OwnedFd> = None;
    let Some((file, folders)) = parts.split_last() else {
        return Ok(());
    };
    for name in folders {
        let parent = inside.as_ref().map_or(root.as_fd(), |folder| folder.as_fd());
        let opened = match folder::open_folder(parent, name) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(error(errno)),
        };
        inside = Some(opened);
    }
    let parent = inside.as_ref().map_or(root.as_fd(), |folder| folder.as_fd());
    match unlinkat(parent, file, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(error(errno)),
    }
}
