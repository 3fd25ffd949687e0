//! `list_integrations` and `call_integration`.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Tools;
use super::answer::{Answered, Refused};
use crate::broker::{Fetch, Fetched, Route};
use crate::secrets::AgentMay;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallIntegration {
    service: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    content_type: Option<String>,
    #[serde(default)]
    body: String,
}

/// How the tools of a server are called.
const TOOLS: &str = "A server of tools: GET with the path / describes them and their arguments. Call one with its method and path, and its arguments \
                     as a JSON object in the body.";

fn get() -> String {
    "GET".to_owned()
}

/// What a service said, for a model to read.
pub(super) fn told(fetched: &Fetched) -> Value {
    let body = match std::str::from_utf8(&fetched.body) {
        Ok(text) => json!({"body": text}),
        // The last character of a text that was cut may be cut, too.
        Err(error) if fetched.cut && error.error_len().is_none() => {
            json!({"body": String::from_utf8_lossy(&fetched.body[..error.valid_up_to()])})
        }
        Err(_) => json!({"body_base64url": protocol::b64::encode(&fetched.body)}),
    };
    let mut told = json!({"status": fetched.status, "content_type": fetched.content_type});
    if let (Some(told), Some(body)) = (told.as_object_mut(), body.as_object()) {
        told.extend(body.clone());
        if fetched.cut {
            told.insert(
                "cut".to_owned(),
                json!("There was more: ask for less at once, a page at a time."),
            );
        }
    }
    told
}

impl Tools {
    pub(super) fn list_integrations(&self) -> Answered {
        let routes = self
            .routes
            .all()
            .map_err(|error| Refused::new(error.code(), error.to_string()))?;
        let may_use = |route: &Route| {
            let secret = self.secrets.get(route.secret);
            secret.is_ok_and(|secret| secret.agent >= AgentMay::Use)
        };
        let services: Vec<_> = routes
            .into_iter()
            .filter(may_use)
            .map(|route| {
                let (none, asked) = ("not allowed: GET and HEAD only", "your owner is asked each time");
                let (changes, deletes) = match (route.read_only, route.ask) {
                    (true, _) => (none, none),
                    (false, true) => (asked, asked),
                    (false, false) => ("allowed", asked),
                };
                let mut told = json!({
                    "service": route.name, "about": route.about, "address": route.base_url, "reading": "allowed",
                    "changing": changes, "deleting": deletes,
                });
                if let Some(tools) = &route.tools {
                    let tools: Vec<_> = tools
                        .iter()
                        .map(|(name, terms)| json!({"method": terms.does.method(), "path": format!("/{name}")}))
                        .collect();
                    told["tools"] = json!(tools);
                    told["how"] = json!(TOOLS);
                }
                told
            })
            .collect();
        let note = if services.is_empty() {
            "Your owner has connected no service yet. They can, on the page Secrets, under Services."
        } else {
            "Call one with call_integration."
        };
        Ok(json!({"integrations": services, "note": note}))
    }

    pub(super) async fn call_integration(&self, call: CallIntegration) -> Answered {
        let content_type = call.content_type.unwrap_or_else(|| {
            let kind = if call.body.is_empty() { "" } else { "application/json" };
            kind.to_owned()
        });
        let fetched = self
            .routes
            .fetch_for_agent(Fetch {
                service: call.service,
                method: call.method,
                path: call.path,
                query: call.query,
                content_type,
                body: Bytes::from(call.body),
            })
            .await?;
        Ok(told(&fetched))
    }
}
