//! Walking a folder that someone hostile writes: by descriptors, one component at a time, never through a symbolic
//! link, never onto another file system, never opening what could block.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::{HomeError, exclude};
use crate::limits;

/// What tells whether a file is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    pub size: u64,
    modified: i64,
    /// Set by the kernel at every change of content or metadata; nobody can choose it.
    pub changed: i64,
}

/// One thing in the home.
pub(super) struct Visit<'a> {
    /// Relative to the home.
    pub path: &'a [u8],
    pub name: &'a [u8],
    pub depth: u16,
    pub mode: u16,
    /// Nanoseconds since the Unix epoch.
    pub modified: i64,
    pub what: What<'a>,
}

pub(super) enum What<'a> {
    Folder,
    Link(Vec<u8>),
    File(FileAt<'a>),
}

/// A regular file that was seen, not opened yet.
pub(super) struct FileAt<'a> {
    folder: BorrowedFd<'a>,
    name: &'a CStr,
    pub stamp: Stamp,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl FileAt<'_> {
    /// Opens it; `None` if it is no longer a regular file of that name.
    pub fn open(&self) -> Result<Option<(std::fs::File, Stamp)>, HomeError> {
        // NONBLOCK: a FIFO put there meanwhile must not hold us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(self.folder, self.name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(errno) if gone(errno) => return Ok(None),
            Err(errno) => return Err(HomeError::files("opened")(errno)),
        };
        let stat = fstat(&file).map_err(HomeError::files("read"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        Ok(Some((file.into(), stamp(&stat))))
    }
}

/// Whether an error says that a name has changed under us.
fn gone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::STALE
    )
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
pub(super) fn stamp(stat: &Stat) -> Stamp {
    Stamp {
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        changed: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    }
}

/// Opens the home itself.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, HomeError> {
    openat(CWD, path, FOLDER, Mode::empty()).map_err(HomeError::files("opened"))
}

/// Opens a folder in a folder.
pub(super) fn open_folder(parent: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(parent, name, FOLDER, Mode::empty())
}

/// The names in a folder, sorted.
pub(super) fn names(folder: impl AsFd) -> Result<Vec<CString>, HomeError> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(HomeError::files("listed"))? {
        let entry = entry.map_err(HomeError::files("listed"))?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
            if names.len() > limits::HOME_ENTRIES {
                return Err(HomeError::TooManyEntries);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Visits everything in the home, parents before children; what is neither file, folder nor symbolic link is passed over.
pub(super) fn walk(root: &OwnedFd, visit: &mut dyn FnMut(Visit<'_>) -> Result<(), HomeError>) -> Result<(), HomeError> {
    let device = fstat(root).map_err(HomeError::files("read"))?.st_dev;
    let mut walker = Walker {
        device,
        path: Vec::new(),
        seen: 0,
        bytes: 0,
        visit,
    };
    walker.folder(root.as_fd(), 1)
}

struct Walker<'v> {
    device: u64,
    path: Vec<u8>,
    seen: usize,
    bytes: u64,
    visit: &'v mut dyn FnMut(Visit<'_>) -> Result<(), HomeError>,
}

impl Walker<'_> {
    fn folder(&mut self, folder: BorrowedFd<'_>, depth: usize) -> Result<(), HomeError> {
        for name in names(folder)? {
            let before = self.path.len();
            if before > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.to_bytes());
            let result = self.entry(folder, &name, depth);
            self.path.truncate(before);
            result?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), HomeError> {
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(errno) if gone(errno) => return Ok(()),
            Err(errno) => return Err(HomeError::files("read")(errno)),
        };
        if stat.st_dev != self.device {
            return Ok(());
        }
        let mut inside = None;
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let stamp = stamp(&stat);
                self.bytes = self.bytes.saturating_add(stamp.size);
                What::File(FileAt { folder, name, stamp })
            }
            FileType::Directory => match open_folder(folder, name) {
                Ok(opened) => {
                    inside = Some(opened);
                    What::Folder
                }
                Err(errno) if gone(errno) => return Ok(()),
                Err(errno) => return Err(HomeError::files("opened")(errno)),
            },
            FileType::Symlink => match readlinkat(folder, name, Vec::new()) {
                Ok(target) => What::Link(target.into_bytes()),
                Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
                Err(errno) => return Err(HomeError::files("read")(errno)),
            },
            _ => return Ok(()),
        };
        self.seen += 1;
        if self.seen > limits::HOME_ENTRIES {
            return Err(HomeError::TooManyEntries);
        }
        if self.bytes > limits::HOME_BYTES {
            return Err(HomeError::TooLarge);
        }
        if self.path.len() > limits::HOME_PATH_BYTES {
            return Err(HomeError::PathTooLong);
        }
        if depth > limits::HOME_DEPTH {
            return Err(HomeError::TooDeep);
        }
        (self.visit)(Visit {
            path: &self.path,
            name: name.to_bytes(),
            depth: u16::try_from(depth).map_err(|_| HomeError::TooDeep)?,
            mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
            modified: stamp(&stat).modified,
            what,
        })?;
        match inside {
            Some(opened) if !exclude::is_cache(&self.path) => self.folder(opened.as_fd(), depth + 1),
            _ => Ok(()),
        }
    }
}
