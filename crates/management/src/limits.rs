//! Every limit of this crate, with its unit. Errors name the limit that was passed.

use std::time::Duration;

/// Largest body of a request, in bytes.
pub const BODY_BYTES: usize = 16 * 1024;
/// Requests of the API that are worked on at once; more are refused with 503.
pub const REQUESTS_AT_ONCE: usize = 512;
/// How long a request may take before it is given up.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long a browser may remember that another site's pages may call something.
pub const CORS_KEPT: Duration = Duration::from_secs(10 * 60);
/// Longest name of a person or an organisation, in characters.
pub const NAME_CHARS: usize = 100;
/// Longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_BYTES: usize = 254;

/// Shortest and longest bundle of a vault's public keys, in bytes; what is in it is not looked at.
pub const BUNDLE_BYTES: (usize, usize) = (65, 1024);

/// Largest letter between two vaults, in bytes.
pub const LETTER_BYTES: usize = 8192;
/// Letters of one sender that wait for one receiver, and of all senders.
pub const LETTERS_OF_SENDER: i64 = 32;
pub const LETTERS_WAITING: i64 = 1000;
/// When to try again when too many wait: somebody has to open their vault first.
pub const LETTERS_RETRY: Duration = Duration::from_secs(60 * 60);
/// Letters that one answer lists.
pub const LETTERS_LISTED: i64 = 50;
/// Contacts of one recovery.
pub const RECOVERY_CONTACTS: usize = 15;
/// Largest request for recovery, and largest sealed share, in bytes.
pub const RECOVERY_REQUEST_BYTES: usize = 256;
pub const RECOVERY_RELEASE_BYTES: usize = 4096;
/// Stopped requests for recovery that one's own vault is shown, the last ones.
pub const RECOVERY_STOPS: i64 = 20;
/// How long a request for recovery is shown, and that it was stopped.
pub const RECOVERY_REQUEST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a sign-in link works.
pub const SIGN_IN_LINK_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a browser keeps what it was given when it first asked for a link.
pub const BROWSER_COOKIE_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Sign-in providers of one organisation, and accounts at them that one person links.
pub const PROVIDERS: i64 = 10;
pub const ACCOUNTS_PER_USER: i64 = 10;
/// Longest issuer, client id and client secret of a provider, in bytes; longest name by which one calls an account, in characters.
pub const ISSUER_CHARS: usize = 512;
pub const CLIENT_ID_BYTES: usize = 512;
pub const CLIENT_SECRET_BYTES: usize = 1024;
pub const SUBJECT_CHARS: usize = 255;
/// How long somebody may take to come back from a provider.
pub const SIGN_IN_ATTEMPT_LIFE: Duration = Duration::from_secs(10 * 60);
/// How far a provider's clock may be from ours.
pub const ID_TOKEN_LEEWAY: Duration = Duration::from_secs(60);
/// How long a provider, or where alerts go, may take to answer; and how much a provider may answer, in bytes.
pub const PROVIDER_TIME: Duration = Duration::from_secs(8);
pub const PROVIDER_ANSWER_BYTES: usize = 256 * 1024;
/// How long what a provider publishes about itself is believed, and of how many it is kept. Its keys are read each time.
pub const DISCOVERY_KEPT: Duration = Duration::from_secs(5 * 60);
pub const DISCOVERIES_KEPT: usize = 1000;

/// Domains whose addresses may join one organisation, and the longest, in bytes.
pub const JOIN_DOMAINS: i64 = 50;
pub const DOMAIN_BYTES: usize = 253;
/// How long a link to join works.
pub const JOIN_LINK_LIFE: Duration = Duration::from_secs(10 * 60);
/// People who wait until somebody lets them into one organisation.
pub const JOIN_REQUESTS: i64 = 200;
/// How long it is remembered that somebody was refused: until then asking again troubles nobody.
pub const JOIN_REFUSAL_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Organisations that one address gets a sign-in link to at a time, and as many again that it may join by its domain; the first ones. Whoever
/// is in more signs in to the others with a passkey or by another site.
pub const ORGANISATIONS_PER_ADDRESS: i64 = 20;
/// Those who manage an organisation who are told that somebody waits.
pub const MANAGERS_TOLD: i64 = 20;

/// How long an invitation works.
pub const INVITATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Open and past invitations that one answer lists.
pub const INVITATIONS_LISTED: i64 = 1000;
/// Devices, API keys and groups, each, that are named of what somebody loses who is sent away.
pub const LOSSES_NAMED: i64 = 20;
/// People that one answer lists.
pub const PEOPLE_LISTED: i64 = 10_000;

/// A session ends when it was not used for so long, unless the operator chose otherwise; and what they may choose.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
pub const SESSION_IDLE_CHOSEN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
/// A session ends so long after signing in, used or not; the same.
pub const SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub const SESSION_LIFE_CHOSEN: (Duration, Duration) =
    (Duration::from_secs(10 * 60), Duration::from_secs(90 * 24 * 60 * 60));
/// Sessions that one person has at a time; one more ends the one that was not used for longest. The same.
pub const SESSIONS_PER_USER: i64 = 5;
pub const SESSIONS_CHOSEN: (i64, i64) = (1, 100);
/// How exact the time of a session's last use is kept.
pub const SESSION_TOUCH: Duration = Duration::from_secs(60);
/// How often an open channel's session is looked up, beside being told when it ends.
pub const SESSION_CHECK: Duration = Duration::from_secs(30);
/// How long somebody may take to show or set up a second factor after the link.
pub const HALF_SESSION_LIFE: Duration = Duration::from_secs(15 * 60);
/// Longest description of a device, in characters.
pub const DEVICE_CHARS: usize = 100;

/// Keys that work which one person or service account has.
pub const KEYS_PER_ACCOUNT: i64 = 20;
/// Keys of one organisation that work no more and are known still, so that it hears of a program that goes on with one.
pub const ENDED_KEYS_KNOWN: i64 = 1000;
/// Longest life of a key, in days.
pub const KEY_DAYS: u32 = 365;
/// How long a replaced key may go on working, at most, in hours.
pub const KEY_OVERLAP_HOURS: u32 = 7 * 24;
/// Service accounts of one organisation.
pub const SERVICE_ACCOUNTS: i64 = 100;

/// Shortest token of the operator for the tenant API, in bytes.
pub const ADMIN_TOKEN_BYTES: usize = 16;
/// Shortest master key of platform custody, in bytes.
pub const MASTER_KEY_BYTES: usize = 32;
/// Tenants of the tenant API on one installation.
pub const API_TENANTS: i64 = 10_000;
/// Templates of agents that the operator made, those that one page lists, and the longest address or name of a template's model in bytes.
/// What is in a template is bounded in `protocol::limits`: keepers hold to it too.
pub const API_TEMPLATES: i64 = 100;
pub const TEMPLATES_LISTED: i64 = 100;
pub const TEMPLATE_MODEL_BYTES: usize = 2048;
/// Tenants, and sessions, that one page lists.
pub const TENANTS_LISTED: i64 = 100;
pub const API_SESSIONS_LISTED: i64 = 100;
/// Longest name that a developer gives a session, in characters.
pub const API_SESSION_CHARS: usize = 128;
/// Keys of one tenant that work at once.
pub const TENANT_KEYS: usize = 10;
/// Requests of one tenant a minute, where it has no limit of its own.
pub const TENANT_REQUESTS: u32 = 120;
/// Agents of a tenant, its first among them; each is a cell.
pub const TENANT_AGENTS: usize = 5;
/// Agents on a page.
pub const AGENTS_LISTED: usize = 100;
/// Webhooks of one tenant.
pub const TENANT_WEBHOOKS: i64 = 5;
/// Deliveries to one webhook that are looked for at a time.
pub const WEBHOOK_AT_ONCE: i32 = 8;
/// Longest outcome of a turn that a webhook is told, in characters.
pub const WEBHOOK_OUTCOME_CHARS: usize = 64;
/// How often, and how long apart, a turn's end is offered to the queue again where the database did not take it.
pub const WEBHOOK_KEEP_TRIES: u32 = 60;
pub const WEBHOOK_KEEP_AGAIN: Duration = Duration::from_secs(5);
/// Requests of one tenant's agent that webhooks are told of within a time. What it asks for beyond that waits, and can be listed.
pub const TENANT_APPROVALS: i64 = 100;
pub const TENANT_APPROVALS_WITHIN: Duration = Duration::from_secs(60 * 60);
/// How long after its time a request that nothing was heard of is taken to have ended; how many are looked for at a time.
pub const TENANT_APPROVAL_GRACE: Duration = Duration::from_secs(10);
pub const TENANT_APPROVALS_AT_ONCE: i64 = 200;
/// How long it is known of a request that webhooks were told; longer than its keeper tells of it.
pub const TENANT_APPROVALS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often jobs of agents' schedules that are due are looked for.
pub const SCHEDULE_LOOK: Duration = Duration::from_secs(3);
/// Runs of jobs that one server begins at once, each of an agent that may have to be woken: where many are due at the same minute, the
/// others wait until these turns have begun.
pub const SCHEDULED_TOGETHER: usize = 8;
/// Runs of one tenant's jobs that one server carries out at once, each to the end of its turn.
pub const SCHEDULED_OF_TENANT: i64 = 2;
/// How long a run may take to begin: longer than a cell has to open.
pub const SCHEDULE_START: Duration = Duration::from_secs(150);
/// Jobs that are passed over, since their last run goes on, in one look.
pub const SCHEDULED_PASSED_OVER: i64 = 200;
/// For how long a run is one server's alone unless it says so again: when that was ended meanwhile, another one goes on.
pub const SCHEDULE_LEASE: Duration = Duration::from_secs(60);
/// It says so when less than this is left.
pub const SCHEDULE_LEASE_LEFT: Duration = Duration::from_secs(40);
/// How long a run that cannot begin now, for want of room or because its tenant does too much at once, is tried again; how long apart at
/// first, and, since each wait is as long as all that was before, at most.
pub const SCHEDULE_PATIENCE: Duration = Duration::from_secs(60 * 60);
pub const SCHEDULE_AGAIN: Duration = Duration::from_secs(15);
pub const SCHEDULE_AGAIN_LONGEST: Duration = Duration::from_secs(10 * 60);
/// When a job is looked at again of which this server cannot tell when it comes.
pub const SCHEDULE_UNTOLD_AGAIN: Duration = Duration::from_secs(10 * 60);
/// An agent whose money is spent is woken for its jobs once in so many seconds, counted from the Unix epoch, to see whether it still is.
pub const SCHEDULE_SPENT_SECONDS: i64 = 60 * 60;
/// How often a cell whose run is over is told that it is not needed, while its keeper is at something; how long apart.
pub const SCHEDULE_LEAVE_TRIES: u32 = 5;
pub const SCHEDULE_LEAVE_AGAIN: Duration = Duration::from_secs(3);
/// How far, in days and in times, a cron expression is followed to see how close together its times are: 29 February comes within this.
pub const SCHEDULE_DAYS_TRIED: i64 = 9 * 366;
pub const SCHEDULE_TIMES_TRIED: usize = 1000;
/// Longest result of a run that is kept, in characters.
pub const SCHEDULE_RESULT_CHARS: usize = 64;
/// How long a turn goes on whose client has given it results and left before the answer: it may come again with the same results.
pub const FUNCTION_AGAIN: Duration = Duration::from_secs(60);
/// Turns of one tenant that run or wait at once; and those of them that offer functions, which may wait for their client: the others are
/// left to what waits for nobody.
pub const TENANT_TURNS: usize = 32;
pub const TENANT_FUNCTION_TURNS: usize = 24;
/// Requests of one tenant that are open at once, streams among them: each is a connection, and what waits to be read on it.
pub const TENANT_OPEN: usize = 64;
/// Largest body of a request to the tenant API, in bytes: a whole conversation comes with some.
pub const TENANT_BODY_BYTES: usize = 1024 * 1024;
/// Pairs of its own that a client may have a response tell back, and the longest name and value of one in characters: as OpenAI bounds them.
pub const METADATA_PAIRS: usize = 16;
pub const METADATA_NAME_CHARS: usize = 64;
pub const METADATA_VALUE_CHARS: usize = 512;
/// How long one turn may take, waking and waiting included.
pub const TURN_TIME: Duration = Duration::from_secs(30 * 60);
/// What is held of one turn for whoever reads it: events and bytes.
pub const TURN_EVENTS: usize = 20_000;
pub const TURN_BYTES: usize = 4 * 1024 * 1024;
/// How long a request for sessions, approvals or usage, and a write of the operator's, waits for each answer of a cell, from waking it to what its
/// keeper says.
pub const CELL_ANSWER: Duration = Duration::from_secs(180);
/// For how long a turn of whose end webhooks are told is one server's alone unless it says so again: when that was ended meanwhile, another
/// one goes on with it. How often it says so.
pub const TURN_LEASE: Duration = Duration::from_secs(60);
pub const TURN_HOLD: Duration = Duration::from_secs(20);
/// How often turns that no server has are looked for; how many one server finds out about at once, each in a cell that may have to be woken.
pub const ORPHANS_LOOK: Duration = Duration::from_secs(5);
pub const ORPHANS_TOGETHER: usize = 8;
/// How long after it was begun it is tried again to find out about one whose cell cannot be reached; how long apart.
pub const ORPHAN_PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);
pub const ORPHAN_AGAIN: Duration = Duration::from_secs(30);
/// How long a turn that is over can be read again from where its stream broke.
pub const TURN_KEPT: Duration = Duration::from_secs(60);
/// How many turns are held that have ended, and how many bytes of them, of a tenant and of all together: those that were begun first go first.
pub const TENANT_TURNS_KEPT: usize = 64;
pub const TENANT_TURNS_KEPT_BYTES: usize = 32 * 1024 * 1024;
pub const TURNS_KEPT: usize = 2000;
pub const TURNS_KEPT_BYTES: usize = 256 * 1024 * 1024;
/// How long a single turn that has a key is found by it again, with what was said in it.
pub const SINGLE_TURN_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Sessions of an agent above which those go that nobody named. The keeper takes 2,000 (its `CONVERSATIONS`), with those that are being deleted.
pub const UNNAMED_GIVE_WAY: i64 = 1800;
/// Sessions that nobody named, those that were used last, that stay however many others there are.
pub const UNNAMED_KEPT: i64 = 100;
/// When to come again where the server is busy, or its database does not answer.
pub const BUSY_AGAIN: Duration = Duration::from_secs(2);
/// How often the session of a single turn is tried to be removed, and the first rest between two tries: twice as long each time.
pub const SINGLE_TURN_TRIES: u32 = 8;
pub const SINGLE_TURN_AGAIN: Duration = Duration::from_secs(10);
/// How long after a turn could not be stopped that is tried again.
pub const ABORT_AGAIN: Duration = Duration::from_secs(2);
/// How long the head of a stream is held back, so that what fails until then fails as a request. Then it begins, and signs of life with it.
pub const STREAM_BEGINS: Duration = Duration::from_secs(30);
/// Between two signs of life on a stream that is quiet.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(15);
/// How often sessions of single turns are looked for that a server which ended has left, of every agent: it wakes their cells.
pub const SINGLE_TURNS_SWEPT: Duration = Duration::from_secs(60 * 60);
/// How long the answer to a write with an `Idempotency-Key` is kept, and the longest such key in characters.
pub const WRITE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How often answers that were kept so long are looked for, of every tenant.
pub const WRITES_SWEPT: Duration = Duration::from_secs(10 * 60);
/// How long a write may be under way until its key may be used again.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How long half of a tenant, or of an agent, is left to whoever asks for the rest of it. Then it is removed.
pub const HALF_KEPT: Duration = Duration::from_secs(60 * 60);

/// Groups of one organisation that are not put away (who make one, or take one out, in the same moment may pass it by one each), groups that
/// one answer lists, and members of one group.
pub const GROUPS: i64 = 1000;
pub const GROUPS_LISTED: i64 = 2000;
pub const GROUP_MEMBERS: i64 = 1000;
/// How much later than a keeper's clock says somebody may have come into a group: keepers run beside us, by nearly the same time.
pub const GROUP_TIE_SKEW: Duration = Duration::from_secs(30);

/// Dangerous acts need that the person showed who they are so recently.
pub const STEP_UP: Duration = Duration::from_secs(10 * 60);
/// Backup codes that are made at a time.
pub const BACKUP_CODES: usize = 10;
/// Wrong codes in a row that cost nothing; then one waits 1 s, 2 s, 4 s, ...
pub const FACTOR_TRIES_FREE: i32 = 5;
/// ... up to this long.
pub const FACTOR_WAIT: Duration = Duration::from_secs(15 * 60);

/// Passkeys that one person may have for signing in.
pub const PASSKEYS_PER_USER: i64 = 20;
/// How long a passkey may take to sign what it was asked for.
pub const PASSKEY_CHALLENGE_LIFE: Duration = Duration::from_secs(10 * 60);

/// Events between two signatures over the audit chain.
pub const AUDIT_CHECKPOINT: i64 = 256;
/// Audit events that are chained in one transaction.
pub const AUDIT_CHAINED: i32 = 256;
/// Audit events that one answer lists.
pub const AUDIT_LISTED: i64 = 100;
/// Audit events of an export that are read at a time.
pub const AUDIT_EXPORTED: i64 = 1000;

/// How often refusals are written into the audit logs: each who, from where and why is one entry.
pub const REFUSALS_WRITTEN: Duration = Duration::from_secs(60);
/// Such entries of people, programs and tenants who are known, and of everybody else, at a time; what is more is counted together.
pub const REFUSALS_OF_KNOWN: usize = 1024;
pub const REFUSALS_OF_UNKNOWN: usize = 256;

/// Rules of one organisation's alerts.
pub const ALERT_RULES: i64 = 50;
/// So many refused acts of one person within this time set an alert off.
pub const ALERT_FAILURES: i64 = 5;
pub const ALERT_FAILURES_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Time between two alerts of the same rule about the same person; what happens meanwhile is told in one.
pub const ALERT_BETWEEN: Duration = Duration::from_secs(60 * 60);
/// How often what is due to be told is looked for.
pub const DELIVERY_CHECK: Duration = Duration::from_secs(3);
/// Due alerts, and due deliveries (one a destination), that are looked for at a time.
pub const ALERTS_AT_ONCE: i64 = 50;
pub const DELIVERIES_AT_ONCE: i64 = 50;
/// Deliveries that are under way at once.
pub const DELIVERIES_TOGETHER: usize = 8;
/// How long after a try that failed the next one comes; doubled with each. A destination may ask for more, up to the second.
pub const DELIVERY_RETRY: Duration = Duration::from_secs(60);
pub const DELIVERY_WAIT: Duration = Duration::from_secs(6 * 60 * 60);
/// Tries until a delivery is given up.
pub const DELIVERY_TRIES: i16 = 8;
/// How long an alert that was given up is kept.
pub const DELIVERY_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Destinations of one organisation; their longest address, its host with the port, and key, in bytes.
pub const DESTINATIONS: i64 = 20;
pub const DESTINATION_URL_BYTES: usize = 2048;
pub const DESTINATION_HOST_BYTES: usize = 260;
pub const DESTINATION_KEY_BYTES: usize = 256;
/// Audit events in one delivery, and how many bytes of them from which on it is full.
pub const STREAM_EVENTS: i64 = 100;
pub const STREAM_BYTES: usize = 256 * 1024;
/// How long a collector of syslog may take to close after it has been told everything.
pub const SYSLOG_CLOSE: Duration = Duration::from_secs(2);
/// How often chains that somebody wants watched are looked for, and those with events that a server left unchained; how often each that is
/// watched is gone through, and events that are read at a time.
pub const CHAIN_LOOK: Duration = Duration::from_secs(3);
pub const CHAIN_CHECK: Duration = Duration::from_secs(6 * 60 * 60);
pub const CHAIN_EVENTS: i64 = 1000;
/// Chains that are looked for at a time.
pub const CHAINS_AT_ONCE: i64 = 20;
/// How long sent alerts are kept.
pub const ALERT_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Longest words of why a delivery was not taken that are kept, in characters.
pub const PROBLEM_CHARS: usize = 300;
/// Longest line about an event in an alert, in characters.
pub const ALERT_CHARS: usize = 300;

/// How long something waits for a locked vault before its owner gets a mail: they may be unlocking it, or only its connection broke.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(30);
/// Shortest time between two such mails to one person.
pub const REQUEST_MAIL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// When a mail that was not taken is tried again.
pub const REQUEST_MAIL_RETRY: Duration = Duration::from_secs(15 * 60);
/// Owners who are looked for at a time.
pub const REQUEST_MAILS_AT_ONCE: i64 = 50;
/// How long what was seen waiting is taken to wait: as long as the relay keeps it.
pub const REQUEST_NOTICE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a request of an agent waits, and nobody is there, before its owner gets a mail: they may be coming, or only their connection broke.
pub const APPROVAL_PATIENCE: Duration = Duration::from_secs(60);
/// Shortest time between two such mails to one person, however much their agent asks. Longer than a request lives: of each there is one mail
/// at most.
pub const APPROVAL_MAIL_EVERY: Duration = Duration::from_secs(60 * 60);
/// Longest life of a request that a keeper is believed.
pub const APPROVAL_LIFE: Duration = Duration::from_secs(60 * 60);
/// Longest time for which a keeper is believed that a week can be read: nobody is to miss its mail because of another one just before.
pub const WEEK_NOTICE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Devices of one person that are told by Web Push.
pub const PUSH_DEVICES: i64 = 10;
/// How long something waits until devices are told: a page that is loaded anew is back sooner, and then nobody is called.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(5);
/// Shortest time between two push messages to one device.
pub const PUSH_BETWEEN: Duration = Duration::from_secs(60);
/// How long a push service keeps a message for a device that is off: as long as an agent's request may wait. Who comes later has a mail.
pub const PUSH_LIFE: Duration = APPROVAL_LIFE;
/// How long a push service may believe that a message is ours (at most 24 hours: RFC 8292, section 2).
pub const PUSH_TOKEN_LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Sign-in links that one address may ask for in [`RATE_PERIOD`].
pub const SIGN_INS_PER_ADDRESS: u32 = 5;
/// Requests with a token or an address that one client may make in [`RATE_PERIOD`]; a whole office may be one client.
pub const ATTEMPTS_PER_CLIENT: u32 = 300;
/// How often one client may ask for the buttons of a sign-in page in [`RATE_PERIOD`]: that presents nothing, and is no try.
pub const SIGN_IN_PAGES_PER_CLIENT: u32 = 1000;
/// Requests with a session that is over, or is none, that one client may make in [`RATE_PERIOD`]: far more than pages do that stand open
/// in an office. Sessions that there are do not count.
pub const UNKNOWN_SESSIONS_PER_CLIENT: u32 = 1000;
/// Good sessions that are remembered, so that they are let through where their client brought too many others: so many, and as many of
/// before.
pub const GOOD_SESSIONS_KEPT: usize = 10_000;
/// Invitations that one tenant may send in [`RATE_PERIOD`].
pub const INVITATIONS_PER_TENANT: u32 = 200;
/// Tests of sign-in providers that one tenant may ask for in [`RATE_PERIOD`].
pub const PROVIDER_TESTS_PER_TENANT: u32 = 60;
/// Tests of destinations that one tenant may ask for in [`RATE_PERIOD`].
pub const DESTINATION_TESTS_PER_TENANT: u32 = 60;
/// Failures to come in of one client that cost nothing; then it waits 1 s, 2 s, 4 s, ... up to so long. They are forgotten after a time,
/// and of so many clients, and tenants, they are kept.
pub const CLIENT_FAILURES_FREE: u32 = 30;
/// The same of a tenant: wrong codes of its people, from wherever, with no right one between them. No one person and no one client comes so
/// far without waiting for themself.
pub const TENANT_FAILURES_FREE: u32 = 100;
pub const CLIENT_WAIT: Duration = Duration::from_secs(60);
pub const CLIENT_FAILURES_KEPT: Duration = Duration::from_secs(60 * 60);
pub const CLIENTS_KEPT: usize = 10_000;
/// Requests of one person, with all their sessions, and of one API key, in [`REQUEST_PERIOD`], unless the operator chose otherwise; and
/// what they may choose.
pub const REQUESTS_PER_PERSON: u32 = 600;
pub const REQUESTS_PER_KEY: u32 = 600;
pub const REQUESTS_CHOSEN: (i64, i64) = (30, 1_000_000);
pub const REQUEST_PERIOD: Duration = Duration::from_secs(60);
/// The period of the limits on tries, invitations and tests above; they refill evenly over it.
pub const RATE_PERIOD: Duration = Duration::from_secs(15 * 60);

/// Tries with the operator's token that one client, and that everybody together, has in [`RATE_PERIOD`].
pub const OPERATOR_TRIES_PER_CLIENT: u32 = 30;
pub const OPERATOR_TRIES: u32 = 300;
/// Owners of organisations whom the operator may invite in [`RATE_PERIOD`].
pub const OWNER_INVITATIONS: u32 = 100;
/// The operator's session ends when it was not used for so long ...
pub const OPERATOR_IDLE: Duration = Duration::from_secs(15 * 60);
/// ... and so long after signing in, used or not.
pub const OPERATOR_LIFE: Duration = Duration::from_secs(8 * 60 * 60);
/// People, and organisations, that one answer to the operator lists.
pub const OPERATOR_LISTED: i64 = 10_000;
/// How often it is seen to that the cells of people who were sent away sleep, or are erased.
pub const CELLS_OF_LEAVERS: Duration = Duration::from_secs(60);
/// How often the keepers of organisations that demand a second person are told so again.
pub const SECOND_DEMANDED_AGAIN: Duration = Duration::from_secs(60);
/// Whoever removes somebody waits for so long until their cell is erased; after that it is erased by itself.
pub const CELL_ERASED: Duration = Duration::from_secs(10);
/// Cells of one organisation, or of people who were removed, that are erased at once.
pub const CELLS_REMOVED_TOGETHER: usize = 8;
/// Lines of a keeper's log that the operator is shown at most.
pub const OPERATOR_LOG_LINES: usize = 1000;
/// How long an act on a cell is waited for before the answer is that it is under way.
pub const OPERATOR_ACT_WAIT: Duration = Duration::from_secs(20);

/// How long a Redis that counts the limits may take to answer.
pub const SHARED_LIMITS_WAIT: Duration = Duration::from_millis(500);
/// How long a Redis that did not answer is left alone.
pub const SHARED_LIMITS_PAUSE: Duration = Duration::from_secs(2);

/// Sign-in mails that wait to be sent; more are refused.
pub const MAIL_QUEUE: usize = 1000;
/// Mails that are handed over at the same time: sign-in links of everybody, and what those who manage an organisation are told of one who asks
/// to join it.
pub const MAILS_AT_ONCE: usize = 8;
/// How long handing one mail to the mail server may take.
pub const MAIL_TIME: Duration = Duration::from_secs(15);

/// Connections to PostgreSQL that one server holds.
pub const DATABASE_CONNECTIONS: u32 = 16;
/// Statements that look up what some requests ask (whose session or key they bear, who sees which groups), of each kind at once. More
/// would be smaller: what comes meanwhile goes together in the next.
pub const LOOK_UPS_AT_ONCE: usize = 2;
/// Requests for which one statement looks up.
pub const LOOK_UPS_TOGETHER: usize = 64;
/// The same of lists, which may be long.
pub const LISTS_TOGETHER: usize = 8;
/// How long a request waits for a connection to PostgreSQL, and for whose session or key it bears.
pub const DATABASE_WAIT: Duration = Duration::from_secs(3);
