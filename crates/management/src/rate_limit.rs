//! How often somebody may try: counted here, in memory, and, where several servers share a Redis, there too. What one of the two
//! refuses is refused. A restart forgets what is in memory, which helps nobody against 256-bit tokens.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use protocol::TenantId;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::chosen::RequestLimits;
use crate::clock::Clock;
use crate::limits;
use crate::person::Email;
use crate::secret_token::TokenHash;
use crate::session_flood::SessionFlood;
use crate::shared_limits::{Failing, SharedLimits, Tried};
use crate::storage::sessions::Session;

/// From this number of keys on, those that have refilled are forgotten whenever the number has doubled.
const KEYS_KEPT: usize = 10_000;

#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.now().unix_timestamp_nanos()).unwrap_or(0))
    }
}

struct Keyed<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, Ticks, NoOpMiddleware<Nanos>>,
    ticks: Ticks,
    clear_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(times: u32, clock: &Arc<dyn Clock>) -> Self {
        Self::within(limits::RATE_PERIOD, times, clock)
    }

    fn within(period: Duration, times: u32, clock: &Arc<dyn Clock>) -> Self {
        let times = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
        let period = period / times.get();
        let quota = Quota::with_period(period)
            .unwrap_or(Quota::per_hour(times))
            .allow_burst(times);
        let ticks = Ticks(clock.clone());
        Self {
            limiter: RateLimiter::hashmap_with_clock(quota, ticks.clone()),
            ticks,
            clear_at: AtomicUsize::new(KEYS_KEPT),
        }
    }

    fn check(&self, key: &K) -> Result<(), Duration> {
        use governor::clock::Clock as _;
        if self.limiter.len() > self.clear_at.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            self.clear_at
                .store(KEYS_KEPT.max(self.limiter.len() * 2), Ordering::Relaxed);
        }
        self.limiter
            .check_key(key)
            .map_err(|not_yet| not_yet.wait_time_from(self.ticks.now()))
    }
}

/// The limits of this part. Each check takes one try, or says how long to wait.
pub(crate) struct RateLimits {
    sign_ins: Keyed<Email>,
    attempts: Keyed<Option<IpAddr>>,
    sign_in_pages: Keyed<Option<IpAddr>>,
    unknown_sessions: Keyed<Option<IpAddr>>,
    session_flood: SessionFlood,
    invitations: Keyed<TenantId>,
    operator: Keyed<Option<IpAddr>>,
    operators: Keyed<()>,
    owner_invitations: Keyed<()>,
    provider_tests: Keyed<TenantId>,
    destination_tests: Keyed<TenantId>,
    chosen: RequestLimits,
    people: Keyed<Uuid>,
    keys: Keyed<Uuid>,
    backoff: Backoff<IpAddr>,
    tenants_backoff: Backoff<TenantId>,
    shared: Option<SharedLimits>,
}

/// Somebody makes more requests than they may.
#[derive(Debug)]
pub(crate) struct TooOften {
    /// Its name in the configuration.
    pub limit: &'static str,
    pub most: u32,
    pub wait: Duration,
}

impl RateLimits {
    pub(crate) fn new(clock: &Arc<dyn Clock>, shared: Option<SharedLimits>, chosen: RequestLimits) -> Self {
        Self {
            shared,
            chosen,
            people: Keyed::within(limits::REQUEST_PERIOD, chosen.per_person, clock),
            keys: Keyed::within(limits::REQUEST_PERIOD, chosen.per_key, clock),
            backoff: Backoff::after(limits::CLIENT_FAILURES_FREE, clock),
            tenants_backoff: Backoff::after(limits::TENANT_FAILURES_FREE, clock),
            sign_ins: Keyed::new(limits::SIGN_INS_PER_ADDRESS, clock),
            attempts: Keyed::new(limits::ATTEMPTS_PER_CLIENT, clock),
            sign_in_pages: Keyed::new(limits::SIGN_IN_PAGES_PER_CLIENT, clock),
            unknown_sessions: Keyed::new(limits::UNKNOWN_SESSIONS_PER_CLIENT, clock),
            session_flood: SessionFlood::new(clock),
            invitations: Keyed::new(limits::INVITATIONS_PER_TENANT, clock),
            operator: Keyed::new(limits::OPERATOR_TRIES_PER_CLIENT, clock),
            operators: Keyed::new(limits::OPERATOR_TRIES, clock),
            owner_invitations: Keyed::new(limits::OWNER_INVITATIONS, clock),
            provider_tests: Keyed::new(limits::PROVIDER_TESTS_PER_TENANT, clock),
            destination_tests: Keyed::new(limits::DESTINATION_TESTS_PER_TENANT, clock),
        }
    }

    /// A link is asked for. Counts for addresses that nobody has, too: the answer tells nothing.
    pub(crate) async fn sign_in(&self, email: &Email) -> Result<(), Duration> {
        self.sign_ins.check(email)?;
        self.share("sign-in", email.as_str(), limits::SIGN_INS_PER_ADDRESS)
            .await
    }

    /// Somebody presents a token or an address. Clients of one IPv6 network count as one; those whose address is not known count together,
    /// which are none but where these routes are served without telling them who asks: Holdfast's own server always does.
    pub(crate) async fn attempt(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        let client = client.map(network);
        self.wait(client).await?;
        self.attempts.check(&client)?;
        self.share_client("attempt", client, limits::ATTEMPTS_PER_CLIENT).await
    }

    /// Somebody is shown the sign-in page. They present nothing: who failed does not wait for it.
    pub(crate) async fn sign_in_page(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        let client = client.map(network);
        self.sign_in_pages.check(&client)?;
        self.share_client("sign-in-page", client, limits::SIGN_IN_PAGES_PER_CLIENT)
            .await
    }

    /// Somebody in a tenant shows a code of their second factor.
    pub(crate) async fn code(&self, tenant: TenantId) -> Result<(), Duration> {
        self.tenants_backoff.check(&tenant)?;
        match &self.shared {
            Some(shared) => shared.back_off(Failing::Tenant(tenant), Tried::NotYet).await,
            None => Ok(()),
        }
    }

    /// Somebody comes with a session that is still to be looked up.
    pub(crate) fn session(&self, client: Option<IpAddr>, session: TokenHash) -> Result<(), Duration> {
        self.session_flood.check(client.map(network), session)
    }

    /// It is one.
    pub(crate) fn known_session(&self, session: TokenHash) {
        self.session_flood.is_good(session);
    }

    /// It is over, or never was. Who comes with too many has none looked up for a while but those that were good here.
    pub(crate) async fn unknown_session(&self, client: Option<IpAddr>, session: TokenHash) -> Result<(), Duration> {
        self.session_flood.is_gone(session);
        let client = client.map(network);
        let taken = match self.unknown_sessions.check(&client) {
            Ok(()) => {
                self.share_client("unknown-session", client, limits::UNKNOWN_SESSIONS_PER_CLIENT)
                    .await
            }
            refused => refused,
        };
        taken.inspect_err(|wait| self.session_flood.bar(client, *wait))
    }

    /// A tenant sends an invitation.
    pub(crate) async fn invitation(&self, tenant: TenantId) -> Result<(), Duration> {
        self.invitations.check(&tenant)?;
        self.share("invitation", &tenant.to_string(), limits::INVITATIONS_PER_TENANT)
            .await
    }

    /// Somebody presents what may be the operator's token.
    pub(crate) async fn operator(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        let client = client.map(network);
        self.wait(client).await?;
        self.operator.check(&client)?;
        self.operators.check(&())?;
        self.share_client("operator", client, limits::OPERATOR_TRIES_PER_CLIENT)
            .await
    }

    /// The operator invites the owner of an organisation.
    pub(crate) async fn owner_invitation(&self) -> Result<(), Duration> {
        self.owner_invitations.check(&())?;
        self.share("owner-invitation", "", limits::OWNER_INVITATIONS).await
    }

    /// A tenant has a sign-in provider tested.
    pub(crate) async fn provider_test(&self, tenant: TenantId) -> Result<(), Duration> {
        self.provider_tests.check(&tenant)?;
        self.share("provider-test", &tenant.to_string(), limits::PROVIDER_TESTS_PER_TENANT)
            .await
    }

    /// A tenant asks whether one of its destinations takes what is sent.
    pub(crate) async fn destination_test(&self, tenant: TenantId) -> Result<(), Duration> {
        self.destination_tests.check(&tenant)?;
        let times = limits::DESTINATION_TESTS_PER_TENANT;
        self.share("destination-test", &tenant.to_string(), times).await
    }

    /// A client tried to come in, and did or did not. One whose address is not known is not told from others, and waits for nobody.
    pub(crate) async fn tried(&self, client: Option<IpAddr>, came_in: bool) {
        let Some(client) = client.map(network) else { return };
        let tried = match came_in {
            true => {
                self.backoff.succeeded(&client);
                Tried::CameIn
            }
            false => {
                self.backoff.failed(client);
                Tried::Failed
            }
        };
        if let Some(shared) = &self.shared {
            // How long that makes the next try wait is asked then.
            let _next = shared.back_off(Failing::Client(client), tried).await;
        }
    }

    /// The code was right or wrong.
    pub(crate) async fn code_tried(&self, tenant: TenantId, right: bool) {
        let tried = match right {
            true => {
                self.tenants_backoff.succeeded(&tenant);
                Tried::CameIn
            }
            false => {
                self.tenants_backoff.failed(tenant);
                Tried::Failed
            }
        };
        if let Some(shared) = &self.shared {
            let _next = shared.back_off(Failing::Tenant(tenant), tried).await;
        }
    }

    /// Whether a client has to wait because it failed, here or at another server.
    async fn wait(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        let Some(client) = client else { return Ok(()) };
        self.backoff.check(&client)?;
        match &self.shared {
            Some(shared) => shared.back_off(Failing::Client(client), Tried::NotYet).await,
            None => Ok(()),
        }
    }

    /// A person, or a program with a key, makes a request.
    pub(crate) async fn request(&self, session: &Session) -> Result<(), TooOften> {
        let (limit, most, kind, own) = match session.by_key {
            true => ("requests_per_key", self.chosen.per_key, "key-request", &self.keys),
            false => ("requests_per_person", self.chosen.per_person, "request", &self.people),
        };
        let who = session.asker();
        let too_often = |wait| TooOften { limit, most, wait };
        own.check(&who).map_err(too_often)?;
        let Some(shared) = &self.shared else { return Ok(()) };
        let taken = shared.take(kind, &who.to_string(), most, limits::REQUEST_PERIOD).await;
        taken.map_err(too_often)
    }

    async fn share(&self, kind: &str, who: &str, times: u32) -> Result<(), Duration> {
        match &self.shared {
            Some(shared) => shared.take(kind, who, times, limits::RATE_PERIOD).await,
            None => Ok(()),
        }
    }

    /// The same of a client, as [`network`] has it.
    async fn share_client(&self, kind: &str, client: Option<IpAddr>, times: u32) -> Result<(), Duration> {
        let who = client.map(|client| client.to_string()).unwrap_or_default();
        self.share(kind, &who, times).await
    }
}

/// What counts as one client: an address, or a network of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        v4 => v4,
    }
}
