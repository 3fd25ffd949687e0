//! The one bridge of an installation, on which its keepers are, and cannot see each other.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::InspectNetworkOptions;

use super::spec::LABEL_INSTALLATION;
use super::{DockerDriver, failed, status};
use crate::driver::{DriverError, SharedNetwork};

impl DockerDriver {
    pub(super) async fn ensure_network(&self) -> Result<SharedNetwork, DriverError> {
        if let Some(gateway) = self.gateway().await? {
            return Ok(SharedNetwork { gateway });
        }
        let created = self
            .docker
            .create_network(NetworkCreateRequest {
                name: self.names.network.clone(),
                driver: Some("bridge".into()),
                enable_ipv6: Some(false),
                options: Some(HashMap::from([
                    ("com.docker.network.bridge.name".to_owned(), self.names.bridge.clone()),
                    ("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned()),
                ])),
                labels: Some(HashMap::from([(
                    LABEL_INSTALLATION.to_owned(),
                    self.config.installation.to_string(),
                )])),
                ..Default::default()
            })
            .await;
        match created {
            // 409: another process of this installation was faster.
            Err(error) if status(&error) != Some(409) => return Err(failed("making the keepers' network", &error)),
            _ => {}
        }
        match self.gateway().await? {
            Some(gateway) => Ok(SharedNetwork { gateway }),
            None => Err(DriverError::Failed {
                step: "making the keepers' network".into(),
                message: "Docker gave it no gateway address".into(),
            }),
        }
    }

    async fn gateway(&self) -> Result<Option<IpAddr>, DriverError> {
        let found = self
            .docker
            .inspect_network(&self.names.network, None::<InspectNetworkOptions>)
            .await;
        match found {
            Ok(network) => Ok(network
                .ipam
                .and_then(|ipam| ipam.config)
                .unwrap_or_default()
                .into_iter()
                .find_map(|config| config.gateway?.parse().ok())),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed("inspecting the keepers' network", &error)),
        }
    }

    pub(super) async fn remove_network(&self) -> Result<(), DriverError> {
        match self.docker.remove_network(&self.names.network).await {
            Err(error) if status(&error) != Some(404) => Err(failed("removing the keepers' network", &error)),
            _ => Ok(()),
        }
    }
}
