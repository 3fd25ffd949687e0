//! The configuration: `<data-dir>/holdfast.toml`, then the environment (`HOLDFAST_CELLS__PAUSE_AFTER=10m` is `pause_after` in
//! `[cells]`), then the command line. Each section is a struct whose comments are the manual. No value is a secret: secrets are
//! named by the file that holds them.

mod duration;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;

pub use duration::Span;

/// All settings.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub redis: Redis,
    pub mail: Mail,
    pub sign_in: SignIn,
    pub limits: Limits,
    pub alerts: Alerts,
    pub push: Push,
    pub cells: Cells,
    pub tenant_api: TenantApi,
    pub relay: Relay,
    pub log: Log,
}

/// `[server]`: where Holdfast listens, and under which address people reach it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on. Other machines reach it only through a TLS proxy that you run before it. Default: 127.0.0.1
    pub listen: IpAddr,
    /// The port to listen on. Default: 8080
    pub port: u16,
    /// What people type into their browser, such as `https://agents.example.org`. With https, cookies are bound to this host and
    /// browsers are told to stay with https. Default: `http://localhost:<port>`
    pub public_url: Option<String>,
    /// The name that people see. Default: Holdfast
    pub name: String,
    /// Proxies before this server, by address or network (`127.0.0.1`, `10.0.0.0/8`): `X-Forwarded-For` is read from these alone.
    /// Default: none, so everybody who comes through one proxy is one client to the limits and to the audit log
    pub trusted_proxies: Vec<String>,
    /// Other sites whose pages may call the API from a browser, with an API key or a tenant's key and never with a session: exact origins,
    /// such as `https://app.example.org`. Whoever can read such a page can use the key in it. Default: none
    pub cors_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            public_url: None,
            name: "Holdfast".to_owned(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

impl Server {
    /// The address for links, without a slash at its end.
    pub fn public_url(&self) -> String {
        self.public_url.as_ref().map_or_else(
            || format!("http://localhost:{}", self.port),
            |url| url.trim_end_matches('/').to_owned(),
        )
    }

    /// Whether people reach this installation by https.
    pub fn over_tls(&self) -> bool {
        self.public_url().starts_with("https://")
    }
}

/// `[database]`: which PostgreSQL. Without any of this, and without `DATABASE_URL` in the environment, Holdfast runs a server of
/// its own in its data directory.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// A file that holds the connection URL of a PostgreSQL server (its owner's role: Holdfast makes a weaker one for itself).
    pub url_file: Option<PathBuf>,
}

/// `[redis]`: where several servers of one installation count limits together. Without it, and without `REDIS_URL` in the
/// environment, each counts by itself.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// A file that holds the URL, such as `redis://user:password@127.0.0.1:6379`.
    pub url_file: Option<PathBuf>,
}

/// `[mail]`: how sign-in links and invitations are sent. Without a host, mail lands in `<data-dir>/outbox`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// The SMTP server.
    pub host: Option<String>,
    /// Its port. Default: 465 with `tls`, 587 with `starttls`, 25 with `none`
    pub port: Option<u16>,
    /// `tls`, `starttls` or `none`. Default: tls
    pub encryption: MailEncryption,
    /// The name to log in with, if the server wants one.
    pub username: Option<String>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A file with the certificates (PEM) that the server's is signed by, where those are none of the system's.
    pub ca_file: Option<PathBuf>,
    /// The sender, such as `Holdfast <holdfast@example.org>`.
    pub from: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            encryption: MailEncryption::default(),
            username: None,
            password_file: None,
            ca_file: None,
            from: "Holdfast <holdfast@localhost>".to_owned(),
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    #[default]
    Tls,
    Starttls,
    None,
}

/// `[sign_in]`: how people show who they are. What an organisation sets up for itself is not here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// How long without use until a session ends, from a minute to a day. Default: 30m
    pub session_idle: Span,
    /// How long after signing in a session ends, used or not, from ten minutes to 90 days. Default: 7d
    pub session_life: Span,
    /// Sessions that one person has at a time, 1 to 100: one more ends the one that was not used for longest. Default: 5
    pub sessions_per_person: u32,
    /// Sign-in providers on private or loopback addresses that organisations may set up, as `host:port`: a Keycloak or GitLab in
    /// your network. They may also be reached by http. All other private addresses are refused. Default: none
    pub private_provider_addresses: Vec<String>,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            session_idle: Span::minutes(30),
            session_life: Span::minutes(7 * 24 * 60),
            sessions_per_person: 5,
            private_provider_addresses: Vec::new(),
        }
    }
}

/// `[limits]`: how much is taken of those who are signed in. More is refused with 429, which names the setting.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests of one person a minute, with all their sessions, 30 to 1000000. Default: 600
    pub requests_per_person: u32,
    /// Requests with one API key a minute, 30 to 1000000. Tenants of the tenant API have a limit each of their own. Default: 600
    pub requests_per_key: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_person: 600,
            requests_per_key: 600,
        }
    }
}

/// `[alerts]`: what leaves for addresses that organisations name. Which, and of what they are told, each sets up for itself.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Webhooks, chats and collectors of logs on private or loopback addresses that organisations may send alerts and audit events to,
    /// as `host:port`. They may also be reached without TLS. All other private addresses are refused. Default: none
    pub private_addresses: Vec<String>,
}

/// `[push]`: telling people on their devices that something waits, through the push services that their browsers have (Web Push). No
/// message has any content.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// Whether people can turn it on for a device. Default: true
    pub enabled: bool,
    /// Push services on private or loopback addresses that browsers may name, as `host:port`. They may also be reached without TLS. All
    /// other private addresses are refused. Default: none
    pub private_addresses: Vec<String>,
}

impl Default for Push {
    fn default() -> Self {
        Self {
            enabled: true,
            private_addresses: Vec::new(),
        }
    }
}

/// `[cells]`: people's agents.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cells {
    /// The image of agents. Default: the one that `cargo xtask up` makes
    pub agent_image: String,
    /// The image of keepers. Default: the one that `cargo xtask up` makes
    pub keeper_image: String,
    /// How long without use until a cell pauses. Default: 30m
    pub pause_after: Span,
    /// How long without use until a cell sleeps: nothing of it is in memory. Default: 4h
    pub sleep_after: Span,
    /// How long without use until a vault locks. Default: 30m
    pub lock_after: Span,
    /// Cells that are not asleep at once; more are refused with a time to come back. Default: 64
    pub capacity: usize,
    /// CPUs that one agent may use. Default: 2.0
    pub agent_cpus: f64,
    /// Memory of one agent, in MiB. Default: 2048
    pub agent_memory_mib: u64,
    /// Memory for one home while its cell is awake, in MiB. Default: 512
    pub home_mib: u64,
    /// Disk for one cell's sealed home, in MiB. Default: 4096
    pub blob_quota_mib: u64,
    /// Model servers on private or loopback addresses that keepers may call, as `host:port`: an Ollama or vLLM in your network.
    /// All other private addresses are refused. Default: none
    pub private_model_addresses: Vec<String>,
    /// The socket of the Docker daemon. Default: Docker's own
    pub docker_socket: Option<PathBuf>,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            agent_image: "holdfast-agent:latest".to_owned(),
            keeper_image: "holdfast-keeper:latest".to_owned(),
            pause_after: Span::minutes(30),
            sleep_after: Span::minutes(4 * 60),
            lock_after: Span::minutes(30),
            capacity: 64,
            agent_cpus: 2.0,
            agent_memory_mib: 2048,
            home_mib: 512,
            blob_quota_mib: 4096,
            private_model_addresses: Vec::new(),
            docker_socket: None,
        }
    }
}

/// `[tenant_api]`: agents for other programs' users, over HTTP. Also turned on by `OPENCLAW_MULTITENANT=1` in the environment.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantApi {
    /// Whether it is there. Default: false
    pub enabled: bool,
    /// A file that holds the master key, at least 32 bytes: random, or a passphrase. `OPENCLAW_TENANT_MASTER_KEY` in the environment
    /// goes before it. Default: `<data-dir>/keys/tenant-master.key`, which is made where it is missing
    pub master_key_file: Option<PathBuf>,
}

/// `[relay]`: what carries messages between people's vaults, and what they have revoked. It cannot read them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// For `holdfast up`: `host:port` of a relay that runs by itself (`holdfast relay`), in a network that others do not reach. Default:
    /// none, and one runs in this process
    pub address: Option<String>,
    /// For `holdfast relay`: the address to listen on. Default: 127.0.0.1
    pub listen: IpAddr,
    /// For `holdfast relay`: the port to listen on. Default: 8090
    pub port: u16,
    /// The file with the token of a relay that runs by itself, by which the platform is told whose locked vault something waits for. With
    /// `holdfast relay`: where it keeps it, made where it is missing; default: `<data-dir>/news-token`. With `holdfast up` and an `address`:
    /// that file, or a copy of it; default: none, and nobody is told
    pub news_token_file: Option<PathBuf>,
    /// A file that holds the connection URL of the relay's PostgreSQL (its owner's role: the relay makes a weaker one for itself).
    /// Default: with `holdfast up`, a schema or a database of its own beside the platform's; with `holdfast relay`, a server of its own
    pub database_url_file: Option<PathBuf>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            address: None,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8090,
            news_token_file: None,
            database_url_file: None,
        }
    }
}

/// `[log]`: what Holdfast writes to standard error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `human` or `json`. Default: human
    pub format: LogFormat,
    /// Which events, in the syntax of tracing's EnvFilter. Default: info
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

/// The form of a line of the log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// What the command line says about settings; it wins over file and environment.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    pub port: Option<u16>,
}

/// Reads the configuration. `file` was named by the operator and must exist; else `<data-dir>/holdfast.toml` may.
///
/// # Errors
/// A setting that is not known or not of its type; the message names it and where it stands.
pub fn load(data_dir: &Path, file: Option<&Path>, overrides: &Overrides) -> Result<Config, Box<figment::Error>> {
    let mut figment = Figment::new();
    match file {
        Some(file) => figment = figment.merge(Toml::file_exact(file)),
        None => {
            let file = data_dir.join("holdfast.toml");
            if file.exists() {
                figment = figment.merge(Toml::file_exact(file));
            }
        }
    }
    // Only names with a section in them are ours: HOLDFAST_URL and the like may stand in an environment for other reasons.
    let environment = Env::prefixed("HOLDFAST_")
        .filter(|key| key.as_str().contains("__"))
        .split("__");
    let mut config: Config = figment.merge(environment).extract().map_err(Box::new)?;
    if let Some(port) = overrides.port {
        config.server.port = port;
    }
    Ok(config)
}

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "figment's jail takes closures that return its error"
)]
mod tests {
    use super::*;

    fn load_here(port: Option<u16>) -> Result<Config, Box<figment::Error>> {
        load(Path::new("."), None, &Overrides { port })
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        figment::Jail::expect_with(|jail| {
            jail.create_file(
                "holdfast.toml",
                "[server]\nport = 1\n[cells]\npause_after = \"90s\"\ncapacity = 3",
            )?;
            assert_eq!(load_here(None).unwrap().server.port, 1);
            jail.set_env("HOLDFAST_SERVER__PORT", "2");
            jail.set_env("HOLDFAST_CELLS__PRIVATE_MODEL_ADDRESSES", "[\"127.0.0.1:11434\"]");
            jail.set_env("HOLDFAST_URL", "not a setting");
            let config = load_here(None).unwrap();
            assert_eq!(config.server.port, 2);
            assert_eq!(config.cells.capacity, 3);
            assert_eq!(config.cells.pause_after.duration().as_secs(), 90);
            assert_eq!(config.cells.private_model_addresses, ["127.0.0.1:11434"]);
            assert_eq!(load_here(Some(3)).unwrap().server.public_url(), "http://localhost:3");
            Ok(())
        });
    }

    #[test]
    fn a_cell_that_nobody_uses_pauses_after_half_an_hour_and_sleeps_after_four_unless_it_is_told_otherwise() {
        figment::Jail::expect_with(|_| {
            let cells = load_here(None).unwrap().cells;
            let minutes = [cells.pause_after, cells.sleep_after].map(|span| span.duration().as_secs() / 60);
            assert_eq!(minutes, [30, 4 * 60]);
            Ok(())
        });
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        figment::Jail::expect_with(|jail| {
            jail.create_file("holdfast.toml", "[server]\nprot = 1")?;
            assert!(load_here(None).unwrap_err().to_string().contains("prot"));
            Ok(())
        });
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        assert!(
            load(
                Path::new("."),
                Some(Path::new("/nowhere/holdfast.toml")),
                &Overrides::default()
            )
            .is_err()
        );
    }
}
