//! The keeper's limits, in one place. Each has a number, a name, and an error that names it.

use std::time::Duration;

use protocol::limits::FUNCTION_WAIT;

// The home
/// Most bytes of files that a home may hold when it is sealed.
pub const HOME_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Most files, folders and symbolic links that a home may hold when it is sealed.
pub const HOME_ENTRIES: usize = 100_000;
/// Longest path inside a home, in bytes.
pub const HOME_PATH_BYTES: usize = 4096;
/// Deepest folder inside a home.
pub const HOME_DEPTH: usize = 64;
/// Most bytes that are copied while the agent is frozen; more is read before the freeze, and again.
pub const FROZEN_COPY_BYTES: u64 = 32 * 1024 * 1024;
/// A changed file larger than this is read before the agent is frozen.
pub const LIVE_READ_BYTES: u64 = 1024 * 1024;
/// How often the live pass is repeated when the agent writes faster than it is read.
pub const LIVE_PASSES: usize = 4;
/// Files up to this size travel inside the manifest.
pub const INLINE_BYTES: u64 = 1024;
/// Content-defined chunks: smallest, wanted and largest size in bytes.
pub const CHUNK_MIN: usize = 16 * 1024;
pub const CHUNK_AVERAGE: usize = 64 * 1024;
pub const CHUNK_MAX: usize = 256 * 1024;
/// From this size on a file is a large one, and its chunks are so many times as large.
pub const LARGE_FILE_BYTES: u64 = 64 * 1024 * 1024;
pub const LARGE_FILE_CHUNKS: usize = 4;
/// Chunks that wait to be sealed, that are sealed, and that are sent: so many of each at once.
pub const CHUNKS_IN_FLIGHT: usize = 8;

// The platform's socket
/// Longest wait of one attempt to reach the platform, and between two attempts.
pub const ATTACH_TIMEOUT: Duration = Duration::from_secs(10);
pub const ATTACH_BACKOFF_FIRST: Duration = Duration::from_millis(50);
pub const ATTACH_BACKOFF_LONGEST: Duration = Duration::from_secs(2);
/// Longest wait for the platform's answer to a request of the keeper.
pub const PLATFORM_ANSWER: Duration = Duration::from_secs(60);
/// Longest wait for the answer to one request for a sealed object.
pub const BLOB_ANSWER: Duration = Duration::from_secs(60);
/// Connections for sealed objects that are kept open while unused.
pub const BLOB_CONNECTIONS: usize = 4;
/// Largest list of sealed objects that is read, in bytes of JSON.
pub const BLOB_LIST_BYTES: usize = 64 * 1024 * 1024;

// The vault
/// How long a fresh proof of a way in is good for, on its own channel.
pub const PROOF_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long nobody unlocks once the keeper has agreed to be ended; after that, it was not.
pub const LEAVING: Duration = Duration::from_secs(10);
/// Longest name of a way in, in characters.
pub const SLOT_NAME_CHARS: usize = 100;

/// Shortest and longest time without use after which an owner may have the vault lock by itself, in minutes.
pub const LOCK_AFTER_SHORTEST: u32 = 1;
pub const LOCK_AFTER_LONGEST: u32 = 8 * 60;
/// Longest time for which an owner may leave the vault open so that the agent can work, in minutes, where their organisation says nothing
/// else: up to `TIME_ALONE_CEILING`.
pub const GRANT_LONGEST: u32 = 24 * 60;
/// Fewest and most days after which the vault's key is changed by itself.
pub const ROTATE_AFTER_FEWEST: u32 = 7;
pub const ROTATE_AFTER_MOST: u32 = 3650;
/// How often the age of its key is looked at while a vault stays open.
pub const ROTATION_LOOK: Duration = Duration::from_secs(60 * 60);

// The agent's ways out
/// Largest request that the agent sends to its model provider, in bytes.
pub const MODEL_REQUEST_BYTES: u64 = 32 * 1024 * 1024;
/// Connections of the agent to its broker that are open at once.
pub const BROKER_CONNECTIONS: usize = 64;
/// Calls to the model provider, and tunnels of the egress proxy, that are open at once.
pub const BROKER_CALLS: usize = 32;
pub const EGRESS_TUNNELS: usize = 256;
/// Hosts of an allow-list.
pub const EGRESS_HOSTS: usize = 500;
/// Longest wait for a connection to a public address.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest silence of a model provider in the middle of an answer.
pub const MODEL_SILENCE: Duration = Duration::from_secs(300);
/// Longest that another model, or another template, waits for the answers that are under way: then the agent is started anew all the same.
pub const RESTART_WAITS: Duration = Duration::from_secs(600);
/// Longest wait for the answer to `model.test`.
pub const MODEL_TEST: Duration = Duration::from_secs(60);
/// Most bytes of a provider's error that are shown to the person.
pub const PROVIDER_WORDS: usize = 400;

// Secrets and what is done with them
/// Named secrets of one vault, and most of them in one answer or one addition.
pub const SECRETS: usize = 5000;
pub const SECRETS_PAGE: usize = 500;
/// Values that one part of an export holds in bytes of JSON; the last one may go beyond. It fits a frame.
pub const SECRETS_EXPORT_PART_BYTES: usize = 512 * 1024;
/// Longest value, name, and user name or address of a secret, in bytes.
pub const SECRET_VALUE_BYTES: usize = 64 * 1024;
pub const SECRET_NAME_BYTES: usize = 200;
pub const SECRET_FIELD_BYTES: usize = 2000;
/// Secrets that the agent asks for at once, and the size of such a request in bytes.
pub const SECRETS_ASKED: usize = 100;
pub const SECRETS_ASKED_BYTES: usize = 64 * 1024;
/// What is remembered of the activity: entries of each class; the oldest goes first.
pub const ACTIVITY_ENTRIES: usize = 1000;
/// Entries in one answer.
pub const ACTIVITY_PAGE: usize = 200;
/// Longest text in an entry, in bytes: all entries of a class fit one record.
pub const ACTIVITY_TEXT: usize = 120;
/// The same thing done again within this time is counted in the entry that is there.
pub const ACTIVITY_TOGETHER: Duration = Duration::from_secs(3600);
/// Records that change often are written this soon.
pub const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// Services that the agent may call through its keeper, and calls to them at once.
pub const ROUTES: usize = 100;
pub const ROUTE_CALLS: usize = 32;
/// Tools of one server that may be called.
pub const ROUTE_TOOLS: usize = 200;
/// How long one conversation with such a server lasts at most. For the agent: after its owner's answer, before OpenClaw gives the call up. For
/// somebody whom it is shared with: before they stop waiting. And for telling the server that it is over.
pub const TOOL_CALL: Duration = Duration::from_secs(50);
pub const TOOL_CALL_SHARED: Duration = Duration::from_secs(20);
pub const TOOL_LEAVE: Duration = Duration::from_secs(3);
/// Most that a server may say in one conversation: bytes, and values in the JSON that is read of them. A small value costs many times
/// what it weighs.
pub const TOOL_SERVER_BYTES: usize = 2 * 1024 * 1024;
pub const TOOL_SERVER_NODES: usize = 20_000;
/// Largest request to a service, and longest secret that is put into one, in bytes.
pub const ROUTE_REQUEST_BYTES: u64 = 256 * 1024 * 1024;
pub const ROUTE_SECRET_BYTES: usize = 4096;
/// Largest form or JSON that is looked through for another method where nobody is asked, in bytes; and so many are held for it at once.
pub const ROUTE_READ_BYTES: u32 = 8 * 1024 * 1024;
pub const ROUTE_HELD_BYTES: usize = 32 * 1024 * 1024;
/// Most of a service's answer that a tool or another person is given, in bytes.
pub const FETCHED_BYTES: usize = 256 * 1024;
/// Longest words on what a service is for, in characters: the agent reads them.
pub const ROUTE_ABOUT_CHARS: usize = 200;

// How often services are called
/// Calls of one service in an hour, by the agent or by one person: so many are never too many, of those that read and of those that change
/// something.
pub const RATE_READS_FLOOR: u32 = 200;
pub const RATE_CHANGES_FLOOR: u32 = 50;
/// More than so many are too many for everybody, whatever is usual.
pub const RATE_READS: u32 = 3000;
pub const RATE_CHANGES: u32 = 500;
/// Between these, so many times a usual busy hour: the one in the middle of the busiest hours of so many days, of which at least so many had
/// calls.
pub const RATE_TIMES: u32 = 5;
pub const RATE_DAYS: usize = 28;
pub const RATE_DAYS_KNOWN: usize = 3;
/// How long after a pause, or a lock because of several, an owner who is away is told that there was one.
pub const RATE_NOTICE_LIFE: Duration = Duration::from_secs(60 * 60);
/// An agent that is paused at so many services within an hour has the vault locked.
pub const RATE_PAUSES_LOCK: usize = 3;

/// How often the audit log hears of what was asked for, allowed, refused, shared and taken back, at most: it is counted between.
pub const DEEDS_APART: Duration = Duration::from_secs(60);

// What the agent asks its owner for
/// Requests that wait for an answer, and those that are kept after it.
pub const APPROVALS_WAITING: usize = 50;
pub const APPROVALS_KEPT: usize = 200;
/// Largest request that a person is asked to look through, in bytes.
pub const APPROVAL_BYTES: usize = 32 * 1024;
/// How long a request is open; and how long a call of the agent waits for the answer. The call ends before OpenClaw gives it up.
pub const APPROVAL_LIFE: Duration = Duration::from_secs(30 * 60);
pub const APPROVAL_HELD: Duration = Duration::from_secs(5 * 60);
pub const AGENT_WAITS_FOR_TOOL: Duration = Duration::from_secs(6 * 60);
/// How long a call of a client's function waits for its result, at most: it ends before OpenClaw gives it up. And how much of that it may
/// wait behind other calls: the rest is the client's, with half a minute for what it says to come here.
pub const FUNCTION_HELD: Duration = Duration::from_secs(5 * 60);
pub const FUNCTION_QUEUED: Duration = Duration::from_secs(30);
const _: () = assert!(FUNCTION_HELD.as_secs() >= FUNCTION_QUEUED.as_secs() + FUNCTION_WAIT.as_secs() + 30);
/// Calls that the agent makes within this time are asked of the client together.
pub const FUNCTIONS_TOGETHER: Duration = Duration::from_millis(200);
/// Calls of one turn that wait, asked for or not.
pub const FUNCTION_CALLS_WAITING: usize = 32;
/// Between two words to the platform of what waits while its owner is not there; the first is said at once.
pub const APPROVAL_NOTICES_APART: Duration = Duration::from_secs(1);
/// Requests that the platform is told of, and for how long after one was made: in platform custody it hears what became of it.
pub const APPROVAL_NOTICES: usize = 100;
pub const APPROVAL_NOTICES_KEPT: Duration = Duration::from_secs(2 * 60 * 60);
/// Calls of the agent that wait for an answer at once; the next one is told to come again.
pub const APPROVALS_HELD: usize = 16;
/// Rules of one vault, most uses of one in a day, and how long one lasts at most.
pub const APPROVAL_RULES: usize = 100;
pub const RULE_USES: u32 = 1000;
pub const RULE_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// People who may be the second person, and how long a request that one person has allowed waits for them.
pub const SECOND_PEOPLE: usize = 5;
pub const SECOND_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// What may wait of one asker at once, and of all of them, in bytes: a vault has room for so much of others' requests.
pub const SECOND_ASKED_WAITING: usize = 10;
pub const SECOND_ASKED_BYTES: usize = 512 * 1024;
/// Longest reason for saying no, in characters: the agent reads it.
pub const DENY_REASON_CHARS: usize = 500;

// What the owner shares
/// Things that a vault shares at once; those that it remembers; and how long one whose time is over is remembered.
pub const SHARES: usize = 200;
pub const SHARES_REMEMBERED: usize = 2000;
pub const SHARES_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Presentations that are remembered at once, so that none is answered twice.
pub const SHARE_NONCES: usize = 2000;
/// Chains whose signatures are known to be good: those who use something again and again are few.
pub const SHARE_CHAINS_KNOWN: usize = 256;
/// Most calls of one rate, each of which is remembered while it counts. A share of more is refused; one of an earlier version is held to this.
pub const SHARE_RATE_CALLS: usize = 1000;
/// After so long without a word that an offer has arrived it is made again: nothing waits at a relay for longer.
pub const SHARE_OFFER_AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Things that a vault keeps which others share with it; those of one of them; and those of people whom it does not know yet.
pub const SHARES_RECEIVED: usize = 500;
pub const SHARES_RECEIVED_OF_ONE: usize = 60;
pub const SHARES_RECEIVED_UNKNOWN: usize = 50;
/// To whom what the owner shares was passed on, as far as the vault remembers: below one share, and in all.
pub const SHARE_LINKS: usize = 50;
pub const SHARE_LINKS_ALL: usize = 500;
/// Requests of others for something that wait; those of one person; and the longest words of one, in characters.
pub const SHARES_ASKED: usize = 100;
pub const SHARES_ASKED_BY_ONE: usize = 10;
pub const SHARE_WORDS_CHARS: usize = 300;
/// How long somebody else's vault is waited for. What it begins later than that it does not begin at all.
pub const SHARE_ANSWER: Duration = Duration::from_secs(30);
/// Largest copy of what is shared, in bytes of the answer; shares of one vault with a copy at once; and what a vault keeps of others' copies,
/// in bytes: a small part of what it can hold, which is written again with each change. Of that, what one of them may fill, and what all of those
/// may whom its owner does not know yet.
pub const SHARE_COPY_BYTES: usize = 128 * 1024;
pub const SHARE_COPIES: usize = 20;
pub const SHARE_COPIES_BYTES: usize = 1024 * 1024;
pub const SHARE_COPIES_OF_ONE_BYTES: usize = 512 * 1024;
pub const SHARE_COPIES_UNKNOWN_BYTES: usize = 256 * 1024;
/// Copies of one of them that are kept in an hour: every one that they may have sent, once in each `SHARE_COPY_REFRESH`, and as many again.
pub const SHARE_COPIES_OF_ONE_AN_HOUR: u32 = 160;
/// How often what there are copies of is read again while the vault is open, and how often copies are looked through for what has ended.
pub const SHARE_COPY_REFRESH: Duration = Duration::from_secs(15 * 60);
pub const SHARE_COPIES_LOOK: Duration = Duration::from_secs(60);
/// When a copy goes again though nothing has changed.
pub const SHARE_COPY_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon a copy that could not be made is tried again, or one goes of which nobody has said that it arrived; each time four times as long
/// after, up to `SHARE_COPY_REFRESH` and `SHARE_COPY_AGAIN`: what waits for a vault that is locked does not fill its mailbox.
pub const SHARE_COPY_RETRY: Duration = Duration::from_secs(60);
/// How long the owner is waited for where there is a copy; and how long one who was silent is not asked again: calls that nobody takes fill
/// a mailbox.
pub const SHARE_ANSWER_BEFORE_COPY: Duration = Duration::from_secs(5);
pub const SHARE_SILENT: Duration = Duration::from_secs(15 * 60);
/// Calls for others that are carried out at once, in all and for one of them, with all to whom they passed something on; and own calls that
/// wait for others.
pub const SHARE_CALLS: usize = 16;
pub const SHARE_CALLS_OF_ONE: usize = 4;
pub const SHARE_CALLS_WAITING: usize = 32;
/// Things that a vault lets groups use at once; the name of one and what it is for, in characters; and what it tells agents, in bytes.
pub const GROUP_RESOURCES: usize = 50;
pub const GROUP_RESOURCE_NAME_CHARS: usize = 60;
pub const GROUP_RESOURCE_ABOUT_CHARS: usize = 200;
pub const GROUP_RESOURCE_SKILL_BYTES: usize = 16 * 1024;
/// The newest words of it that there can be: the largest number that a browser reads as it is (RFC 8259, section 6).
pub const GROUP_RESOURCE_REVISION: u64 = (1 << 53) - 1;
/// What a vault keeps of what agents are told of things of groups, in all, in bytes: a small part of what a vault can hold.
pub const GROUP_SKILLS_BYTES: usize = 1024 * 1024;
/// How often a vault asks whether those with whom it shares in groups are still in them. Each use is asked for beside that.
pub const GROUPS_LOOK: Duration = Duration::from_secs(60);
/// Names that are looked through for skills which are not shared any more: an agent may fill that folder.
pub const SKILL_FOLDERS: usize = 10_000;
/// Longest words of another vault on why it refuses, in characters: people and their agents read them.
pub const SHARE_REFUSAL_CHARS: usize = 500;

// Models and what they cost
/// How long a provider that failed is asked last.
pub const PROVIDER_REST: Duration = Duration::from_secs(30);
/// How long OpenClaw is told to leave alone providers of one protocol that are all down, while there are others. It goes on to those at
/// once where this is more than a minute; in the middle of a turn, where it cannot, it waits so long and tries again.
pub const NEXT_STEP_RETRY: Duration = Duration::from_secs(61);
/// Requests to the model that are held in memory, in bytes: one that fails is sent to the next provider.
pub const MODEL_HELD_BYTES: usize = 64 * 1024 * 1024;
/// Largest event or answer that is read for its usage, in bytes.
pub const USAGE_BYTES: usize = 4 * 1024 * 1024;
/// Months of usage that are kept, and rows of one day; what is beyond them is counted together.
pub const USAGE_MONTHS: usize = 13;
pub const USAGE_ROWS: usize = 50;
/// For what a call may cost: bytes of a token, tokens of the largest context, and of the longest answer that models give where none was asked for.
pub const TOKEN_BYTES: u64 = 4;
pub const CONTEXT_TOKENS: u64 = 200_000;
pub const OUTPUT_TOKENS: u64 = 128_000;
/// Answers that one call of a model may ask for.
pub const CHOICES: u64 = 128;

// The cell
/// Longest wait for the agent's word on whether it is suspended; it settles or declines well before.
pub const SUSPEND_FOR_SNAPSHOT: Duration = Duration::from_secs(10);
/// Restarts of an agent that ends by itself, within [`AGENT_CRASH_WINDOW`], before the cell is said to have failed.
pub const AGENT_CRASHES: usize = 3;
pub const AGENT_CRASH_WINDOW: Duration = Duration::from_secs(600);
/// How long a snapshot that cannot be stored is tried again before the turn is said not to be saved.
pub const SNAPSHOT_RETRY: Duration = Duration::from_secs(60);
/// How long a deletion that did not come to its end, or a look at what became of turns, rests before it is tried again: twice as long each
/// time, and at last longer than what keeps an idle cell awake.
pub const AGENT_AGAIN_FIRST: Duration = Duration::from_secs(10);
pub const AGENT_AGAIN_LONGEST: Duration = Duration::from_secs(60 * 60);
/// How long after one that failed the next try comes to seal a home, if nothing else seals it before.
pub const SAVE_AGAIN: Duration = Duration::from_secs(60);
/// How long an agent whose code is loaded waits for its home before it is freed, from the last greeting of a client.
pub const PREPARED: Duration = Duration::from_secs(600);
/// How many past durations of a phase make `usual_ms`.
pub const DURATIONS_KEPT: usize = 5;

// OpenClaw's Gateway
/// Longest wait for the greeting of a connection, and for the answer to one request.
pub const GATEWAY_CONNECT: Duration = Duration::from_secs(20);
pub const GATEWAY_ANSWER: Duration = Duration::from_secs(60);
/// Largest message of OpenClaw, in bytes (its own `policy.maxPayload`).
pub const GATEWAY_MESSAGE_BYTES: usize = 26_214_400;
/// Events kept for a slow reader, and requests that wait to be written.
pub const GATEWAY_EVENTS: usize = 4096;
pub const GATEWAY_REQUESTS: usize = 64;
/// Commands that were decided last and are asked for when events were missed: the most that OpenClaw tells at once.
pub const COMMANDS_DECIDED: usize = 100;
/// Most rows of a transcript that are asked for at once.
pub const HISTORY_MESSAGES: usize = 1000;
/// Longest text of one row of a transcript, in characters; OpenClaw's own most.
pub const HISTORY_TEXT_CHARS: usize = 500_000;
/// Most rows of a transcript that are read; older ones are not shown.
pub const HISTORY_ENTRIES: usize = 20_000;
/// OpenClaw leaves rows of more than 128 KiB out of a transcript: so many of them, and so much in bytes of JSON, are asked for one by one, the
/// newest first.
pub const HISTORY_LARGE: usize = 128;
pub const HISTORY_LARGE_BYTES: usize = 16 * 1024 * 1024;

// Backups
pub use protocol::limits::BACKUP_PART_BYTES;
/// Backups that are made, and that are read, at once.
pub const BACKUPS_AT_ONCE: usize = 2;

// Recovery by contacts
/// Longest time that contacts wait before they release a share.
pub const RECOVERY_WAIT_LONGEST: Duration = Duration::from_secs(6 * 24 * 60 * 60);
/// Requests of which it is remembered that contacts were told not to answer them, the last ones.
pub const RECOVERY_STOPS: usize = 50;
/// How long a request of somebody who is locked out is good.
pub const RECOVERY_REQUEST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Requests of others that a vault remembers.
pub const RECOVERY_REQUESTS: usize = 100;

// Other people
/// People whose identity a vault remembers.
pub const CONTACTS: usize = 500;
/// Longest name of a contact, in characters.
pub const CONTACT_NAME_CHARS: usize = 100;

// The channel
/// Longest wait for the next message of a handshake: a person types the password meanwhile.
pub const HANDSHAKE_SILENCE: Duration = Duration::from_secs(30 * 60);
/// Messages of one handshake, after which the connection is closed.
pub const HANDSHAKE_MESSAGES: usize = 200;
/// Largest message of a handshake, in bytes.
pub const HANDSHAKE_BYTES: usize = 16 * 1024;
/// Requests of one channel that run at once.
pub const REQUESTS_AT_ONCE: usize = 64;
/// What waits to be sent on one channel before its client is too slow: messages, and bytes.
pub const OUTGOING_MESSAGES: usize = 2048;
pub const OUTGOING_BYTES: usize = 4 * 1024 * 1024;
/// Resumption tickets that are held; the oldest goes first.
pub const TICKETS: usize = 128;
/// How long a close frame may take to leave.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);
// Conversations
/// Conversations of one person, with those that are being deleted.
pub const CONVERSATIONS: usize = 2000;
/// Turns of one conversation that wait for the agent.
pub const TURNS_WAITING: usize = 20;
/// Completed turns whose keys are known when they come again: the newest of each conversation, and of all of them together those that came
/// before, sixteen bytes each. An unsent message may lie in a browser for weeks.
pub const KEYS_REMEMBERED: usize = 32;
pub const KEYS_REMEMBERED_LONG: usize = 8192;
/// Events of one conversation that are held for clients that come back.
pub const EVENTS_HELD: usize = 2048;
pub const EVENT_BYTES_HELD: usize = 256 * 1024;
/// Largest piece of text in one event, in bytes.
pub const TEXT_EVENT_BYTES: usize = 32 * 1024;
/// Most that is shown of a tool's arguments and of its output; and of its output while it runs.
pub const TOOL_TEXT_BYTES: usize = 32 * 1024;
pub const TOOL_UPDATE_BYTES: usize = 4 * 1024;
/// Largest message in an answer or event, and all messages of one answer, in bytes of JSON: a frame holds them.
pub const MESSAGE_SHOWN_BYTES: usize = 512 * 1024;
pub const PAGE_BYTES: usize = 512 * 1024;
/// How often, and how long, a turn is offered to an agent that is not ready for one.
pub const GATEWAY_RETRY: Duration = Duration::from_millis(100);
pub const GATEWAY_RETRY_FOR: Duration = Duration::from_secs(60);
/// How long a request about a conversation waits for the end of a suspension: longer than a freeze for a snapshot may last.
pub const GATEWAY_SUSPENDED: Duration = Duration::from_secs(20);
/// How often a transcript is asked for again when the agent went away meanwhile.
pub const HISTORY_ATTEMPTS: usize = 20;
/// Longest wait for a turn to end after it was told to.
pub const ABORT_ANSWER: Duration = Duration::from_secs(10);
/// An agent that is not back after so long has dropped what it was doing.
pub const AGENT_BACK_WITHIN: Duration = Duration::from_secs(3);
/// The next turn does not wait longer than this for the last one to be sealed.
pub const NEXT_TURN_AFTER: Duration = Duration::from_secs(5);

/// How long a turn may be silent and still counts as use of its vault: longer than a model may ([`MODEL_SILENCE`]), and than OpenClaw waits
/// for a tool.
pub const TURN_SILENCE: Duration = Duration::from_secs(7 * 60);
const _: () = assert!(
    TURN_SILENCE.as_secs() > MODEL_SILENCE.as_secs() && TURN_SILENCE.as_secs() > AGENT_WAITS_FOR_TOOL.as_secs()
);
/// How long what happens in one turn counts as use of its vault, from its beginning: an agent that only goes on talking holds it open no longer.
pub const TURN_LONGEST: Duration = Duration::from_secs(4 * 60 * 60);
/// How long a lock waits for the turns that it ends.
pub const TURNS_END_BEFORE_LOCK: Duration = Duration::from_secs(15);

/// Names of skills of earlier templates that are remembered, to be put out of the way.
pub const TEMPLATE_SKILLS_GONE: usize = 256;

// The bridge and the agent
/// How long OpenClaw may take to end when its keeper or its container goes away.
pub const BRIDGE_END_GRACE: Duration = Duration::from_secs(5);
/// Longest pause between two attempts of the bridge to reach its keeper.
pub const BRIDGE_RETRY_LONGEST: Duration = Duration::from_millis(200);
/// How much of OpenClaw's output is kept for its owner, in bytes. As JSON it must fit a line of the bridge.
pub const LAST_OUTPUT_BYTES: usize = 8 * 1024;
/// Longest wait for the agent's container to connect, for a dialled connection, and for the first line of one.
pub const BRIDGE_APPEARS: Duration = Duration::from_secs(60);
pub const BRIDGE_DIAL: Duration = Duration::from_secs(10);
/// Longest time for writing OpenClaw's databases anew without what was deleted; then it is tried at the next start.
pub const SCRUB: Duration = Duration::from_secs(60);
pub const BRIDGE_OPENING: Duration = Duration::from_secs(5);
/// Connections of the agent's container that are open at once.
pub const BRIDGE_CONNECTIONS: usize = 16;
/// Longest start of OpenClaw, pause between two attempts to reach it, and longest warm-up turn.
pub const AGENT_START: Duration = Duration::from_secs(240);
pub const AGENT_RETRY: Duration = Duration::from_millis(100);
pub const WARM_UP: Duration = Duration::from_secs(90);
/// How long a turn's last writes may take before OpenClaw counts as busy, and how often it is asked.
pub const SUSPEND_SETTLE: Duration = Duration::from_millis(1500);
pub const SUSPEND_POLL: Duration = Duration::from_millis(25);
/// How long, and how often, OpenClaw is asked to resume; its lease ends after two minutes.
pub const RESUME_RETRY: Duration = Duration::from_secs(90);
pub const RESUME_PAUSE: Duration = Duration::from_millis(100);

// The relay
/// Bytes that wait in the vault to be sent: they are written again with each change of the vault.
pub const OUTBOX_BYTES: usize = 4 * 1024 * 1024;
/// How long what is missing is waited for, once what comes after it is there.
pub const GAP_WAIT: Duration = Duration::from_secs(10);
/// Senders of whom a vault remembers what it has seen though they are neither contacts nor followed: then those who were heard longest ago go.
pub const RELAY_STRANGERS: usize = 1000;
/// Revoked capabilities of one issuer that are remembered though nothing here hangs on them: of who has revoked more, only what is held here.
pub const ISSUER_REVOKED: usize = 50;
/// Before revocations are brought again to a relay that keeps no more of this vault for now.
pub const RELAY_PUBLISH_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Longest wait between two attempts to reach the relay.
pub const RELAY_BACKOFF_LONGEST: Duration = Duration::from_secs(30);
/// Longest wait for the relay's answer, for its word that it keeps what was sent, for the epochs that it says it has, and for it to read what is sent.
pub const RELAY_ANSWER: Duration = Duration::from_secs(10);
/// How long nothing at all may come from the relay, which pings every 30 s.
pub const RELAY_SILENCE: Duration = Duration::from_secs(90);
/// Envelopes of one sender that may wait for what is missing before them.
pub const EARLY: usize = 1024;
