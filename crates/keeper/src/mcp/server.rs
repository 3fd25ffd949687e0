use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::answer::{self, Answered, read};
use super::{Tools, schema};

impl Tools {
    async fn answered(&self, request: CallToolRequestParams) -> Option<Answered> {
        let CallToolRequestParams { name, arguments, .. } = request;
        Some(match name.as_ref() {
            "vault_status" => Ok(self.vault_status()),
            "unlock_link" => Ok(self.unlock_link()),
            "list_integrations" => self.list_integrations(),
            "call_integration" => match read(arguments) {
                Ok(call) => self.call_integration(call).await,
                Err(refused) => Err(refused),
            },
            "call_function" => match read(arguments) {
                Ok(call) => self.call_function(call).await,
                Err(refused) => Err(refused),
            },
            "issue_capability" => match read(arguments) {
                Ok(call) => self.issue_capability(call).await,
                Err(refused) => Err(refused),
            },
            "list_capabilities" => self.list_capabilities(),
            "revoke_capability" => match read(arguments) {
                Ok(call) => self.revoke_capability(call).await,
                Err(refused) => Err(refused),
            },
            "call_shared" => match read(arguments) {
                Ok(call) => self.call_shared(call).await,
                Err(refused) => Err(refused),
            },
            "request_share" => match read(arguments) {
                Ok(call) => self.request_share(call).await,
                Err(refused) => Err(refused),
            },
            _ => return None,
        })
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("holdfast", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Your owner's vault: the web services that you may call for them, without ever holding a key, and what other people share with them.",
            )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(schema::tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        schema::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        let answered = self.answered(request).await;
        let answered =
            answered.ok_or_else(|| ErrorData::invalid_params(format!("There is no tool {name:?} here."), None))?;
        Ok(answer::result(answered, &self.unlock).into())
    }
}
