//! Limits of this crate, each with a number and a name; those that both ends of a socket share are in `protocol::limits`.

use std::time::Duration;

/// How long a cell may be without use before it is paused.
pub const PAUSE_AFTER: Duration = Duration::from_secs(30 * 60);
/// How long a cell may be without use before it sleeps.
pub const SLEEP_AFTER: Duration = Duration::from_secs(4 * 60 * 60);
/// Cells that are not asleep at once, unless the operator says otherwise.
pub const CELLS_AWAKE: usize = 64;
/// Of the cells that may run at once, one in so many is left to what somebody waits for, and at least one where there are two.
pub const CELLS_SPARED: usize = 8;
/// What a caller is told to wait when [`CELLS_AWAKE`] is reached.
pub const FULL_RETRY_AFTER: Duration = Duration::from_secs(30);

/// One call to the driver; a daemon that hangs fails the step, not the cell's task.
pub const DRIVER_CALL: Duration = Duration::from_secs(60);
/// From the start of the keeper's container to its `hello`.
pub const ATTACH: Duration = Duration::from_secs(60);
/// For a keeper to come back after its control connection broke, or after the platform was restarted.
pub const REATTACH: Duration = Duration::from_secs(30);
/// Before the first look at whether a keeper that is waited for lives at all, and the longest time between two; each is twice as long as the one before.
pub const LOOK_FIRST: Duration = Duration::from_millis(100);
pub const LOOK_LONGEST: Duration = Duration::from_secs(1);
/// For the keeper's answer to `Pause`, which seals what changed.
pub const PAUSE_ANSWER: Duration = Duration::from_secs(60);
/// For the keeper's answer to `PrepareSleep`, which seals what changed.
pub const SLEEP_ANSWER: Duration = Duration::from_secs(120);
/// Before a pause or a sleep that was refused is tried again.
pub const LADDER_RETRY: Duration = Duration::from_secs(60);
/// For turns to end before the platform goes down.
pub const DOWN_PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests to a busy keeper to let its cell sleep, when the platform goes down.
pub const DOWN_RETRY: Duration = Duration::from_secs(2);
/// For a container to end by itself before it is killed.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Events of one cell that are kept for the operator; the oldest go.
pub const EVENTS_KEPT: usize = 100;

/// For the first message on a control connection, and for the keeper to dial a channel.
pub const DIAL: Duration = Duration::from_secs(10);
/// Largest control message, in bytes.
pub const CONTROL_BYTES: usize = 64 * 1024;
/// Control messages that may wait for a keeper that does not read.
pub const CONTROL_QUEUE: usize = 256;

/// Connections of one cell to the relay: one, and one that takes its place.
pub const RELAY_CONNECTIONS: usize = 2;
/// Of the last of them, those of which it is known that they are that cell's: the relay may speak of one when it has ended already.
pub const CARRIERS_KNOWN: usize = 8;
/// Mailboxes that one cell may make at the relay at once, and the time after which it may make another. Which of its connections makes one is
/// known only when the relay says whose mailbox was opened: until then each counts.
pub const RELAY_MAILBOXES: u32 = 8;
pub const RELAY_MAILBOX_EVERY: Duration = Duration::from_secs(2 * 60 * 60);
/// What one keeper asks of who knows the people, or tells them, and waits for an answer to: more than it carries out calls for others at once.
pub const QUESTIONS_PER_CELL: usize = 24;
/// How often one keeper tells the audit log what was done, at most: half of the time that it waits itself.
pub const DEEDS_APART: Duration = Duration::from_secs(30);
/// Bytes on their way between a cell and a relay in the same process.
pub const RELAY_BUFFER: usize = 64 * 1024;

/// Between two pings to a client on a quiet channel.
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// Without any message from the client, pongs included, after which its channel is given up.
pub const CLIENT_SILENCE: Duration = Duration::from_secs(90);
/// For one message to be taken by the other side of a channel.
pub const FORWARD: Duration = Duration::from_secs(60);

/// Longest name of a blob, in characters.
pub const BLOB_NAME_CHARS: usize = 200;
/// Sealed bytes one cell may keep, unless the operator says otherwise.
pub const CELL_BLOB_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Blobs of all cells that are being written at once; each is held in memory whole.
pub const BLOB_WRITES: usize = 8;

/// Agents whose code is loaded at once while their people type their passwords; each takes about half a gigabyte.
pub const PREPARED_AGENTS: usize = 4;
/// Memory of this machine, in bytes, that must be free for one more of them: it is about to be a whole agent.
pub const PREPARE_FREE_MEMORY: u64 = 3 * 1024 * 1024 * 1024;

/// Memory of a keeper's container besides the home (whose pages are counted where they are first written), in bytes.
pub const KEEPER_MEMORY: u64 = 128 * 1024 * 1024;
/// Processes and threads of a keeper's container.
pub const KEEPER_PIDS: i64 = 128;
/// Memory of an agent's container, in bytes.
pub const AGENT_MEMORY: u64 = 2048 * 1024 * 1024;
/// Processes and threads of an agent's container.
pub const AGENT_PIDS: i64 = 512;
/// Processors of an agent's container.
pub const AGENT_CPUS: f64 = 2.0;
/// Size of the home, in bytes.
pub const HOME_BYTES: u64 = 512 * 1024 * 1024;
/// Files in the home.
pub const HOME_INODES: u64 = 200_000;
/// Size of an agent's /tmp, in bytes.
pub const AGENT_TMP_BYTES: u64 = 256 * 1024 * 1024;
/// How often Docker is asked to pause a container of which something cannot be frozen just then, and the time between.
pub const FREEZE_TRIES: u32 = 4;
pub const FREEZE_PAUSE: Duration = Duration::from_millis(100);
/// How often Docker is asked to resume a container that it says is both paused and not, how often it must say that it runs, and the time between.
pub const RESUME_TRIES: u32 = 10;
pub const RESUME_LOOKS: u32 = 3;
pub const RESUME_PAUSE: Duration = Duration::from_millis(50);
