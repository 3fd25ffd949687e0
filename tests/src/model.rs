//! The scripted model of an installation that was started with `--demo`, from the test's side.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The scripted model.
#[derive(Debug, Clone)]
pub struct Model {
    base_url: String,
}

impl Model {
    pub(crate) fn of(data_dir: &Path) -> Option<Self> {
        let base_url = fs::read_to_string(data_dir.join("demo-model-url")).ok()?;
        Some(Self {
            base_url: base_url.trim().to_owned(),
        })
    }

    /// As keepers reach it, for providers of OpenAI's kind.
    pub fn base_url(&self) -> &str {
        &self.base_url
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

    /// What it was asked so far.
    pub async fn requests(&self) -> Value {
        let answer = crate::person::http()
            .get(self.control("requests"))
            .send()
            .await
            .expect("the model answers");
        answer.json().await.expect("the model answers with JSON")
    }

    fn control(&self, path: &str) -> String {
        let root = self.base_url.trim_end_matches("/v1");
        format!("{root}/_control/{path}")
    }
}
