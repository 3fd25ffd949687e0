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

/// From the request of a cell of the tenant API to its open vault, the start of its keeper included.
pub const PLATFORM_OPENING: Duration = Duration::from_secs(120);
/// What a caller is told to wait when such a cell cannot be reached.
pub const PLATFORM_RETRY: Duration = Duration::from_secs(5);
/// Events of a conversation that may wait for whoever listens.
pub const PLATFORM_EVENTS: usize = 4096;

/// The machine is looked at for the operator at most so often, and a look may take so long.
pub const LOOK_EVERY: Duration = Duration::from_secs(3);
pub const LOOK_TIME: Duration = Duration::from_secs(10);
/// Cells that are measured at once.
pub const LOOKS_AT_ONCE: usize = 8;
/// The checks of `doctor` run other programs: at most so often.
pub const CHECKS_EVERY: Duration = Duration::from_secs(30);

/// For a connection to a relay that runs by itself and is asked for its news; how long it may say nothing there; and before it is asked again.
pub const RELAY_NEWS_CONNECT: Duration = Duration::from_secs(5);
pub const RELAY_NEWS_SILENCE: Duration = Duration::from_secs(3 * protocol::limits::RELAY_NEWS_PING.as_secs());
pub const RELAY_NEWS_RETRY: Duration = Duration::from_secs(2);
/// Longest line of what it says, in bytes.
pub const RELAY_NEWS_LINE_BYTES: usize = 1024;
/// How long `doctor` waits for its answer.
pub const RELAY_LOOK: Duration = Duration::from_secs(2);

/// Connections that are open at once, without those that have become WebSockets.
pub const CONNECTIONS: usize = 4096;
/// What is refused above that is logged at most so often, counted.
pub const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(60);
/// From an open connection, or the end of an answer, to the whole head of the next request. Above the 60 s for which usual proxies keep an
/// idle connection.
pub const REQUEST_HEAD: Duration = Duration::from_secs(75);
/// How long the other end of a connection, a WebSocket's too, may take nothing of what is sent to it.
pub const ANSWER_PAUSE: Duration = Duration::from_secs(60);
/// Between two parts of a request's body.
pub const REQUEST_PAUSE: Duration = Duration::from_secs(30);
