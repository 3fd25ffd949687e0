use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{SlotId, wiped_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::outgoing::Subscriber;
use crate::vault_service::Record;

/// JSON that may hold secrets.
pub type SecretJson = Zeroizing<Vec<u8>>;

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

/// What answers methods whose parameters or results may be secret: they are read from and written into memory that is wiped.
pub trait SecretMethods: Send + Sync + 'static {
    /// Answers one call, as [`Methods::call`] does; but what was begun goes on to its end when the client goes away.
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: &'a RawValue,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<SecretJson, ChannelError>>;
}

/// What a part of the keeper has to write when a way in is taken away.
pub trait SlotEnd: Send + Sync + 'static {
    /// The records that change in the same write.
    fn ending(&self, slot: SlotId) -> BoxFuture<'_, Result<Vec<Record>, ChannelError>>;
}

/// Reads parameters. What is wrong with them is told by its place alone: the words may quote what was sent.
///
/// # Errors
/// `malformed`.
pub fn read_params<'a, T: serde::Deserialize<'a>>(params: &'a RawValue) -> Result<T, ChannelError> {
    serde_json::from_str(params.get()).map_err(|error| {
        let text = format!(
            "The parameters are not as this method needs them (column {}).",
            error.column()
        );
        ChannelError::new("malformed", text)
    })
}

/// Writes a result.
///
/// # Errors
/// `internal`.
pub fn write_result(result: &impl Serialize) -> Result<SecretJson, ChannelError> {
    wiped_json(result).map_err(|_| ChannelError::new("internal", "The answer does not serialise."))
}

/// Reads parameters in which nothing is secret.
///
/// # Errors
/// `malformed`.
pub fn read_value<T: DeserializeOwned>(params: Value) -> Result<T, ChannelError> {
    serde_json::from_value(params)
        .map_err(|error| ChannelError::new("malformed", format!("The request is malformed: {error}.")))
}

/// What is said to a call of `method`, which nothing answers.
pub fn unknown_method(method: &str) -> ChannelError {
    ChannelError::new("unknown_method", format!("There is no method {method:?} here."))
}

/// Who answers which method. `vault.*`, `slot.*`, `model.get` and `model.set` are the channel's own.
#[derive(Default, Clone)]
pub struct Router {
    namespaces: HashMap<&'static str, Arc<dyn Methods>>,
    methods: HashMap<&'static str, Arc<dyn Methods>>,
    secret: HashMap<&'static str, Arc<dyn SecretMethods>>,
    slot_end: Option<Arc<dyn SlotEnd>>,
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

    /// All methods that start with `namespace` and a dot, whose parameters or results may be secret.
    #[must_use]
    pub fn secret_namespace(mut self, namespace: &'static str, methods: Arc<dyn SecretMethods>) -> Self {
        self.secret.insert(namespace, methods);
        self
    }

    /// Is asked before a way in is taken away.
    #[must_use]
    pub fn slot_end(mut self, slot_end: Arc<dyn SlotEnd>) -> Self {
        self.slot_end = Some(slot_end);
        self
    }

    pub(super) async fn ending(&self, slot: SlotId) -> Result<Vec<Record>, ChannelError> {
        match &self.slot_end {
            Some(slot_end) => slot_end.ending(slot).await,
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn find_secret(&self, method: &str) -> Option<Arc<dyn SecretMethods>> {
        let (namespace, _) = method.split_once('.')?;
        self.secret.get(namespace).map(Arc::clone)
    }

    pub(super) fn find(&self, method: &str) -> Option<Arc<dyn Methods>> {
        let namespace = method.split_once('.').map_or(method, |(namespace, _)| namespace);
        self.methods
            .get(method)
            .or_else(|| self.namespaces.get(namespace))
            .map(Arc::clone)
    }
}
