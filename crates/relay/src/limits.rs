//! Limits of this crate, each with a number and a name; those that both ends share are in `protocol::limits`.

use std::time::Duration;

/// Envelopes that may wait for one receiver.
pub const WAITING: u32 = 1_000;
/// Envelopes of one sender that may wait for one receiver.
pub const WAITING_OF_ONE_SENDER: u32 = 250;
/// Bytes that may wait for one receiver.
pub const WAITING_BYTES: u64 = 32 * 1024 * 1024;
/// How long an envelope waits before it goes back to its sender.
pub const WAITING_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Between two looks for envelopes that have waited too long.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// Of those, envelopes that are read from the database at once.
pub const SWEEP_ROWS: usize = 1_000;

/// Envelopes, epochs, checks and lists of whom it follows that one mailbox may send in a second, on average: above it the relay reads more
/// slowly. And how often the relay reads epochs of those whom it follows: above it they come later, and nothing else does.
pub const SENT_PER_SECOND: u32 = 100;
/// So many it may send at once before that counts.
pub const SENT_BURST: u32 = 500;

/// Epochs that one mailbox may publish in a day, and at once: what it did not publish adds up to so many. So a relay that lost its database
/// is brought at once what almost any vault has revoked.
pub const EPOCHS_A_DAY: i64 = 2_000;
pub const EPOCHS_AT_ONCE: i64 = 10_000;
/// Bytes of all epochs of one mailbox: as many as a vault holds of everything, its own epochs among it.
pub const EPOCH_BYTES: i64 = 8 * 1024 * 1024;

/// Mailboxes of one relay.
pub const MAILBOXES: usize = 1_000_000;
/// Days after which a mailbox that nobody has connected to is let go, if there is nothing of it: looked for when the relay starts.
pub const UNUSED_DAYS: i32 = 365;
/// Connections at once.
pub const CONNECTIONS: usize = 20_000;
/// For the proof after the challenge.
pub const PROOF: Duration = Duration::from_secs(10);
/// For a message to be taken by a receiver that does not read.
pub const STALLED: Duration = Duration::from_secs(60);
/// Without a message, pongs included, after which a connection is given up; a ping is sent every third of it.
pub const SILENCE: Duration = Duration::from_secs(90);
/// Bytes that are delivered to one receiver and not acknowledged.
pub const IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// Envelopes that are read from the database at once for one receiver.
pub const FETCH: usize = 64;
/// Epochs that are read from the database at once for one follower.
pub const FETCH_EPOCHS: i64 = 50;
/// Epochs that wait for a follower that does not read.
pub const EPOCH_QUEUE: usize = 16;

/// Envelopes and acknowledgements that wait to be written.
pub const WRITE_QUEUE: usize = 8_192;
/// Envelopes and acknowledgements in one commit.
pub const COMMIT_ROWS: usize = 2_048;
/// Bytes of envelopes that wait to be committed: above it, reading from senders waits.
pub const UNCOMMITTED_BYTES: usize = 64 * 1024 * 1024;
/// Numbers of deliveries that are reserved at once.
pub const RESERVE: i64 = 1_000_000;
/// Connections to the database beside the writer's.
pub const DATABASE_CONNECTIONS: u32 = 8;
/// For a connection to the database.
pub const DATABASE_WAIT: Duration = Duration::from_secs(5);
/// Before a database that is away is tried again.
pub const DATABASE_RETRY: Duration = Duration::from_millis(200);

/// Shortest time between two news that something waits for the same receiver.
pub const WAKE_EVERY: Duration = Duration::from_secs(60);
/// Who hears the news at once: a platform, its last connection that is not known to have broken yet, and another platform.
pub const NEWS_LISTENERS: usize = 4;

/// Revocations that the filter is made for at first; it doubles when they are more.
pub const FILTER_AT_FIRST: usize = 100_000;
/// Share of what is not revoked that the filter lets through to the exact look-up.
pub const FILTER_FALSE_POSITIVES: f64 = 0.001;
