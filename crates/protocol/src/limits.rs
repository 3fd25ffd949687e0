//! Limits that both ends of a boundary must agree on. Each has a number, a name, and an error that names it.

use std::time::Duration;

/// Largest encrypted frame and largest handshake message on a channel, in bytes.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Largest blob that a cell stores, in bytes.
pub const BLOB_BYTES: usize = 8 * 1024 * 1024;
/// Largest message that a person sends, in bytes of UTF-8.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Functions of a client's that one turn offers, the longest name of one in characters, and all of them together in bytes.
pub const FUNCTIONS: usize = 64;
pub const FUNCTION_NAME_CHARS: usize = 64;
pub const FUNCTIONS_BYTES: usize = 64 * 1024;
/// Calls that a client is asked for at once, the largest arguments of one, and all results of such calls together, in bytes.
pub const FUNCTION_CALLS: usize = 8;
pub const FUNCTION_ARGUMENTS_BYTES: usize = 32 * 1024;
pub const FUNCTION_RESULTS_BYTES: usize = 256 * 1024;
/// How long a client may take to answer the calls that it is asked for.
pub const FUNCTION_WAIT: Duration = Duration::from_secs(4 * 60);
/// Longest conversation title, in characters.
pub const TITLE_CHARS: usize = 200;
/// How long a gateway token opens a channel.
pub const GATEWAY_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);
/// Longest time that an organisation may allow agents to work while nobody is there, in minutes.
pub const TIME_ALONE_CEILING: u32 = 7 * 24 * 60;
/// Largest line on the bridge's control connection, in bytes.
pub const BRIDGE_LINE_BYTES: usize = 64 * 1024;
/// Channels open to one keeper at once.
pub const CHANNELS_PER_CELL: usize = 32;
/// Largest part of a backup that one call carries, in bytes: as base64url it fits a frame.
pub const BACKUP_PART_BYTES: usize = 512 * 1024;
/// Sizes of what an envelope has inside, in bytes: each is padded to one of these, so its length says little.
pub const ENVELOPE_CLASSES: [usize; 5] = [256, 1024, 4096, 16 * 1024, 64 * 1024];
/// By how many bytes a sealed envelope is longer than its class: what seals it (242), and what is sealed beside the content (66).
pub const ENVELOPE_OVERHEAD: usize = 242 + 66;
/// Largest message between two vaults, in bytes; above the largest class it goes in parts.
pub const RELAYED_BYTES: usize = 1024 * 1024;
/// Capabilities that one epoch revokes.
pub const EPOCH_REVOCATIONS: usize = 1000;
/// Largest text message on the connection to the relay, in bytes: an epoch as base64url, and what is around it.
pub const RELAY_TEXT_BYTES: usize = 32 * 1024;
/// Envelopes that a keeper may have sent without hearing that they are kept, and that the relay may have delivered unacknowledged.
pub const RELAY_WINDOW: usize = 256;
/// Longest time in which a relay writes nothing where its news are heard.
pub const RELAY_NEWS_PING: Duration = Duration::from_secs(15);
/// Issuers whose revocations one mailbox follows.
pub const FOLLOWED_ISSUERS: usize = 1000;
/// Model providers of one vault.
pub const MODEL_PROVIDERS: usize = 10;
/// Longest name of a template of agents, and of a skill, in characters.
pub const TEMPLATE_NAME_CHARS: usize = 40;
/// Largest persona, in bytes: OpenClaw cuts what has more than 20,000 characters.
pub const TEMPLATE_PERSONA_BYTES: usize = 16 * 1024;
/// Skills of one template, the largest of them in bytes, and a persona with all its skills: a vault is written whole with each change.
pub const TEMPLATE_SKILLS: usize = 16;
pub const TEMPLATE_SKILL_BYTES: usize = 32 * 1024;
pub const TEMPLATE_BYTES: usize = 128 * 1024;
/// Tools that one list of a template names, and the longest such name in characters.
pub const TEMPLATE_TOOLS: usize = 64;
pub const TEMPLATE_TOOL_CHARS: usize = 64;
/// Jobs of one template's schedule; the longest expression of one, name of its time zone, and message in bytes.
pub const TEMPLATE_JOBS: usize = 8;
pub const JOB_CRON_CHARS: usize = 100;
pub const JOB_ZONE_CHARS: usize = 64;
pub const JOB_MESSAGE_BYTES: usize = 8 * 1024;
/// Shortest and longest time between two runs of a job, in minutes; the shortest holds for its `cron` as well.
pub const JOB_EVERY_MINUTES: (u32, u32) = (15, 366 * 24 * 60);
