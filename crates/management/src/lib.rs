//! Management: who people are and what they may do. Tenants, users, sign-in, sessions, invitations, whose cell is whose, the
//! HTTP API for them, and the database they are kept in. It never holds a person's secret, password, phrase or key.

mod access;
mod alerts;
mod answer;
mod api_key;
mod app;
pub mod audit;
mod backoff;
mod body;
mod cell_control;
mod chosen;
mod client;
mod clock;
mod config;
mod cors;
mod cross_site;
mod csrf_token;
mod custody;
pub mod database;
mod delivery;
mod demands;
mod device;
mod factors;
pub mod fuzzing;
pub mod gateway_key;
mod handlers;
mod ids;
mod joining;
mod key_file;
mod leavers;
pub mod limits;
pub mod machine;
pub mod mail;
mod openapi;
mod operator;
mod outer;
mod outside;
mod person;
pub mod postgres;
mod private_file;
mod problem;
mod providers;
mod proxies;
mod rate_limit;
mod refusals;
mod repeating;
mod request_mails;
mod routes;
mod scope;
mod sealing;
mod secret_token;
mod session;
mod session_flood;
mod session_watch;
mod setup_link;
mod shared_limits;
mod sign_in;
mod sole_owner;
mod storage;
mod tenant_api;
mod zone;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use ed25519_dalek::SigningKey;
use protocol::control::{ApprovalNotice, ApprovalState, Deeds, GroupTie, NoticeKind};
use protocol::relay::MailboxKey;
use protocol::{CellId, GatewayToken, TenantId};
use time::OffsetDateTime;

pub use cell_control::{CellControl, CellRef, CellState, CellUnavailable};
pub use chosen::{OutOfBounds, RequestLimits, SessionTimes};
pub use clock::{Clock, Entropy, NoEntropy, OsEntropy, SystemClock};
pub use config::{Config, PublicUrl, PublicUrlError};
pub use cors::{Origin, OriginError};
pub use custody::{Custody, CustodyError, Kept, KnownKeeper, MasterKey, MasterKeyIn, MasterKeyTooShort, Rotated};
pub use database::Database;
pub use delivery::{DestinationKey, PushKey};
pub use factors::FactorKey;
pub use key_file::KeyFileError;
pub use openapi::{NotDescribed, document};
pub use person::Role;
pub use providers::ProviderKey;
pub use proxies::{Network, NetworkError};
pub use routes::Access;
pub use scope::Scope;
pub use secret_token::{SecretToken, TokenHash};
pub use session_watch::ChannelSession;
pub use setup_link::SetupLinkError;
pub use shared_limits::{SharedLimits, SharedLimitsError};
pub use sole_owner::{NotReset, OwnerReset, SoleOwner};
pub use storage::StorageError;
pub use tenant_api::{
    AdminToken, AgentError, AgentEvent, Listening, ModelParams, PlatformAgents, RemovedCell, TenantApiParts,
};

use app::{App, Shared};
use audit::{Action, AuditKey, AuditLog, By, ChainWatch, Entry, Target};
use delivery::Delivery;
use mail::Mailer;
use providers::Providers;
use rate_limit::RateLimits;
use refusals::Refusals;
use repeating::Repeating;
use request_mails::RequestMails;
use session_watch::SessionWatch;
use storage::{TenantTransaction, api_agents, approval_notices, groups, mailboxes};
use tenant_api::{TenantApi, approvals, idempotency, orphans, schedules, sessions};

/// What management works with.
pub struct Parts {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub mailer: Arc<dyn Mailer>,
    pub cells: Arc<dyn CellControl>,
    /// What the operator sees of the machine.
    pub machine: Arc<dyn machine::Machine>,
    /// Signs gateway tokens.
    pub gateway_key: SigningKey,
    /// Seals what people show as second factors.
    pub factor_key: FactorKey,
    /// Seals what sign-in providers gave the organisations.
    pub provider_key: ProviderKey,
    /// Seals how destinations of alerts and audit events are reached.
    pub destination_key: DestinationKey,
    /// What push services know this installation by.
    pub push_key: PushKey,
    /// Signs where the audit chains stand.
    pub audit_key: AuditKey,
    /// Counts the limits for several servers.
    pub shared_limits: Option<SharedLimits>,
    /// The tenant API, where the operator has turned it on.
    pub tenant_api: Option<TenantApiParts>,
}

/// The part, running. Dropping it ends its background work.
pub struct Management {
    app: App,
    sending: sign_in::Sending,
    sessions: SessionWatch,
    deliveries: Repeating,
    chains: Repeating,
    cells_of_leavers: Repeating,
    demands: Repeating,
    request_mails: Repeating,
    tenants_approvals: Option<Repeating>,
    schedules: Option<Repeating>,
    answers_swept: Option<Repeating>,
    single_turns_swept: Option<Repeating>,
    orphans: Option<Repeating>,
    refusals: Repeating,
}

impl Management {
    /// Starts the part. Needs a Tokio runtime.
    pub fn new(config: Config, parts: Parts) -> Self {
        let Parts {
            database,
            clock,
            entropy,
            mailer,
            cells,
            machine,
            gateway_key,
            factor_key,
            provider_key,
            destination_key,
            push_key,
            audit_key,
            shared_limits,
            tenant_api,
        } = parts;
        let audit = Arc::new(AuditLog::new(clock.clone(), audit_key));
        let sender = sign_in::Sender {
            database: database.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            mailer: mailer.clone(),
            public_url: config.public_url.clone(),
            audit: audit.clone(),
        };
        let (sign_ins, sending) = sender.start();
        let limits = RateLimits::new(&clock, shared_limits, config.requests);
        let sessions = SessionWatch::start(database.clone(), clock.clone(), config.sessions.idle);
        let delivery = Arc::new(Delivery::new(
            &config,
            database.clone(),
            clock.clone(),
            mailer.clone(),
            destination_key,
            push_key,
            tenant_api.as_ref().map(|parts| parts.custody.clone()),
        ));
        let deliveries = Delivery::start(&delivery);
        let chains = ChainWatch::start(database.clone(), audit.clone());
        let request_mails = RequestMails {
            database: database.clone(),
            clock: clock.clone(),
            mailer: mailer.clone(),
            public_url: config.public_url.clone(),
        };
        let request_mails = request_mails.start();
        let refusals = Arc::new(Refusals::default());
        let refusals_written = Refusals::start(&refusals, database.clone(), audit.clone());
        let operator_token = operator::TokenFile::new(&config.data_dir);
        let providers = Providers::new(&config.private_provider_addresses);
        let app = App::new(Shared {
            config,
            database,
            clock,
            entropy,
            mailer,
            cells,
            gateway_key,
            factor_key,
            provider_key,
            providers,
            delivery,
            audit,
            limits,
            refusals,
            sign_ins,
            tenant_api: tenant_api.map(|parts| TenantApi::new(parts, sessions.keys())),
            operator_token,
            machine,
        });
        let cells_of_leavers = leavers::start(&app);
        let demands = demands::start(&app);
        let tenants_approvals = app.tenant_api.as_ref().map(|_| approvals::start(&app));
        let schedules = app.tenant_api.as_ref().map(|_| schedules::start(&app));
        let answers_swept = app.tenant_api.as_ref().map(|_| idempotency::start(&app));
        let single_turns_swept = app.tenant_api.as_ref().map(|_| sessions::start(&app));
        let orphans = app.tenant_api.as_ref().map(|_| orphans::start(&app));
        Self {
            app,
            sending,
            sessions,
            deliveries,
            chains,
            cells_of_leavers,
            demands,
            request_mails,
            tenants_approvals,
            schedules,
            answers_swept,
            single_turns_swept,
            orphans,
            refusals: refusals_written,
        }
    }

    /// While nobody owns the installation: writes the one-time link to `<data-dir>/setup-url` and returns that file.
    ///
    /// # Errors
    /// [`SetupLinkError`] says what to do.
    pub async fn publish_setup_link(&self) -> Result<Option<PathBuf>, SetupLinkError> {
        setup_link::publish(&self.app).await
    }

    /// Looks up the session that a gateway token was made for, when a channel is opened with it; `None` if it is over. What is
    /// returned is held for as long as the channel is open, and tells when the session ends.
    ///
    /// # Errors
    /// The database cannot be asked: then nothing is opened.
    pub async fn channel_session(&self, token: &GatewayToken) -> Result<Option<ChannelSession>, StorageError> {
        self.sessions.admit(token.tenant, token.user, token.session).await
    }

    /// A cell's keeper has shown the relay, over the connection that its cell carried, that this mailbox is its own, and fetches what
    /// waits there: from now on the mailbox is that of the cell's owner, and nothing waits for them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mailbox_opened(
        &self,
        cell: CellId,
        tenant: TenantId,
        mailbox: &MailboxKey,
    ) -> Result<(), StorageError> {
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        mailboxes::opened(&mut transaction, cell, mailbox, self.app.clock.now()).await?;
        transaction.commit().await
    }

    /// Something waits at the relay in a mailbox whose keeper does not come for it: its vault is locked. Its owner is told, within what
    /// their organisation wants. A mailbox that is nobody's here is left alone.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn something_waits(&self, mailbox: &MailboxKey) -> Result<(), StorageError> {
        let Some((tenant, owner)) = mailboxes::owner(&self.app.database, mailbox).await? else {
            return Ok(());
        };
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        mailboxes::something_waits(&mut transaction, owner, mailbox, self.app.clock.now()).await?;
        transaction.commit().await
    }

    /// What a cell's keeper says waits for its owner while they are not there, whole: what is not among it any more does not wait. People
    /// are told on their devices, and by mail after a while; of cells of the tenant API, webhooks are told.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn approvals_wait(
        &self,
        cell: CellId,
        tenant: TenantId,
        notices: &[ApprovalNotice],
    ) -> Result<(), StorageError> {
        let now = self.app.clock.now();
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        if self.app.tenant_api.is_some()
            && let Some(agent) = api_agents::of_cell(&mut transaction, cell).await?
        {
            approvals::heard(&self.app, &mut transaction, &agent, notices, now).await?;
            return transaction.commit().await;
        }
        let waiting = notices.iter().filter(|each| each.state == ApprovalState::Waiting);
        let waiting = waiting.filter_map(|each| Some((each.kind, clock::moment(each.ends_at)?)));
        let mut waiting: Vec<_> = waiting.filter(|(_, ends_at)| *ends_at > now).collect();
        waiting.sort_unstable();
        if waiting.is_empty() {
            approval_notices::over(&mut transaction, cell).await?;
        } else {
            self.something_waits_for(&mut transaction, cell, waiting, now).await?;
        }
        transaction.commit().await
    }

    /// Keeps what waits for the owner of a cell, until the last of it ends; what alarms is in the audit log, too, once each time.
    async fn something_waits_for(
        &self,
        transaction: &mut TenantTransaction,
        cell: CellId,
        mut waiting: Vec<(NoticeKind, OffsetDateTime)>,
        now: OffsetDateTime,
    ) -> Result<(), StorageError> {
        // Nobody who is suspended is told.
        let owner = approval_notices::owner_of(transaction, cell).await?;
        let Some(owner) = owner.filter(|owner| !owner.suspended) else {
            return Ok(());
        };
        // Of each week there is one mail.
        waiting
            .retain(|(kind, ends_at)| *kind != NoticeKind::Week || owner.week_told.is_none_or(|told| *ends_at > told));
        let week = waiting.iter().find(|(kind, _)| *kind == NoticeKind::Week);
        let week_until = week.map(|(_, ends_at)| *ends_at);
        let others = waiting.iter().filter(|(kind, _)| *kind != NoticeKind::Week);
        let others = others.map(|(_, ends_at)| (*ends_at).min(clock::after(now, limits::APPROVAL_LIFE)));
        let week = week_until.map(|ends_at| ends_at.min(clock::after(now, limits::WEEK_NOTICE_LIFE)));
        let Some(ends_at) = others.max().or(week) else {
            return approval_notices::over(transaction, cell).await;
        };
        let is_new = |ends_at: OffsetDateTime| owner.alarmed_until.is_none_or(|known| ends_at > known);
        let alarms = waiting
            .iter()
            .filter(|(kind, ends_at)| kind.is_alarm() && is_new(*ends_at));
        let mut alarmed_until: Option<OffsetDateTime> = None;
        for (kind, ends_at) in alarms {
            alarmed_until = alarmed_until.max(Some(*ends_at));
            let action = match kind {
                NoticeKind::Locked => Action::VaultLocked,
                NoticeKind::Paused => Action::CallsPaused,
                // Counted among what was done, also where nobody wants to be told.
                _ => continue,
            };
            let entry = Entry::done(action).on(Target::new("person", owner.user, &owner.name));
            self.app.audit.record(transaction, &By::server(), entry).await?;
        }
        let mut kinds: Vec<_> = waiting.iter().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        let waiting = approval_notices::Waiting {
            kinds,
            ends_at,
            alarmed_until,
            week_until,
        };
        approval_notices::waits(transaction, owner.user, &waiting, now).await
    }

    /// What was done in a person's vault, since its keeper last said it: an event of each kind in the audit log, with how often. Of cells of the
    /// tenant API, the requests and their answers are told of otherwise.
    ///
    /// # Errors
    /// The database does not answer: nothing is written.
    pub async fn deeds_done(&self, cell: CellId, tenant: TenantId, deeds: Deeds) -> Result<(), StorageError> {
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        let Some(owner) = approval_notices::owner_of(&mut transaction, cell).await? else {
            return Ok(());
        };
        for (action, times) in [
            (Action::ApprovalAsked, deeds.asked),
            (Action::ApprovalAllowed, deeds.allowed),
            (Action::ApprovalDenied, deeds.denied),
            (Action::ShareGiven, deeds.shared),
            (Action::ShareEnded, deeds.unshared),
            (Action::ApprovalElsewhere, deeds.elsewhere),
        ] {
            if times > 0 {
                let entry = Entry::done(action).on(Target::new("person", owner.user, &owner.name));
                let entry = entry.with("times", times);
                self.app.audit.record(&mut transaction, &By::server(), entry).await?;
            }
        }
        transaction.commit().await
    }

    /// Whether what a cell's owner shares with somebody in a group, or somebody with them, may still be used as far as the group goes: both
    /// have been in it since then, whoever gives is an admin of it, it is not put away, and nobody of the two is suspended.
    ///
    /// # Errors
    /// The database does not answer: then it is not known.
    pub async fn group_tie(&self, cell: CellId, tenant: TenantId, tie: &GroupTie) -> Result<bool, StorageError> {
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        groups::tie_stands(&mut transaction, cell, tie).await
    }

    /// Whether whoever last showed, over the connection of their own cell, that this mailbox is theirs is neither suspended nor removed, as far
    /// as this organisation knows: nobody of it who has is also a yes.
    ///
    /// # Errors
    /// The database does not answer: then it is not known.
    pub async fn stands(&self, tenant: TenantId, mailbox: &MailboxKey) -> Result<bool, StorageError> {
        let mut transaction = TenantTransaction::begin(&self.app.database, tenant).await?;
        mailboxes::stands(&mut transaction, mailbox).await
    }

    /// Whether PostgreSQL answers now, for `/readyz`.
    pub async fn database_ready(&self) -> bool {
        self.app.database.ready().await
    }

    /// Writes what was refused since the last time into the audit logs, as is done every minute.
    pub async fn write_refusals(&self) {
        self.app.refusals.write(&self.app.database, &self.app.audit).await;
    }

    /// Puts the cells of suspended people to sleep and erases those of removed ones, where that is not done, as is tried every minute.
    pub async fn see_to_leavers(&self) {
        leavers::see_to_all(&self.app).await;
    }

    /// Tells the keepers of organisations that demand a second person so again, as is done every minute.
    pub async fn tell_demands(&self) {
        demands::tell_all(&self.app).await;
    }

    /// Sends the sign-in links that were asked for, and closes the database's connections after what runs on them.
    pub async fn shutdown(&self) {
        self.sending.finish(&self.app.sign_ins).await;
        self.sessions.stop().await;
        self.deliveries.stop().await;
        self.chains.stop().await;
        self.cells_of_leavers.stop().await;
        self.demands.stop().await;
        self.request_mails.stop().await;
        if let Some(single_turns_swept) = &self.single_turns_swept {
            single_turns_swept.stop().await;
        }
        if let Some(orphans) = &self.orphans {
            orphans.stop().await;
        }
        if let Some(answers_swept) = &self.answers_swept {
            answers_swept.stop().await;
        }
        if let Some(schedules) = &self.schedules {
            schedules.stop().await;
        }
        if let Some(approvals) = &self.tenants_approvals {
            approvals.stop().await;
        }
        self.refusals.stop().await;
        self.write_refusals().await;
        self.app.database.close().await;
    }
}

/// `/api/v1/*` of `docs/protocol.md`, section 5, but for the channel.
pub fn router(management: &Management) -> Router {
    routes::router(management.app.clone())
}

/// Every route that [`router`] answers, who may call it, and what an API key needs for it (`None`: no key calls it): what the
/// tests of all routes are made from.
pub fn routes() -> Vec<(Method, &'static str, Access, Option<Scope>)> {
    routes::all()
        .into_iter()
        .map(|route| (route.method, route.path, route.access, route.scope))
        .collect()
}

/// Every route of the tenant API, and who may call it. They are there where it is turned on.
pub fn tenant_routes() -> Vec<(Method, &'static str, Access)> {
    tenant_api::all()
        .into_iter()
        .map(|route| (route.method, route.path, route.access))
        .collect()
}
