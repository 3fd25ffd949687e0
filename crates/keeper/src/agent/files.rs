//! Files that the keeper puts into the agent's home. It belongs to a hostile agent while it runs: every step is relative to an open
//! folder, never follows a link, and replaces what it finds in the way.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use protocol::bridge::AGENT_UID;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

/// The home could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum HomeFileError {
    #[error("cannot write into the agent's home: {step}: {source}")]
    Write { step: &'static str, source: std::io::Error },
}

/// Opens the home.
pub(super) fn open(home: &Path) -> Result<OwnedFd, HomeFileError> {
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    rustix::fs::openat(CWD, home, folder, Mode::empty()).map_err(|e| failed("opening the home", e))
}

/// Opens a folder of the agent's, making it where it is missing or something else is in its place.
pub(super) fn own_folder(parent: &OwnedFd, name: &str) -> Result<OwnedFd, HomeFileError> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(folder) => return Ok(folder),
        Err(Errno::NOENT) => {}
        Err(_) => set_aside(parent, name)?,
    }
    rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(|e| failed("making a folder", e))?;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|e| failed("opening a folder", e))?;
    give_to_agent(&folder)?;
    Ok(folder)
}

/// Puts a file into a folder, owned by the agent and readable by it alone, by way of one called `partial`.
pub(super) fn place(folder: &OwnedFd, name: &str, partial: &str, text: &str) -> Result<(), HomeFileError> {
    match rustix::fs::unlinkat(folder, partial, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(_) => set_aside(folder, partial)?,
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, partial, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|e| failed("making the file", e))?;
    let mut file = std::fs::File::from(file);
    file.write_all(text.as_bytes()).map_err(|source| HomeFileError::Write {
        step: "writing the file",
        source,
    })?;
    give_to_agent(&file)?;
    if is_folder(folder, name) {
        set_aside(folder, name)?;
    }
    // Replaces a link itself, never what it points to.
    rustix::fs::renameat(folder, partial, folder, name).map_err(|e| failed("putting the file in place", e))
}

/// Takes a file away if it is there; a folder in its place is left alone.
pub(super) fn take_away(folder: &OwnedFd, name: &str) -> Result<(), HomeFileError> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
        Err(errno) => Err(failed("taking a file away", errno)),
    }
}

/// Opens a folder that may be there; a link to one is none.
pub(super) fn folder(parent: &OwnedFd, name: &str) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    rustix::fs::openat(parent, name, flags, Mode::empty()).ok()
}

/// Names in a folder that begin with this, of so many that are looked at.
pub(super) fn names_with(folder: &OwnedFd, prefix: &str, most: usize) -> Result<Vec<String>, HomeFileError> {
    let entries = rustix::fs::Dir::read_from(folder).map_err(|e| failed("reading a folder", e))?;
    let names = entries.take(most).filter_map(|entry| {
        let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
        name.starts_with(prefix).then_some(name)
    });
    Ok(names.collect())
}

/// Takes away an empty folder; one in which the agent keeps something stays.
pub(super) fn take_folder_away(parent: &OwnedFd, name: &str) -> Result<(), HomeFileError> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(failed("taking a folder away", errno)),
    }
}

/// What a file holds; none where it is not there, is no file, is larger than this, or is no text.
pub(super) fn read(folder: &OwnedFd, name: &str, most: u64) -> Option<String> {
    // What is no file, such as a pipe, is not waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut text = String::new();
    let mut file = std::fs::File::from(file).take(most + 1);
    file.read_to_string(&mut text).ok()?;
    u64::try_from(text.len())
        .is_ok_and(|length| length <= most)
        .then_some(text)
}

/// Gives what is there another name, in the place of whatever had that.
pub(super) fn rename(folder: &OwnedFd, name: &str, other: &str) -> Result<(), HomeFileError> {
    if is_folder(folder, other) {
        set_aside(folder, other)?;
    }
    match rustix::fs::renameat(folder, name, folder, other) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // A folder does not take the place of a file.
        Err(Errno::NOTDIR) => set_aside(folder, name),
        Err(errno) => Err(failed("putting a file beside another", errno)),
    }
}

fn give_to_agent(file: impl AsFd) -> Result<(), HomeFileError> {
    let (user, group) = (Uid::from_raw(AGENT_UID), Gid::from_raw(AGENT_UID));
    rustix::fs::fchown(file, Some(user), Some(group)).map_err(|e| failed("giving it to the agent", e))
}

fn is_folder(parent: &OwnedFd, name: &str) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Moves what is in the way aside; it is the agent's, so it is not deleted.
fn set_aside(parent: &OwnedFd, name: &str) -> Result<(), HomeFileError> {
    let aside = format!("{name}.{}", uuid::Uuid::new_v4().simple());
    rustix::fs::renameat(parent, name, parent, aside).map_err(|e| failed("moving something out of the way", e))
}

fn failed(step: &'static str, errno: Errno) -> HomeFileError {
    HomeFileError::Write {
        step,
        source: errno.into(),
    }
}
