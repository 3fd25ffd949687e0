//! The keeper's tools for the agent, as an MCP server on the broker's address: `http://127.0.0.1:18790/mcp`.
//!
//! What is promised here: a tool does nothing that the same agent could not ask of the broker by other means; what changes
//! something is asked of the owner, and no tool answers for them. Nothing that a tool says holds a secret.

mod answer;
mod functions;
mod integrations;
mod schema;
mod server;
mod sharing;
mod status;

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::activity::Activity;
use crate::approvals::Approvals;
use crate::broker::Routes;
use crate::chat::Functions;
use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::rates::Rates;
use crate::secrets::Secrets;
use crate::shares::Shares;
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultService;

/// Where the broker hands requests over.
pub const PATH: &str = "/mcp";

/// The tools of one keeper. Cheap to clone.
#[derive(Clone)]
pub struct Tools {
    pub vault: VaultService,
    pub routes: Routes,
    pub secrets: Secrets,
    pub approvals: Approvals,
    pub rates: Rates,
    pub activity: Activity,
    pub contacts: Contacts,
    pub shares: Shares,
    pub clock: Arc<dyn Clock>,
    pub unlock: UnlockLink,
    pub functions: Functions,
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
