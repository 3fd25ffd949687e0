//! The scripted model that cells are connected to, from the test's side: inside the server, or a process of its own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::installation::binary;
use crate::process::wait_until;

/// The scripted model.
#[derive(Debug)]
pub struct Model {
    /// `address:port`, as this machine reaches it.
    address: String,
    process: Option<Child>,
}

impl Model {
    /// The one that the server runs itself (`--demo`).
    pub(crate) fn of(data_dir: &Path) -> Option<Self> {
        let url = fs::read_to_string(data_dir.join("demo-model-url")).ok()?;
        let address = url
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches("/v1")
            .to_owned();
        Some(Self { address, process: None })
    }

    /// One in a process of its own, so that what people say to it does not cross the server's sockets.
    pub(crate) async fn start(address: &str) -> Self {
        let process = Command::new(binary())
            .args(["dev-model", "--listen", address, "--pace-ms", "5"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the scripted model can be run");
        let model = Self {
            address: address.to_owned(),
            process: Some(process),
        };
        wait_until("the scripted model answers", Duration::from_secs(20), async || {
            crate::person::http().get(model.control("requests")).send().await.ok()
        })
        .await;
        model
    }

    /// As keepers reach it, for providers of OpenAI's kind.
    pub fn base_url(&self) -> String {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        format!("http://host.holdfast.internal:{port}/v1")
    }

    /// Returns once a request waits at `[[hold: name]]`.
    pub async fn held(&self, name: &str) {
        let answer = crate::person::http()
            .get(self.control(&format!("held/{name}")))
            .send()
            .await;
        assert!(answer.expect("the model answers").status().is_success());
    }

    /// Lets the request at `[[hold: name]]` go on.
    pub async fn release(&self, name: &str) {
        let answer = crate::person::http()
            .post(self.control(&format!("release/{name}")))
            .send()
            .await;
        assert!(answer.expect("the model answers").status().is_success());
    }

    /// From now on it refuses each call of this protocol (`openai` or `anthropic`), as one does that is out of order.
    pub async fn goes_down(&self, protocol: &str) {
        let answer = crate::person::http()
            .post(self.control(&format!("down/503?protocol={protocol}")))
            .send()
            .await;
        assert!(answer.expect("the model answers").status().is_success());
    }

    /// What it was asked so far.
    pub async fn requests(&self) -> Value {
        let answer = crate::person::http()
            .get(self.control("requests"))
            .send()
            .await
            .expect("the model answers");
        answer.json().await.expect("the model answers with JSON")
    }

    /// What the last request of an agent said before anybody spoke.
    pub async fn system(&self) -> String {
        let answer = crate::person::http().get(self.control("system")).send().await;
        answer.expect("the model answers").text().await.expect("it is text")
    }

    fn control(&self, path: &str) -> String {
        format!("http://{}/_control/{path}", self.address)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
