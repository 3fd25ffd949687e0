//! `template.*`: what the agent is.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::template::AgentTemplate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Furnishing, Templates};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

#[derive(Deserialize)]
struct Set {
    /// Null: none. It has to be said.
    #[serde(deserialize_with = "Option::deserialize")]
    template: Option<AgentTemplate>,
}

impl Methods for Templates {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "template.get" => {
                    let furnishing = self.furnishing()?;
                    Ok(json!({"template": furnishing.as_ref().and_then(Furnishing::template)}))
                }
                "template.set" => {
                    let Set { template } = read_value(params)?;
                    self.set(template).await?;
                    Ok(json!({}))
                }
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
