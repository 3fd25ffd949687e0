//! What an agent asks its owner for, and their answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Session, wait_until};

impl Session {
    /// Waits until a request of the agent waits, and gives it as its owner is shown it.
    pub async fn asked(&self) -> Value {
        wait_until("the agent asks", Duration::from_secs(120), async || {
            let list = self.call("approval.list", json!({})).await;
            list["waiting"].as_array().and_then(|waiting| waiting.first()).cloned()
        })
        .await
    }

    /// Answers what they were shown.
    pub async fn decide(&self, shown: &Value, answer: Value) {
        let params = json!({"id": shown["id"], "hash": shown["hash"], "answer": answer});
        self.call("approval.decide", params).await;
    }
}
