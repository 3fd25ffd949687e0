//! `holdfast up`: takes the data directory, starts the parts in order, serves, and stops them in the reverse order.
//!
//! Whatever keeps it from starting is said in one sentence before anything was half done.

mod asked;
mod cell_control;
pub(crate) mod database;
mod demo;
mod host;
mod machine;
pub(crate) mod mail;
mod news;
mod questions;
pub(crate) mod relay;
mod serve;
mod sessions;
mod stop;
pub mod tenant_api;

use std::path::PathBuf;
use std::sync::Arc;

use cells::driver::Driver as _;
use cells::driver::docker::{DockerConfig, DockerDriver};
use cells::{Cells, CellsConfig};
use management::{Management, Parts};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::net::TcpListener;
use tracing::info;

use self::relay::Relay;
use crate::config::{self, Config, Overrides};
use crate::data_dir::DataDir;
use crate::refusal::Refusal;
use crate::{log, operator_token};
use cell_control::CellsOfManagement;
use database::Database;
use demo::Demo;
use machine::MachineOfManagement;
use sessions::SessionsOfManagement;
pub(crate) use stop::Signals;
use stop::Stop;

/// The command line of `holdfast up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where Holdfast keeps its data.
    #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = "/var/lib/holdfast")]
    data_dir: PathBuf,
    /// The port to listen on, instead of the configuration's.
    #[arg(long)]
    port: Option<u16>,
    /// The configuration, instead of `<data-dir>/holdfast.toml`.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Serve a scripted model to cells, and offer it to people who have no provider's key.
    #[arg(long)]
    demo: bool,
}

/// What the tenant API says to agents and its master key are in the memory of this process, and in no file.
fn no_core_files() -> Result<(), Refusal> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| Refusal::Other(format!("Core files cannot be refused: {error}.")))
}

/// Runs until a signal says to stop.
///
/// # Errors
/// [`Refusal`]: why it does not start, and what to do.
pub async fn run(args: Args) -> Result<(), Refusal> {
    no_core_files()?;
    let mut signals = Signals::listen()?;
    let overrides = Overrides { port: args.port };
    let config = config::load(&args.data_dir, args.config.as_deref(), &overrides)
        .map_err(|error| Refusal::Config(format!("{error}.")))?;
    log::start(&config.log)?;
    let mut data_dir = DataDir::hold(&args.data_dir)?;
    let (address, port) = (config.server.listen, config.server.port);
    let listener = TcpListener::bind((address, port))
        .await
        .map_err(|error| Refusal::listen(address, port, error))?;
    let listens = listener
        .local_addr()
        .map_err(|error| Refusal::listen(address, port, error))?;
    operator_token::ensure(data_dir.path())?;

    // A signal during the start ends it at once: dropping the parts stops what they have started.
    let platform = tokio::select! {
        platform = Platform::start(&config, &data_dir, args.demo) => platform?,
        _ = signals.next() => return Ok(()),
    };
    data_dir.announce(&config.server.public_url(), listens)?;
    info!(url = config.server.public_url(), data_dir = %data_dir.path().display(), "Holdfast is ready");

    let stop = serve::until(listener, platform.router(&config), signals.next()).await;
    platform.stop(stop).await;
    info!("Holdfast has stopped");
    Ok(())
}

/// The parts, wired.
struct Platform {
    database: Database,
    cells: Cells,
    management: Arc<Management>,
    verifying_key: ed25519_dalek::VerifyingKey,
    relay: Relay,
    /// What waits for people, told to management.
    asked: asked::Telling,
    questions: questions::Asking,
    /// Held for as long as the platform runs; its model ends with it.
    _demo: Option<Demo>,
}

impl Platform {
    async fn start(config: &Config, data_dir: &DataDir, with_demo: bool) -> Result<Self, Refusal> {
        let path = data_dir.path();
        let (sessions, requests) = chosen(config)?;
        // Docker first: it is what a new machine lacks most often, and asking takes no time.
        let mut private_addresses = config.cells.private_model_addresses.clone();
        let driver = connect(config, data_dir).await?;
        let demo = if with_demo {
            let network = driver
                .prepare()
                .await
                .map_err(|error| Refusal::Docker(error.to_string()))?;
            let demo = Demo::start(network.gateway, path).await?;
            for address in demo.addresses() {
                driver
                    .allow_private_address(&address)
                    .map_err(|error| Refusal::Docker(error.to_string()))?;
                private_addresses.push(address);
            }
            Some(demo)
        } else {
            None
        };

        let database = Database::open(config, path).await?;
        let blobs = cells::local_blobs(&path.join("blobs")).map_err(|error| Refusal::Cells(error.to_string()))?;
        let mut relay = Relay::start(config, &database).await?;
        let mut cells_config = cells_config(config, data_dir, private_addresses);
        cells_config.relay = Some(relay.address.clone());
        let (heard, asked) = asked::asked();
        cells_config.approvals = Some(heard);
        let (asked_of_us, questions) = questions::questions();
        cells_config.questions = Some(asked_of_us);
        let cells = Cells::start(cells_config, Arc::new(driver), blobs)
            .await
            .map_err(|error| Refusal::Cells(format!("Cells cannot start: {error}.")))?;

        let no_key = |error: management::KeyFileError| Refusal::Other(error.to_string());
        let gateway_key = management::gateway_key::load_or_create(path).map_err(no_key)?;
        let verifying_key = gateway_key.verifying_key();
        let tenant_api = tenant_api::parts(&config.tenant_api, path, database.handle(), &cells).await?;
        let management = Management::new(
            management::Config {
                public_url: config
                    .server
                    .public_url()
                    .parse()
                    .map_err(|error: management::PublicUrlError| Refusal::Config(format!("{error}.")))?,
                trusted_proxies: trusted_proxies(&config.server)?,
                cors_origins: cors_origins(&config.server)?,
                private_provider_addresses: config.sign_in.private_provider_addresses.clone(),
                private_alert_addresses: config.alerts.private_addresses.clone(),
                push: config.push.enabled,
                private_push_addresses: config.push.private_addresses.clone(),
                sessions,
                requests,
                data_dir: path.to_owned(),
                name: config.server.name.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                demo_model: demo.as_ref().map(Demo::offer),
            },
            Parts {
                database: database.handle(),
                clock: Arc::new(management::SystemClock),
                entropy: Arc::new(management::OsEntropy),
                mailer: mail::mailer(&config.mail, path)?,
                cells: Arc::new(CellsOfManagement::new(cells.clone())),
                machine: Arc::new(MachineOfManagement::new(
                    cells.clone(),
                    cell_limits(config),
                    path.to_owned(),
                    config.clone(),
                )),
                gateway_key,
                factor_key: management::FactorKey::load_or_create(path).map_err(no_key)?,
                provider_key: management::ProviderKey::load_or_create(path).map_err(no_key)?,
                destination_key: management::DestinationKey::load_or_create(path).map_err(no_key)?,
                push_key: management::PushKey::load_or_create(path).map_err(no_key)?,
                audit_key: management::audit::AuditKey::load_or_create(path).map_err(no_key)?,
                shared_limits: shared_limits(&config.redis)?,
                tenant_api,
            },
        );
        management
            .publish_setup_link()
            .await
            .map_err(|error| Refusal::Database(error.to_string()))?;
        let management = Arc::new(management);
        relay.tell(&management, &cells);
        let asked = asked.tell(&management);
        let questions = questions.ask(&management);
        Ok(Self {
            database,
            cells,
            management,
            verifying_key,
            relay,
            asked,
            questions,
            _demo: demo,
        })
    }

    fn router(&self, config: &Config) -> axum::Router {
        let channels = cells::proxy::router(
            self.cells.clone(),
            cells::proxy::ProxyConfig {
                verifying_key: self.verifying_key,
                public_url: config.server.public_url(),
                sessions: Arc::new(SessionsOfManagement::new(self.management.clone())),
            },
        );
        let management = self.management.clone();
        let readiness: crate::http::health::Readiness = Arc::new(move || {
            let management = management.clone();
            Box::pin(async move { management.database_ready().await })
        });
        serve::router(
            management::router(&self.management).merge(channels),
            readiness,
            config.server.over_tls(),
        )
    }

    async fn stop(self, stop: Stop) {
        match stop {
            Stop::LeaveCells => self.cells.shutdown().await,
            Stop::SleepCells => {
                info!("putting all cells to sleep");
                if let Err(error) = self.cells.down().await {
                    tracing::error!(%error, "some cells could not be put to sleep and run on");
                }
            }
        }
        drop(self.asked);
        drop(self.questions);
        self.relay.stop().await;
        self.management.shutdown().await;
        self.database.close().await;
    }
}

async fn connect(config: &Config, data_dir: &DataDir) -> Result<DockerDriver, Refusal> {
    let cells = &config.cells;
    let mut docker = DockerConfig::new(
        data_dir.installation(),
        data_dir.path().to_owned(),
        cells.keeper_image.clone(),
        cells.agent_image.clone(),
        AGENT_SECCOMP.to_owned(),
    );
    docker.agent_cpus = cells.agent_cpus;
    docker.agent_memory_bytes = cells.agent_memory_mib * MIB;
    docker.home_bytes = cells.home_mib * MIB;
    docker.private_addresses = cells.private_model_addresses.clone();
    docker.docker_socket.clone_from(&cells.docker_socket);
    DockerDriver::connect(docker)
        .await
        .map_err(|error| Refusal::Docker(error.to_string()))
}

fn cells_config(config: &Config, data_dir: &DataDir, private_addresses: Vec<String>) -> CellsConfig {
    let lock_after = config.cells.lock_after.duration();
    let mut cells = CellsConfig::new(data_dir.installation(), data_dir.path().to_owned());
    cells.pause_after = config.cells.pause_after.duration();
    cells.sleep_after = config.cells.sleep_after.duration();
    cells.capacity = config.cells.capacity;
    cells.blob_quota_bytes = config.cells.blob_quota_mib * MIB;
    cells.keeper = protocol::control::CellConfig {
        private_model_addresses: private_addresses,
        lock_after_ms: u64::try_from(lock_after.as_millis()).unwrap_or(u64::MAX),
        public_url: config.server.public_url(),
    };
    cells
}

/// What the operator chose of management's limits.
fn chosen(config: &Config) -> Result<(management::SessionTimes, management::RequestLimits), Refusal> {
    let refused = |error: management::OutOfBounds| Refusal::Config(format!("{error}."));
    let config::SignIn {
        session_idle: idle,
        session_life: life,
        sessions_per_person,
        ..
    } = config.sign_in;
    let sessions = management::SessionTimes::new(idle.duration(), life.duration(), sessions_per_person);
    let config::Limits {
        requests_per_person,
        requests_per_key,
    } = config.limits;
    let requests = management::RequestLimits::new(requests_per_person, requests_per_key);
    Ok((sessions.map_err(refused)?, requests.map_err(refused)?))
}

/// What the operator is shown as the limits of each cell.
fn cell_limits(config: &Config) -> management::machine::CellLimits {
    let cells = &config.cells;
    let millis = |span: config::Span| u64::try_from(span.duration().as_millis()).unwrap_or(u64::MAX);
    management::machine::CellLimits {
        capacity: cells.capacity,
        agent_memory_bytes: cells.agent_memory_mib * MIB,
        agent_processors: cells.agent_cpus,
        keeper_memory_bytes: cells::limits::KEEPER_MEMORY + cells.home_mib * MIB,
        home_bytes: cells.home_mib * MIB,
        sealed_bytes: cells.blob_quota_mib * MIB,
        pause_after_ms: millis(cells.pause_after),
        sleep_after_ms: millis(cells.sleep_after),
    }
}

/// Docker's default profile without io_uring.
const AGENT_SECCOMP: &str = include_str!("../../../../images/agent/seccomp.json");
const MIB: u64 = 1024 * 1024;

/// The proxies that the configuration names.
fn trusted_proxies(server: &crate::config::Server) -> Result<Vec<management::Network>, Refusal> {
    if server.over_tls() && server.trusted_proxies.is_empty() {
        tracing::warn!(
            "no proxy is named in server.trusted_proxies: everybody who comes through one looks like one client"
        );
    }
    let parse = |text: &String| {
        text.parse()
            .map_err(|error: management::NetworkError| Refusal::Config(format!("`server.trusted_proxies`: {error}.")))
    };
    server.trusted_proxies.iter().map(parse).collect()
}

/// The sites whose pages may call the API with a key.
fn cors_origins(server: &crate::config::Server) -> Result<Vec<management::Origin>, Refusal> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|error: management::OriginError| Refusal::Config(format!("`server.cors_origins`: {error}.")))
    };
    server.cors_origins.iter().map(parse).collect()
}

/// The Redis that `REDIS_URL` or the configuration names, if one does. It need not answer yet.
fn shared_limits(redis: &crate::config::Redis) -> Result<Option<management::SharedLimits>, Refusal> {
    let url =
        match &redis.url_file {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Refusal::Config(format!("cannot read `redis.url_file` {}: {error}.", file.display()))
            })?),
            None => std::env::var("REDIS_URL").ok(),
        };
    let url = url.map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
    let at = |url: String| management::SharedLimits::at(&url).map_err(|error| Refusal::Config(format!("{error}.")));
    url.map(at).transpose()
}
