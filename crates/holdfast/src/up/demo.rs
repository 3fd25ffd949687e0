//! `--demo`: a scripted model where cells can reach it, and its address for the form and for tests.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::data_dir::write_whole;
use crate::dev_model::{self, MODEL, Options};
use crate::refusal::Refusal;

const FILE: &str = "demo-model-url";
/// Time between two words: slow enough to see the answer come.
const PACE: std::time::Duration = std::time::Duration::from_millis(25);

/// A scripted model that serves until this is dropped.
pub struct Demo {
    address: SocketAddr,
    task: AbortHandle,
}

impl Demo {
    /// Serves on a free port of the address under which keepers reach this host.
    pub async fn start(gateway: IpAddr, data_dir: &Path) -> Result<Self, Refusal> {
        let failed = |error| Refusal::listen(gateway, 0, error);
        let listener = TcpListener::bind((gateway, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let options = Options {
            pace: PACE,
            ..Options::default()
        };
        let task = tokio::spawn(dev_model::serve(listener, options)).abort_handle();
        let demo = Self { address, task };
        write_whole(&data_dir.join(FILE), demo.base_url().as_bytes(), 0o644)?;
        Ok(demo)
    }

    /// Removes what an earlier run with `--demo` has left.
    pub fn forget(data_dir: &Path) -> Result<(), Refusal> {
        let file = data_dir.join(FILE);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Refusal::file(&file, error)),
            _ => Ok(()),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the form for the model starts with.
    pub fn offer(&self) -> serde_json::Value {
        json!({ "kind": "openai", "base_url": self.base_url(), "model": MODEL })
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.task.abort();
    }
}
