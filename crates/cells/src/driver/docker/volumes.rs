//! The volumes of a cell: the vault on disk, the home and the sockets in memory. Memory volumes are empty again once no
//! container mounts them.

use std::collections::HashMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptions;
use protocol::CellId;
use protocol::bridge::{AGENT_UID, KEEPER_UID};

use super::spec::{VolumeKind, labels};
use super::{DockerDriver, failed, status};
use crate::driver::DriverError;
use crate::limits;

impl DockerDriver {
    pub(super) async fn ensure_volumes(&self, cell: CellId) -> Result<(), DriverError> {
        for kind in VolumeKind::ALL {
            // Docker answers with the volume that is there, if there is one of that name.
            self.docker
                .create_volume(VolumeCreateRequest {
                    name: Some(self.names.volume(cell, kind)),
                    driver: Some("local".into()),
                    driver_opts: self.options(kind),
                    labels: Some(labels(&self.config, cell, None)),
                    ..Default::default()
                })
                .await
                .map_err(|error| failed("making a volume", &error))?;
        }
        Ok(())
    }

    fn options(&self, kind: VolumeKind) -> Option<HashMap<String, String>> {
        let options = match kind {
            VolumeKind::Vault => return None,
            VolumeKind::Home => format!(
                "size={},nr_inodes={},uid={AGENT_UID},gid={AGENT_UID},mode=0700,nosuid,nodev{}",
                self.config.home_bytes,
                limits::HOME_INODES,
                if kernel_has_noswap() { ",noswap" } else { "" },
            ),
            VolumeKind::Sockets => {
                format!("size=1m,nr_inodes=64,uid={KEEPER_UID},gid={KEEPER_UID},mode=0755,nosuid,nodev,noexec")
            }
        };
        Some(HashMap::from([
            ("type".to_owned(), "tmpfs".to_owned()),
            ("device".to_owned(), "tmpfs".to_owned()),
            ("o".to_owned(), options),
        ]))
    }

    pub(super) async fn remove_volumes(&self, cell: CellId) -> Result<(), DriverError> {
        for kind in VolumeKind::ALL {
            let name = self.names.volume(cell, kind);
            match self.docker.remove_volume(&name, None::<RemoveVolumeOptions>).await {
                Err(error) if status(&error) != Some(404) => return Err(failed("removing a volume", &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `noswap` came to tmpfs with Linux 6.4; older kernels refuse to mount with it.
fn kernel_has_noswap() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    is_at_least(&release, (6, 4))
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use super::is_at_least;

    #[test]
    fn kernel_releases_are_compared_by_number() {
        assert!(is_at_least("6.18.44-fc-v657\n", (6, 4)));
        assert!(is_at_least("6.4.0", (6, 4)));
        assert!(!is_at_least("6.1.0-32-amd64", (6, 4)));
        assert!(!is_at_least("5.15.0", (6, 4)));
        assert!(!is_at_least("", (6, 4)));
    }
}
