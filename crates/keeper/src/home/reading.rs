//! One pass over the home: what is there, and the content of what has changed since it was last read.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::chunk::{Cutter, Sink};
use super::folder::{self, FileAt, Stamp, What};
use super::manifest::{Content, Entry, Kind};
use super::seal::HomeVault;
use super::{Cached, HomeError};
use crate::limits;

/// A file that changed less than this before it was read may change again without its times telling: the kernel's
/// clock for files ticks every 10 ms at worst. Such a file is read again the next time.
const CLOCK_TICKS_NANOS: i64 = 50_000_000;

/// What each file held when it was last read.
pub(super) type Cache = HashMap<Vec<u8>, Cached>;

/// What a pass found.
pub(super) struct Reading {
    /// Everything, in order; complete only if nothing was passed over.
    pub entries: Vec<Entry>,
    /// What was read or still holds.
    pub cache: Cache,
}

/// Reads the home. Changed files of up to `pass_over` bytes are left out (for a pass while the agent runs).
pub(super) fn read(
    home: &Path,
    vault: &dyn HomeVault,
    before: &Cache,
    pass_over: Option<u64>,
    sink: Sink<'_>,
) -> Result<Reading, HomeError> {
    let root = folder::open_root(home)?;
    let mut entries = Vec::with_capacity(before.len());
    let mut cache = Cache::with_capacity(before.len());
    let mut cutter = Cutter::new(vault);
    folder::walk(&root, &mut |visit| {
        let kind = match visit.what {
            What::Folder => Kind::Folder,
            What::Link(target) => Kind::Link(target),
            What::File(file) => {
                let content = match before.get(visit.path) {
                    Some(cached) if cached.stamp == file.stamp && !written_unseen(visit.path) => {
                        cache.insert(visit.path.to_vec(), cached.clone());
                        cached.content.clone()
                    }
                    _ if pass_over.is_some_and(|bytes| file.stamp.size <= bytes) => return Ok(()),
                    _ => match read_file(&mut cutter, &file, pass_over.is_some(), sink)? {
                        None => return Ok(()),
                        Some((content, None)) => content,
                        Some((content, Some(stamp))) => {
                            let content_too = content.clone();
                            cache.insert(visit.path.to_vec(), Cached { stamp, content });
                            content_too
                        }
                    },
                };
                Kind::File(content)
            }
        };
        entries.push(Entry {
            depth: visit.depth,
            name: visit.name.to_vec(),
            mode: visit.mode,
            modified: visit.modified,
            kind,
        });
        Ok(())
    })?;
    Ok(Reading { entries, cache })
}

/// SQLite's shared memory is written through a mapping, which leaves no trace in a file's times on tmpfs.
fn written_unseen(path: &[u8]) -> bool {
    path.ends_with(b"-shm")
}

/// A file's content, and the stamp under which it may be remembered.
type ReadFile = (Arc<Content>, Option<Stamp>);

/// Reads a file; `None` if it is no longer there.
///
/// `may_wait`: nobody is held still meanwhile.
fn read_file(
    cutter: &mut Cutter<'_>,
    at: &FileAt<'_>,
    may_wait: bool,
    sink: Sink<'_>,
) -> Result<Option<ReadFile>, HomeError> {
    let Some((file, before)) = at.open()? else {
        return Ok(None);
    };
    let started = before_reading(&before, may_wait);
    let failed = |error: std::io::Error| HomeError::Files {
        doing: "read",
        why: error.to_string(),
    };
    let mut file = file.take(limits::HOME_BYTES);
    let mut beginning = Zeroizing::new(Vec::new());
    if before.size <= limits::INLINE_BYTES {
        (&mut file)
            .take(limits::INLINE_BYTES + 1)
            .read_to_end(&mut beginning)
            .map_err(failed)?;
    }
    let content = if before.size <= limits::INLINE_BYTES && beginning.len() as u64 <= limits::INLINE_BYTES {
        Content::Inline(beginning.to_vec())
    } else {
        let source = Cursor::new(beginning.as_slice()).chain(&mut file);
        Content::Chunks(cutter.cut(source, before.size, sink)?)
    };
    let stat = rustix::fs::fstat(file.into_inner()).map_err(HomeError::files("read"))?;
    let after = folder::stamp(&stat);
    let settled = after == before && after.changed < started - CLOCK_TICKS_NANOS;
    Ok(Some((Arc::new(content), settled.then_some(after))))
}

/// When the reading begins. A large file that was written this moment is left for that long, so that its stamp holds: otherwise all
/// of it is read a second time, while the agent is frozen.
fn before_reading(stamp: &Stamp, may_wait: bool) -> i64 {
    let now = now_nanos();
    let left = stamp.changed + CLOCK_TICKS_NANOS - now;
    if !may_wait || stamp.size < limits::LARGE_FILE_BYTES || !(0..=CLOCK_TICKS_NANOS).contains(&left) {
        return now;
    }
    std::thread::sleep(Duration::from_nanos(left.unsigned_abs() + 1));
    now_nanos()
}

fn now_nanos() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}
