//! `--demo`: a scripted model where cells can reach it, and its address for the form and for tests.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::data_dir::write_whole;
use crate::dev_model::{self, MODEL, Options};
use crate::refusal::Refusal;

/// This machine, as keepers know it.
const HOST: &str = "host.holdfast.internal";
const FILE: &str = "demo-model-url";
/// Time between two words: slow enough to see the answer come.
const PACE: std::time::Duration = std::time::Duration::from_millis(25);

/// A scripted model that serves until this is dropped.
pub struct Demo {
    address: SocketAddr,
    task: AbortHandle,
}

impl Demo {
    /// Serves on the address under which keepers reach this host, on the port of the run before where that is free: people's
    /// vaults remember it.
    pub async fn start(gateway: IpAddr, data_dir: &Path) -> Result<Self, Refusal> {
        let failed = |error| Refusal::listen(gateway, 0, error);
        let file = data_dir.join(FILE);
        let listener = match TcpListener::bind((gateway, port_before(&file))).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((gateway, 0)).await.map_err(failed)?,
        };
        let address = listener.local_addr().map_err(failed)?;
        let options = Options {
            pace: PACE,
            ..Options::default()
        };
        let task = tokio::spawn(dev_model::serve(listener, options)).abort_handle();
        write_whole(&file, format!("http://{address}/v1").as_bytes(), 0o644)?;
        Ok(Self { address, task })
    }

    /// What keepers must be allowed to reach: by name, which outlives the network, and by address.
    pub fn addresses(&self) -> [String; 2] {
        [format!("{HOST}:{}", self.address.port()), self.address.to_string()]
    }

    /// What the form for the model starts with.
    pub fn offer(&self) -> serde_json::Value {
        let base_url = format!("http://{HOST}:{}/v1", self.address.port());
        json!({ "kind": "openai", "base_url": base_url, "model": MODEL })
    }
}

/// The port of the run before, 0 where there was none.
fn port_before(file: &Path) -> u16 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let port = text.trim_end_matches("/v1").rsplit(':').next();
    port.and_then(|port| port.parse().ok()).unwrap_or(0)
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.task.abort();
    }
}
