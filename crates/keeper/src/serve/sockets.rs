//! The keeper's sockets for the agent's container: it connects, the keeper listens, and the folder is the keeper's.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::net::UnixListener;

/// Listens where an earlier keeper may have; everyone who reaches the folder may connect.
pub(super) fn listen(folder: &Path, name: &str) -> io::Result<UnixListener> {
    let path = folder.join(name);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}
