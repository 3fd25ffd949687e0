//! An installation with everything real but the cells and the clock.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use ed25519_dalek::{SigningKey, VerifyingKey};
use management::audit::AuditKey;
use management::{
    AdminToken, CellRef, Config, Custody, DestinationKey, FactorKey, Management, MasterKey, MasterKeyIn, Origin,
    OsEntropy, Parts, ProviderKey, PushKey, RequestLimits, SessionTimes, SharedLimits,
};
use management::{Clock as _, Scope, SecretToken, limits};
use management::{TenantApiParts, database};
use serde_json::json;
use sqlx::Connection as _;
use uuid::Uuid;

use super::mails::{self, Mails};
use super::{Agents, Browser, Cells, Developer, TestClock, TestDatabase};

/// The operator's token, and the master key, of a world with the tenant API.
pub const OPERATOR: &str = "operators-token-operators-token-0123456789";
pub const MASTER_KEY: &str = "a long passphrase that nobody will guess";

/// Where people reach the installation.
const LOCAL: &str = "http://localhost:8080";

/// What lies in the data directory.
pub const OPERATOR_TOKEN: &str = "OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO";

pub struct World {
    pub management: Management,
    pub router: Router,
    pub clock: Arc<TestClock>,
    pub mails: Arc<Mails>,
    pub cells: Arc<Cells>,
    pub gateway_key: VerifyingKey,
    pub database: TestDatabase,
    pub folder: tempfile::TempDir,
}

/// What is not as in most tests.
#[derive(Default)]
struct Plan<'a> {
    redis: Option<&'a str>,
    agents: Option<Agents>,
    cors_origins: Vec<Origin>,
    providers: Vec<String>,
    alerts: Vec<String>,
    pushes: Pushes,
    sessions: SessionTimes,
    requests: Option<RequestLimits>,
}

/// How Web Push stands.
pub enum Pushes {
    Off,
    /// With push services on these addresses of this machine, which the operator named, and a key of its own.
    To(Vec<String>, u8),
}

impl Default for Pushes {
    fn default() -> Self {
        Self::To(Vec::new(), 12)
    }
}

impl World {
    /// Nobody owns it yet.
    pub async fn new() -> Self {
        Self::at(LOCAL).await
    }

    pub async fn at(public_url: &str) -> Self {
        let database = TestDatabase::new().await;
        let source = database.source();
        Self::over(public_url, database, source, Plan::default()).await
    }

    /// Shares its limits with other servers.
    pub async fn sharing(redis: &str) -> Self {
        let database = TestDatabase::new().await;
        let source = database.source();
        let redis = Some(redis);
        Self::over(
            LOCAL,
            database,
            source,
            Plan {
                redis,
                ..Plan::default()
            },
        )
        .await
    }

    /// With an owner called Anna, and limits that the operator chose.
    pub async fn owned_choosing(sessions: SessionTimes, requests: RequestLimits) -> (Self, Browser) {
        let database = TestDatabase::new().await;
        let source = database.source();
        let plan = Plan {
            sessions,
            requests: Some(requests),
            ..Plan::default()
        };
        let world = Self::over(LOCAL, database, source, plan).await;
        let anna = world.set_up().await;
        (world, anna)
    }

    /// With an owner called Anna, the tenant API, and these sites, whose pages may call with a key.
    pub async fn called_by(origins: &[&str]) -> (Self, Browser) {
        let database = TestDatabase::new().await;
        let source = database.source();
        let plan = Plan {
            agents: Some(Agents::default()),
            cors_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
            ..Plan::default()
        };
        let world = Self::over(LOCAL, database, source, plan).await;
        let anna = world.set_up().await;
        (world, anna)
    }

    /// With the tenant API turned on, and a program that has the operator's token.
    pub async fn with_tenants() -> (Self, Agents, Developer) {
        let database = TestDatabase::new().await;
        Self::with_tenants_over(database, Agents::default(), &[]).await
    }

    /// With the tenant API turned on, and receivers of webhooks on these addresses of this machine, which the operator named.
    pub async fn with_tenants_telling(receivers: &[String]) -> (Self, Agents, Developer) {
        let database = TestDatabase::new().await;
        Self::with_tenants_over(database, Agents::default(), receivers).await
    }

    async fn with_tenants_over(
        database: TestDatabase,
        agents: Agents,
        receivers: &[String],
    ) -> (Self, Agents, Developer) {
        let source = database.source();
        let plan = Plan {
            agents: Some(agents.clone()),
            alerts: receivers.to_vec(),
            ..Plan::default()
        };
        let world = Self::over(LOCAL, database, source, plan).await;
        let operator = Developer::new(world.router.clone(), OPERATOR);
        (world, agents, operator)
    }

    /// The same installation, with the tenant API, after its server was stopped.
    pub async fn restarted_with_tenants(self, agents: Agents, receivers: &[String]) -> (Self, Agents, Developer) {
        self.management.shutdown().await;
        Self::with_tenants_over(self.database, agents, receivers).await
    }

    /// Another server of the same installation, with the tenant API and the same cells. Its clock is its own.
    pub async fn beside(&self, agents: Agents, receivers: &[String]) -> Self {
        Self::with_tenants_over(self.database.clone(), agents, receivers)
            .await
            .0
    }

    /// A tenant with a model, and a program with its key.
    pub async fn tenant(&self, name: &str) -> (Uuid, Developer) {
        let operator = Developer::new(self.router.clone(), OPERATOR);
        let model = json!({"kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-1", "model": "m"});
        let wanted = json!({"name": name, "model": model});
        let made = operator.post("/api/v1/tenants", wanted).await.expect(201).json;
        let key = made["key"].as_str().unwrap();
        let id = made["id"].as_str().unwrap().parse().unwrap();
        (id, Developer::new(self.router.clone(), key))
    }

    /// With an owner called Anna, and sign-in providers on these addresses of this machine, which the operator named.
    pub async fn owned_beside(providers: &[String]) -> (Self, Browser) {
        let database = TestDatabase::new().await;
        let source = database.source();
        let plan = Plan {
            providers: providers.to_vec(),
            ..Plan::default()
        };
        let world = Self::over(LOCAL, database, source, plan).await;
        let anna = world.set_up().await;
        (world, anna)
    }

    /// With an owner called Anna, and receivers of alerts on these addresses of this machine, which the operator named.
    pub async fn owned_telling(receivers: &[String]) -> (Self, Browser) {
        let database = TestDatabase::new().await;
        let source = database.source();
        let alerts = receivers.to_vec();
        let world = Self::over(
            LOCAL,
            database,
            source,
            Plan {
                alerts,
                ..Plan::default()
            },
        )
        .await;
        let anna = world.set_up().await;
        (world, anna)
    }

    /// With an owner called Anna, and Web Push as it is said.
    pub async fn owned_pushing(pushes: Pushes) -> (Self, Browser) {
        let database = TestDatabase::new().await;
        let world = Self::over_pushing(database, pushes).await;
        let anna = world.set_up().await;
        (world, anna)
    }

    /// The same installation after its server was stopped, with Web Push as it is said.
    pub async fn restarted_pushing(self, pushes: Pushes) -> Self {
        self.management.shutdown().await;
        Self::over_pushing(self.database, pushes).await
    }

    async fn over_pushing(database: TestDatabase, pushes: Pushes) -> Self {
        let source = database.source();
        let plan = Plan {
            pushes,
            ..Plan::default()
        };
        Self::over(LOCAL, database, source, plan).await
    }

    /// The same installation after its server was stopped, as another one that finds what it left.
    pub async fn restarted(self, receivers: &[String]) -> Self {
        self.management.shutdown().await;
        let source = self.database.source();
        let alerts = receivers.to_vec();
        Self::over(
            LOCAL,
            self.database,
            source,
            Plan {
                alerts,
                ..Plan::default()
            },
        )
        .await
    }

    /// With an owner called Anna, who is signed in.
    pub async fn owned() -> (Self, Browser) {
        let world = Self::new().await;
        let anna = world.set_up().await;
        (world, anna)
    }

    async fn over(public_url: &str, database: TestDatabase, source: database::Source, plan: Plan<'_>) -> Self {
        // The clock stands still, so what was taken of a limit does not come back.
        let many = || RequestLimits::new(1_000_000, 1_000_000).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("admin-token"), OPERATOR_TOKEN).unwrap();
        let clock = Arc::new(TestClock::new());
        let mails = Arc::new(Mails::new(folder.path().join("outbox")));
        let cells = Arc::new(Cells::default());
        let gateway_key = SigningKey::from_bytes(&[7; 32]);
        let (push, private_push_addresses, push_key) = match plan.pushes {
            Pushes::Off => (false, Vec::new(), 12),
            Pushes::To(addresses, key) => (true, addresses, key),
        };
        let config = Config {
            public_url: public_url.parse().unwrap(),
            trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
            cors_origins: plan.cors_origins,
            private_provider_addresses: plan.providers,
            private_alert_addresses: plan.alerts,
            push,
            private_push_addresses,
            sessions: plan.sessions,
            requests: plan.requests.unwrap_or_else(many),
            data_dir: folder.path().into(),
            name: "Holdfast".into(),
            version: "0.1.0".into(),
            demo_model: None,
        };
        let verifying = gateway_key.verifying_key();
        let opened = database::open(source).await.unwrap();
        let tenant_api = match plan.agents {
            Some(agents) => {
                let master = MasterKey::new(MASTER_KEY.as_bytes()).unwrap();
                let custody = Custody::open(opened.clone(), clock.clone(), Arc::new(OsEntropy), master).await;
                Some(TenantApiParts {
                    admin_token: AdminToken::new(OPERATOR).unwrap(),
                    custody: Arc::new(custody.unwrap()),
                    master_key_in: MasterKeyIn::Environment,
                    agents: Arc::new(agents),
                })
            }
            None => None,
        };
        let parts = Parts {
            database: opened,
            tenant_api,
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            mailer: mails.clone(),
            cells: cells.clone(),
            machine: cells.clone(),
            gateway_key,
            factor_key: FactorKey::from_bytes(&[8; 32]),
            provider_key: ProviderKey::from_bytes(&[10; 32]),
            destination_key: DestinationKey::from_bytes(&[11; 32]),
            push_key: PushKey::from_bytes(&[push_key; 32]),
            audit_key: AuditKey::from_bytes(&[9; 32]),
            shared_limits: plan.redis.map(|url| SharedLimits::at(url).unwrap()),
        };
        let management = Management::new(config, parts);
        let router = management::router(&management);
        Self {
            management,
            router,
            clock,
            mails,
            cells,
            gateway_key: verifying,
            database,
            folder,
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    /// A browser at this address.
    pub fn browser_at(&self, address: &str) -> Browser {
        let peer: SocketAddr = format!("{address}:4000").parse().unwrap();
        Browser::new(self.router.clone().layer(Extension(ConnectInfo(peer))))
    }

    /// The token of the link in `setup-url`.
    pub async fn setup_token(&self) -> String {
        let file = self
            .management
            .publish_setup_link()
            .await
            .unwrap()
            .expect("nobody owns it");
        let link = std::fs::read_to_string(file).unwrap();
        link.trim().split_once("/setup#").unwrap().1.to_owned()
    }

    pub async fn set_up(&self) -> Browser {
        let token = self.setup_token().await;
        let mut anna = self.browser();
        let body = json!({"token": token, "organisation": "Acme", "name": "Anna", "email": "anna@acme.example"});
        anna.post("/setup", body).await.expect(200);
        anna
    }

    /// Signs in by mail.
    pub async fn sign_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        self.sign_in_with(&mut browser, email).await;
        browser
    }

    /// As [`Self::sign_in`], with a browser that is there.
    pub async fn sign_in_with(&self, browser: &mut Browser, email: &str) {
        browser.post("/sign-in", json!({"email": email})).await.expect(202);
        let token = mails::token(&self.mails.next().await, "sign-in");
        browser
            .post("/sign-in/complete", json!({"token": token}))
            .await
            .expect(200);
    }

    /// A browser with a session that the superuser wrote: in any state, with everything shown just now, or little and long ago.
    pub async fn enter(&self, email: &str, state: &str, fresh: bool) -> Browser {
        let token = SecretToken::generate(&OsEntropy).unwrap();
        let now = self.clock.now();
        let proved = if fresh { now } else { now - limits::STEP_UP };
        sqlx::query(
            "INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at, state, proved_at, second_factor)
             SELECT $1, tenant_id, id, $2, $5, $3, $3 + interval '10 minutes', $4, $5, $7 FROM users WHERE email = $6",
        )
        .bind(Uuid::now_v7())
        .bind(token.hash().bytes())
        .bind(now)
        .bind(state)
        .bind(proved)
        .bind(email)
        .bind(fresh)
        .execute(&mut self.database.owner().await)
        .await
        .unwrap();
        Browser::holding(
            self.router.clone(),
            format!("holdfast_session={}", token.text().as_str()),
        )
        .await
    }

    /// The operator, signed in just now or, with `fresh` false, some time ago.
    pub async fn operator(&self, fresh: bool) -> Browser {
        let token = SecretToken::generate(&OsEntropy).unwrap();
        let now = self.clock.now();
        let proved = if fresh { now } else { now - limits::STEP_UP };
        sqlx::query(
            "INSERT INTO operator_sessions (id, token_hash, shown_hash, created_at, last_seen_at, expires_at, proved_at)
             VALUES ($1, $2, sha256($3), $4, $4, $4 + interval '10 minutes', $5)",
        )
        .bind(Uuid::now_v7())
        .bind(token.hash().bytes())
        .bind(OPERATOR_TOKEN.as_bytes())
        .bind(now)
        .bind(proved)
        .execute(&mut self.database.owner().await)
        .await
        .unwrap();
        let mut browser = self.browser();
        browser.operator = Some(format!("holdfast_operator={}", token.text().as_str()));
        browser.get("/operator/session").await.expect(200);
        browser
    }

    /// A program with a new key of this person.
    pub async fn program(&self, email: &str, scopes: &[Scope]) -> Browser {
        let mut browser = self.enter(email, "full", true).await;
        let wanted = json!({"name": "laptop", "scopes": scopes, "days": 30});
        let made = browser.post("/keys", wanted).await.expect(201).json;
        self.with_key(made["key"].as_str().unwrap())
    }

    /// A program that presents this, and sends nothing that a browser does.
    pub fn with_key(&self, key: &str) -> Browser {
        let mut program = self.browser();
        program.headers = vec![("authorization", format!("Bearer {key}"))];
        program
    }

    /// Invites somebody and returns the token of their link.
    pub async fn invite(&self, manager: &mut Browser, email: &str, role: &str) -> String {
        manager
            .post("/invitations", json!({"email": email, "role": role}))
            .await
            .expect(201);
        mails::token(&self.mails.next().await, "join")
    }

    /// Somebody who joined with this role.
    pub async fn join(&self, manager: &mut Browser, email: &str, role: &str) -> Browser {
        let token = self.invite(manager, email, role).await;
        let mut browser = self.browser();
        browser
            .post("/invitations/accept", json!({"token": token, "name": role}))
            .await
            .expect(200);
        browser
    }

    /// An organisation beside the first, written by the superuser, with an owner who is signed in.
    pub async fn second_tenant(&self) -> Browser {
        let mut owner = self.database.owner().await;
        let (tenant, user, cell) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let mut all = owner.begin().await.unwrap();
        for (statement, ids) in [
            (
                "INSERT INTO tenants (id, name, created_at) VALUES ($1, 'Globex', now())",
                vec![tenant],
            ),
            (
                "INSERT INTO users (id, tenant_id, name, email, role, created_at)
                 VALUES ($1, $2, 'Olga', 'olga@globex.example', 'owner', now())",
                vec![user, tenant],
            ),
            (
                "INSERT INTO cells (id, tenant_id, user_id, created_at) VALUES ($1, $2, $3, now())",
                vec![cell, tenant, user],
            ),
        ] {
            let query = ids.iter().fold(sqlx::query(statement), |query, id| query.bind(*id));
            query.execute(&mut *all).await.unwrap();
        }
        all.commit().await.unwrap();
        self.sign_in("olga@globex.example").await
    }

    /// Changes something in a transaction that is still open, while this is done, which waits for it.
    pub async fn meanwhile<T: Send + 'static>(
        &self,
        change: &'static str,
        act: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut owner = self.database.owner().await;
        let mut changing = owner.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
        let act = tokio::spawn(act);
        self.database.until_wait_for_locks(1).await;
        changing.commit().await.unwrap();
        act.await.unwrap()
    }

    /// The cell of whoever is signed in.
    pub async fn cell_of(&self, browser: &mut Browser) -> CellRef {
        let me = browser.get("/me").await.expect(200).json;
        let id = |value: &serde_json::Value| value["id"].as_str().unwrap().to_owned();
        CellRef {
            cell: id(&me["cell"]).parse().unwrap(),
            tenant: id(&me["tenant"]).parse().unwrap(),
            user: id(&me["user"]).parse().unwrap(),
        }
    }
}
