//! `activity.list`.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Activity;
use super::entry::Class;
use crate::channel::{Methods, Subscriber, read_value, unknown_method};
use crate::limits;

#[derive(Deserialize)]
struct List {
    class: Option<Class>,
    #[serde(default)]
    skip: usize,
}

impl Activity {
    fn list(&self, params: Value) -> Result<Value, ChannelError> {
        let List { class, skip } = read_value(params)?;
        let entries = self.entries(class)?;
        let more = entries.len() > skip.saturating_add(limits::ACTIVITY_PAGE);
        let page: Vec<_> = entries.into_iter().skip(skip).take(limits::ACTIVITY_PAGE).collect();
        Ok(json!({"entries": page, "more": more}))
    }
}

impl Methods for Activity {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "activity.list" => self.list(if params.is_null() { json!({}) } else { params }),
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
