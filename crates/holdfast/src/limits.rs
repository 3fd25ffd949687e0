//! The limits of this crate. Each has a name, and an error that names it.

use std::time::Duration;

/// Longest line that the client takes for a password, link or code, in bytes.
pub const CLIENT_LINE_BYTES: usize = 4096;
/// Longest message or value that the client takes from standard input, in bytes.
pub const CLIENT_TEXT_BYTES: usize = 256 * 1024;
/// Largest answer of a platform that the client reads, in bytes.
pub const CLIENT_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How long the client waits for a connection to a platform, and for its answer.
pub const CLIENT_CONNECT: Duration = Duration::from_secs(15);
pub const CLIENT_ANSWER: Duration = Duration::from_secs(60);
/// How often somebody at a terminal may type a secret or code.
pub const CLIENT_TRIES: usize = 3;
/// Largest file of an interface that the client reads to check it, and largest manifest, in bytes.
pub const INTERFACE_FILE_BYTES: usize = 16 * 1024 * 1024;
pub const INTERFACE_MANIFEST_BYTES: u64 = 1024 * 1024;
