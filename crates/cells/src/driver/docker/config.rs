//! What the docker driver is told.

use std::path::PathBuf;

use protocol::InstallationId;

use crate::limits;

/// Settings of the docker driver.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    pub installation: InstallationId,
    /// As the Docker daemon sees it: `<data_dir>/run/<cell>` is mounted into that cell's keeper.
    pub data_dir: PathBuf,
    pub keeper_image: String,
    pub agent_image: String,
    /// The seccomp profile of the agent, as JSON.
    pub agent_seccomp: String,
    pub agent_cpus: f64,
    pub agent_memory_bytes: u64,
    pub home_bytes: u64,
    /// Model servers on private addresses that the operator allows, as `host:port`. `host.holdfast.internal` is this
    /// machine.
    pub private_addresses: Vec<String>,
    /// Docker's socket, where it is not in the usual place.
    pub docker_socket: Option<PathBuf>,
}

impl DockerConfig {
    /// The defaults of `limits`.
    pub fn new(
        installation: InstallationId,
        data_dir: PathBuf,
        keeper_image: String,
        agent_image: String,
        agent_seccomp: String,
    ) -> Self {
        Self {
            installation,
            data_dir,
            keeper_image,
            agent_image,
            agent_seccomp,
            agent_cpus: limits::AGENT_CPUS,
            agent_memory_bytes: limits::AGENT_MEMORY,
            home_bytes: limits::HOME_BYTES,
            private_addresses: Vec::new(),
            docker_socket: None,
        }
    }
}
