//! Calls for one container. Each can be made again after it was cut short.

use std::path::absolute;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as BollardError;
use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, LogsOptions, RemoveContainerOptions, StartContainerOptions,
    StatsOptions, StopContainerOptions,
};
use futures::{StreamExt as _, TryStreamExt as _};
use protocol::{CellId, TenantId};

use super::{DockerDriver, failed, spec, status};
use crate::driver::{Build, Driver as _, DriverError, Part, PartStats};
use crate::limits;

/// Between two looks at a removal that somebody else began.
const REMOVAL_LOOK: Duration = Duration::from_millis(100);

impl DockerDriver {
    pub(super) async fn create_part(&self, cell: CellId, tenant: TenantId, part: Part) -> Result<(), DriverError> {
        let gateway = match self.network_now() {
            Some(network) => network.gateway,
            None => self.prepare().await?.gateway,
        };
        if part == Part::Keeper {
            // Somebody may have flushed the host's rules since: without them no keeper starts.
            self.firewall.ensure(gateway).await?;
        }
        self.ensure_volumes(cell).await?;
        let run_folder = crate::socket::folder(&self.config.data_dir, cell);
        let run_folder = absolute(&run_folder).map_err(|error| DriverError::Machine(error.to_string()))?;
        std::fs::create_dir_all(&run_folder)
            .map_err(|error| DriverError::Machine(format!("{}: {error}", run_folder.display())))?;
        self.remove_part(cell, part).await?;
        let body = spec::container(&self.config, &self.names, gateway, &run_folder, (cell, tenant, part));
        let image = body.image.clone().unwrap_or_default();
        let options = CreateContainerOptions {
            name: Some(self.names.container(cell, part)),
            ..Default::default()
        };
        match self.docker.create_container(Some(options), body).await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Err(DriverError::ImageMissing { image }),
            Err(error) => Err(failed(&format!("making the {part}'s container"), &error)),
        }
    }

    pub(super) async fn start_part(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        let name = self.names.container(cell, part);
        self.docker
            .start_container(&name, None::<StartContainerOptions>)
            .await
            .map_err(|error| failed(&format!("starting the {part}"), &error))
    }

    pub(super) async fn pause_part(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        let name = self.names.container(cell, part);
        let mut tries = 0;
        loop {
            let Err(error) = self.docker.pause_container(&name).await else {
                return Ok(());
            };
            tries += 1;
            match self.status_of(&name).await? {
                Some(ContainerStateStatusEnum::PAUSED) => return Ok(()),
                // As runc says it.
                Some(ContainerStateStatusEnum::RUNNING) if !error.to_string().contains("unable to freeze") => {
                    return Err(failed(&format!("pausing the {part}"), &error));
                }
                Some(ContainerStateStatusEnum::RUNNING) if tries < limits::FREEZE_TRIES => {
                    tokio::time::sleep(limits::FREEZE_PAUSE).await;
                }
                Some(ContainerStateStatusEnum::RUNNING) => return Err(DriverError::Unfreezable { cell, part }),
                _ => return Err(DriverError::NotRunning { cell, part }),
            }
        }
    }

    pub(super) async fn resume_part(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        let name = self.names.container(cell, part);
        // Docker 20.10 takes note of a pause by an event, so that an unpause right after it may be told that nothing is
        // paused, and a moment later that it is: it is asked again.
        let mut tries = 0;
        loop {
            let Err(error) = self.docker.unpause_container(&name).await else {
                return Ok(());
            };
            tries += 1;
            match self.status_of(&name).await? {
                Some(ContainerStateStatusEnum::RUNNING) if tries >= limits::RESUME_LOOKS => return Ok(()),
                Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED)
                    if tries < limits::RESUME_TRIES =>
                {
                    tokio::time::sleep(limits::RESUME_PAUSE).await;
                }
                Some(ContainerStateStatusEnum::PAUSED) => return Err(failed(&format!("resuming the {part}"), &error)),
                _ => return Err(DriverError::NotRunning { cell, part }),
            }
        }
    }

    pub(super) async fn stop_part(&self, cell: CellId, part: Part, grace: Duration) -> Result<(), DriverError> {
        let options = StopContainerOptions {
            t: Some(i32::try_from(grace.as_secs()).unwrap_or(i32::MAX)),
            ..Default::default()
        };
        let name = self.names.container(cell, part);
        match self.docker.stop_container(&name, Some(options)).await {
            // 304: it had ended already, which some versions report as an error.
            Err(error) if !matches!(status(&error), Some(304 | 404)) => {
                Err(failed(&format!("stopping the {part}"), &error))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn remove_part(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        let name = self.names.container(cell, part);
        let options = RemoveContainerOptions {
            force: true,
            ..Default::default()
        };
        // Docker 20.10 now and then answers nothing any more, for good, when several that it kills are paused. Most are not, and it says so.
        let _not_paused = self.docker.unpause_container(&name).await;
        match self.docker.remove_container(&name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            // Somebody else is removing it; the caller's limit ends a wait that is too long.
            Err(error) if status(&error) == Some(409) && error.to_string().contains("already in progress") => {
                while self.status_of(&name).await?.is_some() {
                    tokio::time::sleep(REMOVAL_LOOK).await;
                }
                Ok(())
            }
            Err(error) => Err(failed(&format!("removing the {part}"), &error)),
        }
    }

    async fn status_of(&self, name: &str) -> Result<Option<ContainerStateStatusEnum>, DriverError> {
        match self
            .docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await
        {
            Ok(container) => Ok(container.state.and_then(|state| state.status)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed("inspecting a container", &error)),
        }
    }

    pub(super) async fn stats_of_part(&self, cell: CellId, part: Part) -> Result<PartStats, DriverError> {
        let options = StatsOptions {
            stream: false,
            one_shot: true,
        };
        let name = self.names.container(cell, part);
        let stats = self.docker.stats(&name, Some(options)).next().await;
        let stats = match stats {
            Some(Ok(stats)) => stats,
            Some(Err(error)) if status(&error) != Some(404) => {
                return Err(failed(&format!("measuring the {part}"), &error));
            }
            _ => return Err(DriverError::NotRunning { cell, part }),
        };
        let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
        Ok(PartStats {
            memory_bytes: stats.memory_stats.and_then(|memory| memory.usage).unwrap_or(0),
            cpu_total: Duration::from_nanos(cpu.unwrap_or(0)),
            pids: stats.pids_stats.and_then(|pids| pids.current).unwrap_or(0),
        })
    }

    pub(super) async fn build_of_part(&self, cell: CellId, part: Part) -> Result<Build, DriverError> {
        let name = self.names.container(cell, part);
        let container = match self
            .docker
            .inspect_container(&name, None::<InspectContainerOptions>)
            .await
        {
            Ok(container) => container,
            Err(error) if status(&error) == Some(404) => return Err(DriverError::NotRunning { cell, part }),
            Err(error) => return Err(failed("inspecting a container", &error)),
        };
        let tag = match part {
            Part::Keeper => &self.config.keeper_image,
            Part::Agent => &self.config.agent_image,
        };
        let newest = match self.docker.inspect_image(tag).await {
            Ok(image) => image.id,
            // The image is no longer here: a cell that is made now is not made from it.
            Err(error) if status(&error) == Some(404) => None,
            Err(error) => return Err(failed("inspecting an image", &error)),
        };
        let made_from = container.image.unwrap_or_default();
        let hash = made_from.split_once(':').map_or(made_from.as_str(), |(_, hash)| hash);
        Ok(Build {
            id: hash.chars().take(12).collect(),
            newest: newest.as_deref() == Some(made_from.as_str()),
        })
    }

    pub(super) async fn logs_of_part(
        &self,
        cell: CellId,
        part: Part,
        lines: usize,
    ) -> Result<Vec<String>, DriverError> {
        if part == Part::Agent {
            return Ok(Vec::new());
        }
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: lines.to_string(),
            ..Default::default()
        };
        let name = self.names.container(cell, part);
        let written: Result<Vec<LogOutput>, BollardError> = self.docker.logs(&name, Some(options)).try_collect().await;
        match written {
            Ok(written) => Ok(written
                .into_iter()
                .map(|line| line.to_string().trim_end().to_owned())
                .collect()),
            Err(error) if status(&error) == Some(404) => Ok(Vec::new()),
            Err(error) => Err(failed("reading the keeper's log", &error)),
        }
    }
}
