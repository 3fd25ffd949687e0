//! From a name to the addresses that may be connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;

use super::{Refusal, refusal};

/// Why a name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("{host} is not known: {why}")]
    Unknown { host: String, why: String },
    #[error("{host}:{port} is {address}, {why}")]
    Refused {
        host: String,
        port: u16,
        address: IpAddr,
        why: Refusal,
    },
}

/// Where the addresses behind a name are asked for.
pub trait Lookup: Send + Sync + 'static {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The machine's own resolver.
struct System;

impl Lookup for System {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Addresses that are not public and that the operator has named in the configuration, as `host:port`.
#[derive(Clone)]
pub struct NamedAddresses {
    named: Arc<RwLock<Vec<String>>>,
    lookup: Arc<dyn Lookup>,
}

impl Default for NamedAddresses {
    fn default() -> Self {
        Self::with_lookup(Arc::new(System))
    }
}

impl NamedAddresses {
    /// These addresses.
    pub fn new(addresses: impl IntoIterator<Item = String>) -> Self {
        let named = Self::default();
        named.set(addresses);
        named
    }

    /// None yet, with names looked up here.
    pub fn with_lookup(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            named: Arc::default(),
            lookup,
        }
    }

    /// Replaces them.
    pub fn set(&self, addresses: impl IntoIterator<Item = String>) {
        *self.named.write().unwrap_or_else(PoisonError::into_inner) = addresses
            .into_iter()
            .map(|address| address.to_ascii_lowercase())
            .collect();
    }

    /// Whether the operator named this host and port, spelled like this.
    pub fn contains(&self, host: &str, port: u16) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        [format!("{bare}:{port}"), format!("[{bare}]:{port}")]
            .iter()
            .any(|spelled| named.contains(spelled))
    }
}

/// The addresses behind a name that may be connected to. A named address is not checked; of all others, only public
/// ones are returned.
///
/// # Errors
/// [`ResolveError`] when there is none.
pub async fn resolve(host: &str, port: u16, named: &NamedAddresses) -> Result<Vec<SocketAddr>, ResolveError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let unknown = |why: String| ResolveError::Unknown {
        host: host.to_owned(),
        why,
    };
    let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => (named.lookup.lookup(bare, port).await).map_err(|error| unknown(error.to_string()))?,
    };
    if named.contains(host, port) {
        return Ok(found);
    }
    let first = found.first().copied();
    let allowed: Vec<SocketAddr> = found.into_iter().filter(|at| refusal(at.ip()).is_none()).collect();
    match first {
        None => Err(unknown("it has no address".to_owned())),
        Some(first) if allowed.is_empty() => Err(ResolveError::Refused {
            host: host.to_owned(),
            port,
            address: first.ip(),
            why: refusal(first.ip()).unwrap_or(Refusal::Reserved),
        }),
        Some(_) => Ok(allowed),
    }
}
