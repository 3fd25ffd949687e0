//! `post.*` of the channel: how a client carries letters (`docs/protocol.md`, section 2).

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{UserId, b64};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OUT, Post, Waiting};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

/// Letters in one answer: some kilobytes each.
const AT_ONCE: usize = 50;

#[derive(Deserialize)]
struct Sent {
    ids: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Take {
    from: UserId,
    name: String,
    #[serde(with = "b64")]
    sealed: Vec<u8>,
}

impl Post {
    async fn answer(&self, method: &str, params: Value) -> Result<Value, ChannelError> {
        match method {
            "post.outbox" => {
                let mut letters = Vec::new();
                for name in self.vault.list_records(OUT)?.into_iter().take(AT_ONCE) {
                    let Some(json) = self.vault.get_record(&name)? else {
                        continue;
                    };
                    if let Ok(waiting) = serde_json::from_slice::<Waiting>(&json) {
                        let id = name.trim_start_matches(OUT).to_owned();
                        letters.push(json!({"id": id, "to": waiting.to, "sealed": b64::encode(waiting.sealed)}));
                    }
                }
                Ok(json!({ "letters": letters }))
            }
            "post.sent" => {
                let Sent { ids } = read_value(params)?;
                let records = ids.into_iter().map(|id| (format!("{OUT}{id}"), None)).collect();
                self.vault.put_records(records).await?;
                Ok(json!({}))
            }
            "post.take" => {
                let Take { from, name, sealed } = read_value(params)?;
                let kind = self.take(from, &name, &sealed).await?;
                Ok(json!({ "kind": kind }))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Post {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(self.answer(method, params))
    }
}
