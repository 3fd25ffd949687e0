//! What each container of a cell is made of. Nothing secret is in here: whoever may ask Docker can read all of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions, ResourcesUlimits,
};
use protocol::bridge::{AGENT_UID, HOME_DIR, PLATFORM_DIR, SOCKET_DIR, VAULT_DIR};
use protocol::{CellId, InstallationId, TenantId};

use super::DockerConfig;
use crate::driver::Part;
use crate::limits;

pub(super) const LABEL_INSTALLATION: &str = "holdfast.installation";
pub(super) const LABEL_TENANT: &str = "holdfast.tenant";
pub(super) const LABEL_CELL: &str = "holdfast.cell";
pub(super) const LABEL_PART: &str = "holdfast.part";
/// Changes when the container would be made differently. Cells that run keep theirs until they sleep.
const LABEL_CONFIG: &str = "holdfast.config";

/// This machine, as keepers call it.
pub(super) const HOST_NAME: &str = "host.holdfast.internal";

/// One volume of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeKind {
    /// The keeper's own, on disk.
    Vault,
    /// The agent's home, in memory.
    Home,
    /// The keeper's sockets, in memory.
    Sockets,
}

impl VolumeKind {
    pub const ALL: [Self; 3] = [Self::Vault, Self::Home, Self::Sockets];

    fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Home => "home",
            Self::Sockets => "sockets",
        }
    }
}

/// Names on this machine that belong to one installation.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The random end of the installation's id: its beginning is a time, which two installations may share.
    short: String,
    pub network: String,
    /// At most 15 characters (`IFNAMSIZ`).
    pub bridge: String,
    pub input_chain: String,
    pub forward_chain: String,
}

impl Names {
    pub fn new(installation: InstallationId) -> Self {
        let simple = installation.uuid().simple().to_string();
        let short = simple[20..].to_owned();
        Self {
            network: format!("holdfast-{installation}"),
            bridge: format!("hf-{short}"),
            input_chain: format!("HF-{short}-IN"),
            forward_chain: format!("HF-{short}-FWD"),
            short,
        }
    }

    pub fn container(&self, cell: CellId, part: Part) -> String {
        format!("holdfast-{}-{cell}-{part}", self.short)
    }

    pub fn volume(&self, cell: CellId, kind: VolumeKind) -> String {
        format!("holdfast-{}-{cell}-{}", self.short, kind.name())
    }
}

pub(super) fn labels(config: &DockerConfig, cell: CellId, tenant: Option<TenantId>) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (LABEL_INSTALLATION.to_owned(), config.installation.to_string()),
        (LABEL_CELL.to_owned(), cell.to_string()),
    ]);
    if let Some(tenant) = tenant {
        labels.insert(LABEL_TENANT.to_owned(), tenant.to_string());
    }
    labels
}

pub(super) fn container(
    config: &DockerConfig,
    names: &Names,
    gateway: IpAddr,
    run_folder: &Path,
    (cell, tenant, part): (CellId, TenantId, Part),
) -> ContainerCreateBody {
    let mut body = match part {
        Part::Keeper => keeper(config, names, gateway, run_folder, cell),
        Part::Agent => agent(config, names, cell),
    };
    let mut labels = labels(config, cell, Some(tenant));
    labels.insert(LABEL_PART.to_owned(), part.name().to_owned());
    let mut hasher = DefaultHasher::new();
    format!("{body:?}").hash(&mut hasher);
    labels.insert(LABEL_CONFIG.to_owned(), format!("{:016x}", hasher.finish()));
    body.labels = Some(labels);
    body
}

fn keeper(
    config: &DockerConfig,
    names: &Names,
    gateway: IpAddr,
    run_folder: &Path,
    cell: CellId,
) -> ContainerCreateBody {
    // The home's pages count where they are first written: by the keeper, when it restores them.
    let memory = signed(limits::KEEPER_MEMORY + config.home_bytes);
    let platform = Mount {
        typ: Some(MountType::BIND),
        source: Some(run_folder.display().to_string()),
        target: Some(PLATFORM_DIR.to_owned()),
        read_only: Some(true),
        ..Default::default()
    };
    ContainerCreateBody {
        image: Some(config.keeper_image.clone()),
        hostname: Some(format!("keeper-{}", cell.uuid().simple())),
        entrypoint: Some(Vec::new()),
        cmd: Some(vec!["/holdfast-keeper".into(), "serve".into()]),
        user: Some("0:0".into()),
        working_dir: Some("/".into()),
        host_config: Some(HostConfig {
            network_mode: Some(names.network.clone()),
            extra_hosts: Some(vec![format!("{HOST_NAME}:{gateway}")]),
            // What becoming another user and reading the agent's files takes, and no more.
            cap_add: Some(
                ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SETPCAP"]
                    .map(str::to_owned)
                    .into(),
            ),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(limits::KEEPER_PIDS),
            tmpfs: Some(tmp("size=16m,mode=1777,noexec")),
            mounts: Some(vec![
                volume(names, cell, VolumeKind::Vault, VAULT_DIR, false),
                volume(names, cell, VolumeKind::Home, HOME_DIR, false),
                volume(names, cell, VolumeKind::Sockets, SOCKET_DIR, false),
                platform,
            ]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "1m".to_owned()),
                    ("max-file".to_owned(), "2".to_owned()),
                ])),
            }),
            security_opt: Some(vec!["no-new-privileges:true".into()]),
            ..hardened()
        }),
        ..Default::default()
    }
}

/// The host name in every agent's container. A home that was sealed while OpenClaw ran holds its owner lease, which is keyed by host name:
/// under another one OpenClaw refuses to start for five minutes, after a crash as in a cell that a backup was just restored into.
const AGENT_HOST: &str = "agent";

fn agent(config: &DockerConfig, names: &Names, cell: CellId) -> ContainerCreateBody {
    let memory = signed(config.agent_memory_bytes);
    ContainerCreateBody {
        image: Some(config.agent_image.clone()),
        hostname: Some(AGENT_HOST.to_owned()),
        entrypoint: Some(Vec::new()),
        cmd: Some(vec!["/usr/local/bin/holdfast-keeper".into(), "bridge".into()]),
        user: Some(format!("{AGENT_UID}:{AGENT_UID}")),
        working_dir: Some(HOME_DIR.to_owned()),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(limits::AGENT_PIDS),
            // Truncation loses less than a billionth of a processor.
            #[allow(clippy::cast_possible_truncation)]
            nano_cpus: Some((config.agent_cpus * 1e9) as i64),
            tmpfs: Some(tmp(&format!("size={},mode=1777", limits::AGENT_TMP_BYTES))),
            mounts: Some(vec![
                volume(names, cell, VolumeKind::Home, HOME_DIR, false),
                volume(names, cell, VolumeKind::Sockets, SOCKET_DIR, true),
            ]),
            // What an agent writes could hold words of a conversation.
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".into()),
                config: None,
            }),
            security_opt: Some(vec![
                "no-new-privileges:true".into(),
                format!("seccomp={}", config.agent_seccomp),
            ]),
            ..hardened()
        }),
        ..Default::default()
    }
}

/// What both containers have in common.
fn hardened() -> HostConfig {
    HostConfig {
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        privileged: Some(false),
        ipc_mode: Some("private".into()),
        // A core dump would put memory on a disk.
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("core".into()),
            soft: Some(0),
            hard: Some(0),
        }]),
        ..Default::default()
    }
}

fn tmp(options: &str) -> HashMap<String, String> {
    HashMap::from([("/tmp".to_owned(), format!("rw,nosuid,nodev,{options}"))])
}

fn volume(names: &Names, cell: CellId, kind: VolumeKind, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(names.volume(cell, kind)),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            // What an image has at that place does not belong into a volume.
            no_copy: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
