use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::super::upstream::Upstream;
use super::error::RouteError;
use super::route::Route;
use crate::activity::Activity;
use crate::approvals::Approvals;
use crate::egress::NamedAddresses;
use crate::limits;
use crate::rates::Rates;
use crate::secrets::Secrets;
use crate::vault_service::{VaultService, unpoisoned};

const PREFIX: &str = "route/";

/// The routes of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Routes {
    pub(super) vault: VaultService,
    pub(in crate::broker) secrets: Secrets,
    pub(in crate::broker) activity: Activity,
    pub(super) named: NamedAddresses,
    pub(super) approvals: Approvals,
    pub(super) rates: Rates,
    pub(super) calls: Arc<Semaphore>,
    /// Room for bodies that are held until they were looked through, in bytes.
    pub(super) held: Arc<Semaphore>,
    /// Clients by base URL.
    upstreams: Arc<Mutex<HashMap<String, Arc<Upstream>>>>,
}

impl Routes {
    /// The routes of this vault; `named` are the addresses that the operator allows although they are not public.
    pub fn new(
        vault: VaultService,
        secrets: Secrets,
        activity: Activity,
        approvals: Approvals,
        rates: Rates,
        named: NamedAddresses,
    ) -> Self {
        Self {
            vault,
            secrets,
            activity,
            approvals,
            rates,
            named,
            calls: Arc::new(Semaphore::new(limits::ROUTE_CALLS)),
            held: Arc::new(Semaphore::new(limits::ROUTE_HELD_BYTES)),
            upstreams: Arc::default(),
        }
    }

    /// Calls that may still be begun.
    #[cfg(test)]
    pub(crate) fn calls_left(&self) -> usize {
        self.calls.available_permits()
    }

    /// Closes idle connections: the vault was locked.
    pub(in crate::broker) fn forget(&self) {
        unpoisoned(&self.upstreams).clear();
    }

    pub(super) fn upstream(&self, base_url: &str) -> Result<Arc<Upstream>, RouteError> {
        let mut known = unpoisoned(&self.upstreams);
        if let Some(upstream) = known.get(base_url)
            && upstream.is_current(&self.named)
        {
            return Ok(upstream.clone());
        }
        let upstream = Arc::new(Upstream::new(base_url, &self.named)?);
        if known.len() >= limits::ROUTES {
            known.clear();
        }
        known.insert(base_url.to_owned(), upstream.clone());
        Ok(upstream)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`RouteError::Unknown`]; [`RouteError::Secret`] when the vault is locked.
    pub fn get(&self, name: &str) -> Result<Route, RouteError> {
        let record = Route::record(name).map_err(|_| RouteError::Unknown)?;
        let bytes = self.vault.get_record(&record)?.ok_or(RouteError::Unknown)?;
        Route::decode(name, &bytes)
    }

    /// All of them, by name; without those that a newer version wrote.
    ///
    /// # Errors
    /// [`RouteError::Secret`] when the vault is locked.
    pub fn all(&self) -> Result<Vec<Route>, RouteError> {
        let names = self.vault.list_records(PREFIX)?;
        Ok(names
            .iter()
            .filter_map(|record| self.get(record.strip_prefix(PREFIX)?).ok())
            .collect())
    }

    pub(super) async fn put(&self, route: &Route) -> Result<(), RouteError> {
        route.check()?;
        // Refuses what can be told to be wrong without a call.
        self.upstream(&route.base_url)?;
        self.secrets.get(route.secret)?;
        let record = Route::record(&route.name)?;
        if self.vault.get_record(&record)?.is_none() && self.vault.list_records(PREFIX)?.len() >= limits::ROUTES {
            return Err(RouteError::TooMany);
        }
        self.vault.put_record(&record, &route.encode()).await?;
        self.secrets.told_changed();
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), RouteError> {
        self.get(name).map(drop).or_else(|error| match error {
            RouteError::Newer => Ok(()),
            other => Err(other),
        })?;
        self.vault.delete_record(&Route::record(name)?).await?;
        self.secrets.told_changed();
        Ok(())
    }
}
