//! A developer's program, which calls the tenant API with a key.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{Installation, http};

/// A program with the operator's token or a tenant's key.
pub struct Program {
    pub base: String,
    pub key: String,
}

impl Program {
    /// The operator's, with the token that the server made.
    pub fn operator(installation: &Installation) -> Self {
        let token = std::fs::read_to_string(installation.data_dir().join("admin-token"));
        let token = token.expect("the server made its token");
        Self {
            base: installation.url(),
            key: token.trim().to_owned(),
        }
    }

    /// As the operator: makes a tenant; what is said of it, and its program.
    pub async fn tenant(&self, wanted: &Value) -> (Value, Self) {
        let made = self.ok(Method::POST, "/api/v1/tenants", Some(wanted)).await;
        let tenant = Self {
            base: self.base.clone(),
            key: made["key"].as_str().expect("a key is text").to_owned(),
        };
        (made, tenant)
    }

    /// As a tenant: a message to its agent, whose answer comes as events.
    pub async fn stream(&self, message: &Value) -> Response {
        let sent = http()
            .post(format!("{}/api/v1/chat", self.base))
            .bearer_auth(&self.key)
            .header("accept", "text/event-stream")
            .json(message)
            .send();
        sent.await.expect("the platform answers")
    }

    /// A request; the status of its answer, and what it says as far as that is JSON.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = http()
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the platform answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// A request that is granted.
    pub async fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }
}

/// A model of OpenAI's protocol at this address, as a tenant is given it.
pub fn model_of(base_url: &str, key: &str) -> Value {
    json!({"kind": "openai", "base_url": base_url, "key": key, "model": "scripted"})
}
