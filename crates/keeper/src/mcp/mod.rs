//! The keeper's tools for the agent, as an MCP server on the broker's address: `http://127.0.0.1:18790/mcp`.
//!
//! What is promised here: a tool does nothing that the same agent could not ask of the broker by other means; what changes
//! something is asked of the owner, and no tool answers for them. Nothing that a tool says holds a secret.

mod answer;
mod integrations;
mod schema;
mod server;
mod sharing;
mod status;

use std::sync::{Arc, RwLock};

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::activity::Activity;
use crate::approvals::Approvals;
use crate::broker::Routes;
use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::secrets::Secrets;
use crate::shares::Shares;
use crate::vault_service::VaultService;

/// Where the broker hands requests over.
pub const PATH: &str = "/mcp";

/// What people see as this installation's address. Cheap to clone.
#[derive(Clone, Default)]
pub struct PublicUrl(Arc<RwLock<String>>);

impl PublicUrl {
    /// The platform has said it.
    pub fn set(&self, url: &str) {
        let mut current = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        url.trim_end_matches('/').clone_into(&mut current);
    }

    fn get(&self) -> String {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// The tools of one keeper. Cheap to clone.
#[derive(Clone)]
pub struct Tools {
    pub vault: VaultService,
    pub routes: Routes,
    pub secrets: Secrets,
    pub approvals: Approvals,
    pub activity: Activity,
    pub contacts: Contacts,
    pub shares: Shares,
    pub clock: Arc<dyn Clock>,
    pub public_url: PublicUrl,
}

/// The tools as the broker serves them.
pub type ToolServer = StreamableHttpService<Tools, NeverSessionManager>;

impl Tools {
    /// Serves them, each request by itself: nothing is remembered between two.
    pub fn server(self) -> ToolServer {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            // A page in a browser of the agent's has no business here.
            .enforce_origin_validation();
        StreamableHttpService::new(move || Ok(self.clone()), Arc::default(), config)
    }
}
