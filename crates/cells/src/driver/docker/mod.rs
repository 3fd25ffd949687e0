//! Cells on one machine's Docker (API 1.41, which is engine 20.10, and later; cgroup v1 and v2).
//!
//! Names and labels carry the installation: two installations on a machine never touch each other's cells.

mod config;
mod containers;
mod firewall;
mod network;
mod spec;
mod volumes;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error as BollardError;
use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::ListContainersOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use protocol::{CellId, TenantId};

pub use config::DockerConfig;
use firewall::Firewall;
use spec::{LABEL_CELL, LABEL_INSTALLATION, LABEL_PART, LABEL_TENANT, Names};

use super::{Build, CellView, Driver, DriverError, Part, PartState, PartStats, SharedNetwork};

const SOCKET: &str = "/var/run/docker.sock";
/// Beyond `limits::DRIVER_CALL`, which ends a call before the client does.
const CLIENT_TIMEOUT_SECONDS: u64 = 120;

/// The driver.
pub struct DockerDriver {
    docker: Docker,
    config: DockerConfig,
    names: Names,
    firewall: Firewall,
    network: Mutex<Option<SharedNetwork>>,
}

impl DockerDriver {
    /// Connects and finds out what Docker this is.
    ///
    /// # Errors
    /// [`DriverError::Unreachable`] says in one sentence what to do.
    pub async fn connect(config: DockerConfig) -> Result<Self, DriverError> {
        let socket = config
            .docker_socket
            .as_ref()
            .map_or_else(|| SOCKET.to_owned(), |path| path.display().to_string());
        let unreachable = |error: BollardError| {
            DriverError::Unreachable(format!(
                "Docker does not answer on {socket} ({error}): install Docker Engine and start it \
                 (`systemctl start docker`), or run as a user who may use it"
            ))
        };
        let docker = Docker::connect_with_socket(&socket, CLIENT_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
            .map_err(&unreachable)?
            .negotiate_version()
            .await
            .map_err(&unreachable)?;
        let names = Names::new(config.installation);
        let firewall = Firewall::new(&names, &config.private_addresses)?;
        Ok(Self {
            docker,
            config,
            names,
            firewall,
            network: Mutex::new(None),
        })
    }

    /// Names one more address on a private network, as `host:port`, that keepers may reach. Takes effect with the next
    /// [`Driver::prepare`].
    ///
    /// # Errors
    /// If it is not `host:port`.
    pub fn allow_private_address(&self, address: &str) -> Result<(), DriverError> {
        self.firewall.allow(address)
    }

    fn network_now(&self) -> Option<SharedNetwork> {
        *self.network.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn containers_labelled(
        &self,
        labels: Vec<String>,
    ) -> Result<Vec<bollard::models::ContainerSummary>, DriverError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..Default::default()
        };
        self.docker
            .list_containers(Some(options))
            .await
            .map_err(|error| failed("listing the containers", &error))
    }

    async fn views(&self, labels: Vec<String>) -> Result<Vec<CellView>, DriverError> {
        let mut found: HashMap<CellId, CellView> = HashMap::new();
        for container in self.containers_labelled(labels).await? {
            let labels = container.labels.unwrap_or_default();
            let read = |key: &str| labels.get(key).map(String::as_str);
            let (Some(cell), Some(tenant)) = (
                read(LABEL_CELL).and_then(|text| text.parse().ok()),
                read(LABEL_TENANT).and_then(|text| text.parse().ok()),
            ) else {
                continue;
            };
            let state = match container.state {
                Some(ContainerSummaryStateEnum::CREATED) => PartState::Created,
                Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::RESTARTING) => PartState::Running,
                Some(ContainerSummaryStateEnum::PAUSED) => PartState::Paused,
                _ => PartState::Exited,
            };
            let view = found.entry(cell).or_insert(CellView {
                cell,
                tenant,
                keeper: PartState::Absent,
                agent: PartState::Absent,
            });
            match read(LABEL_PART) {
                Some("keeper") => view.keeper = state,
                Some("agent") => view.agent = state,
                _ => {}
            }
        }
        let mut views: Vec<_> = found.into_values().collect();
        views.sort_by_key(|view| view.cell);
        Ok(views)
    }

    fn own_label(&self) -> String {
        format!("{LABEL_INSTALLATION}={}", self.config.installation)
    }
}

#[async_trait]
impl Driver for DockerDriver {
    async fn prepare(&self) -> Result<SharedNetwork, DriverError> {
        let network = self.ensure_network().await?;
        self.firewall.install(network.gateway).await?;
        *self.network.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(network);
        Ok(network)
    }

    async fn teardown(&self) -> Result<(), DriverError> {
        self.remove_network().await?;
        self.firewall.remove().await
    }

    async fn create(&self, cell: CellId, tenant: TenantId, part: Part) -> Result<(), DriverError> {
        self.create_part(cell, tenant, part).await
    }

    async fn start(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.start_part(cell, part).await
    }

    async fn pause(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.pause_part(cell, part).await
    }

    async fn resume(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.resume_part(cell, part).await
    }

    async fn stop(&self, cell: CellId, part: Part, grace: Duration) -> Result<(), DriverError> {
        self.stop_part(cell, part, grace).await
    }

    async fn remove(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.remove_part(cell, part).await
    }

    async fn destroy(&self, cell: CellId) -> Result<(), DriverError> {
        self.remove_volumes(cell).await
    }

    async fn inspect(&self, cell: CellId) -> Result<Option<CellView>, DriverError> {
        let labels = vec![self.own_label(), format!("{LABEL_CELL}={cell}")];
        Ok(self.views(labels).await?.pop())
    }

    async fn list(&self) -> Result<Vec<CellView>, DriverError> {
        self.views(vec![self.own_label()]).await
    }

    async fn free_memory(&self, _cell: CellId) -> Result<Option<u64>, DriverError> {
        // Cells of this driver are on this machine.
        let text = std::fs::read_to_string("/proc/meminfo").map_err(|error| DriverError::Machine(error.to_string()))?;
        let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let kib = available.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.map(|kib| kib * 1024))
    }

    async fn stats(&self, cell: CellId, part: Part) -> Result<PartStats, DriverError> {
        self.stats_of_part(cell, part).await
    }

    async fn build(&self, cell: CellId, part: Part) -> Result<Build, DriverError> {
        self.build_of_part(cell, part).await
    }

    async fn logs(&self, cell: CellId, part: Part, lines: usize) -> Result<Vec<String>, DriverError> {
        self.logs_of_part(cell, part, lines).await
    }
}

/// What Docker answered, under the step that it answered to.
fn failed(step: &str, error: &BollardError) -> DriverError {
    match error {
        BollardError::DockerResponseServerError { message, .. } => DriverError::Failed {
            step: step.into(),
            message: message.clone(),
        },
        BollardError::RequestTimeoutError => DriverError::Timeout {
            step: step.into(),
            limit: Duration::from_secs(CLIENT_TIMEOUT_SECONDS),
        },
        error => DriverError::Unreachable(format!("Docker does not answer ({error}): is it running?")),
    }
}

/// The HTTP status of Docker's answer, if it answered.
fn status(error: &BollardError) -> Option<u16> {
    match error {
        BollardError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
