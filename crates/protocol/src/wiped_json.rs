//! Messages that may hold secrets, written into memory that is wiped.

use serde::Serialize;
use zeroize::Zeroizing;

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a message as JSON. The room for it is counted first, so that growing leaves no copy behind.
///
/// # Errors
/// What `message` says when it does not serialise.
pub fn wiped_json(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut room = Count(0);
    serde_json::to_writer(&mut room, message)?;
    let mut json = Zeroizing::new(Vec::with_capacity(room.0));
    serde_json::to_writer(&mut *json, message)?;
    Ok(json)
}
