//! `route.*`: which services the agent may call, and where the secret goes.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::route::Route;
use super::store::Routes;
use crate::activity::{Deed, What};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(flatten)]
    route: Route,
}

#[derive(Deserialize)]
struct One {
    name: String,
}

impl Routes {
    fn list(&self) -> Result<Value, ChannelError> {
        let routes: Vec<_> = self
            .all()?
            .into_iter()
            .map(|route| {
                let url = route.agent_url();
                json!({
                    "name": route.name, "base_url": route.base_url, "secret": route.secret, "inject": route.inject,
                    "read_only": route.read_only, "ask": route.ask, "about": route.about, "tools": route.tools,
                    "agent_url": url,
                })
            })
            .collect();
        Ok(json!({"routes": routes}))
    }

    async fn set(&self, Set { name, route }: Set) -> Result<Value, ChannelError> {
        // The address of a server of tools is called as it is, and some take the one with a stroke at its end alone.
        let base_url = match route.tools {
            Some(_) => route.base_url.as_str(),
            None => route.base_url.trim_end_matches('/'),
        };
        let route = Route {
            name,
            base_url: base_url.to_owned(),
            about: route.about.trim().to_owned(),
            ..route
        };
        self.put(&route).await?;
        let secret = self.secrets.get(route.secret)?.name;
        let is_unasked = !route.ask && !route.read_only;
        let mut deed = Deed::new(What::RouteSaved, route.name).with(route.secret, secret);
        if is_unasked {
            deed = deed.because("unasked");
        }
        self.activity.note_first(deed).await?;
        Ok(json!({}))
    }

    async fn remove(&self, One { name }: One) -> Result<Value, ChannelError> {
        self.delete(&name).await?;
        self.activity.note_first(Deed::new(What::RouteDeleted, name)).await?;
        Ok(json!({}))
    }
}

impl Methods for Routes {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "route.list" => self.list(),
                "route.set" => self.set(read_value(params)?).await,
                "route.tools" => {
                    let One { name } = read_value(params)?;
                    Ok(json!(self.tools_of(&name).await?))
                }
                "route.delete" => self.remove(read_value(params)?).await,
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
