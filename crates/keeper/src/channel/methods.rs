use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use serde_json::Value;

use super::outgoing::Subscriber;

/// What answers the methods of a part of the keeper.
pub trait Methods: Send + Sync + 'static {
    /// Answers one call. It is made only while the vault is unlocked. When the client cancels it or goes away, the future is
    /// dropped where it waits.
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>>;
}

/// Who answers which method. `vault.*`, `slot.*`, `model.get` and `model.set` are the channel's own.
#[derive(Default, Clone)]
pub struct Router {
    namespaces: HashMap<&'static str, Arc<dyn Methods>>,
    methods: HashMap<&'static str, Arc<dyn Methods>>,
}

impl Router {
    /// Answers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All methods that start with `namespace` and a dot.
    #[must_use]
    pub fn namespace(mut self, namespace: &'static str, methods: Arc<dyn Methods>) -> Self {
        self.namespaces.insert(namespace, methods);
        self
    }

    /// One method by its whole name; it goes before a namespace.
    #[must_use]
    pub fn method(mut self, method: &'static str, methods: Arc<dyn Methods>) -> Self {
        self.methods.insert(method, methods);
        self
    }

    pub(super) fn find(&self, method: &str) -> Option<Arc<dyn Methods>> {
        let namespace = method.split_once('.').map_or(method, |(namespace, _)| namespace);
        self.methods
            .get(method)
            .or_else(|| self.namespaces.get(namespace))
            .map(Arc::clone)
    }
}
