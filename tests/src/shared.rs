//! What somebody does with what others share with them, through their own keeper.

use std::time::Duration;

use protocol::b64;
use serde_json::{Value, json};

use crate::{Installation, Session, wait_until};

/// Until something that is shared has crossed the relay, on a busy machine.
const SOON: Duration = Duration::from_secs(90);

/// Connects a calendar with this key: the scripted model stands for it, since it is the one address that is allowed here.
pub async fn connect_calendar(installation: &Installation, session: &Session, key: &str, about: &str) {
    let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": key});
    let secret = session.call("secret.set", secret).await["id"].clone();
    let route = json!({"name": "calendar", "base_url": installation.model().base_url(), "secret": secret,
        "inject": {"as": "header", "name": "x-api-key", "prefix": ""}, "about": about});
    session.call("route.set", route).await;
}

/// What came of using something: the status and the words, or the code of the refusal.
pub async fn uses(session: &Session, id: &Value, method: &str) -> Result<(Value, String), String> {
    let call = json!({"id": id, "method": method, "path": "/models"});
    match session.channel.call("share.use", call).await {
        Ok(answer) => {
            let body = b64::decode(answer["body"].as_str().expect("text")).expect("base64url");
            Ok((answer["status"].clone(), String::from_utf8(body).expect("text")))
        }
        Err(error) => Err(error.code().unwrap_or_default().to_owned()),
    }
}

/// All that a method lists of what is shared, such as `share.given`; the newest is the first.
pub async fn listed(session: &Session, method: &str) -> Vec<Value> {
    let answer = session.call(method, json!({})).await;
    let (_, list) = method.split_once('.').expect("a method has a namespace");
    answer[list].as_array().expect("a list").clone()
}

/// The newest thing that is shared with them, once it stands so.
pub async fn received(session: &Session, state: &str) -> Value {
    wait_until("what is shared arrives, or ends", SOON, async || {
        let first = listed(session, "share.received").await.first()?.clone();
        (first["state"] == state).then_some(first)
    })
    .await
}
