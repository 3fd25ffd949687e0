//! A server of tools (MCP) as a service: what each tool may be called as is its owner's word, and a call of one is an operation like any other:
//! `GET /<tool>` where it reads, `POST` where it changes something, `DELETE` where it deletes, with the arguments as its body.
//!
//! What is promised here: a tool that its owner has not allowed is never called, nor as anything else than they said, nor after the server
//! has begun to describe it otherwise. What the server says of itself decides nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::HeaderMap;
use rmcp::ServiceError;
use rmcp::model::{CallToolRequestParams, JsonObject, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::error::BrokerError;
use super::super::redact::Redactor;
use super::error::RouteError;
use super::fetch::{Fetch, Fetched};
use super::route::Route;
use super::store::Routes;
use super::tool_server::ToolServer;
use crate::approvals::{Action, ApprovalError};
use crate::limits;
use crate::secrets::Secret;

/// Asks for a tool's description instead of calling it.
const DESCRIBE: &str = "describe";

/// What a tool does, as its owner says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    Read,
    Write,
    Delete,
}

impl Does {
    /// The method that stands for it, by which a capability is checked.
    pub fn method(self) -> &'static str {
        match self {
            Self::Read => "GET",
            Self::Write => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// What its owner lets a tool be called as, and how the server described it then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolTerms {
    pub does: Does,
    /// SHA-256 of the description, in hex.
    pub seen: String,
}

pub(super) fn check(tools: Option<&BTreeMap<String, ToolTerms>>) -> Result<(), RouteError> {
    let Some(tools) = tools else { return Ok(()) };
    let hex = |seen: &str| seen.len() == 64 && seen.bytes().all(|byte| byte.is_ascii_hexdigit());
    let good = tools.iter().all(|(name, terms)| is_name(name) && hex(&terms.seen));
    if good && tools.len() <= limits::ROUTE_TOOLS {
        Ok(())
    } else {
        Err(RouteError::Tools)
    }
}

/// A name that is one step of a path, and cannot be read as another.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=128).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(fits)
}

/// What a model is told of a tool, and what its owner has looked at.
fn described(tool: &Tool) -> Value {
    json!({
        "name": tool.name, "title": tool.title, "description": tool.description, "input_schema": tool.input_schema,
        "annotations": tool.annotations,
    })
}

fn seen(tool: &Tool) -> Result<String, RouteError> {
    let canonical = serde_json_canonicalizer::to_vec(&described(tool));
    let canonical = canonical.map_err(|_| RouteError::NotTools("it describes a tool in no known way"))?;
    Ok(Sha256::digest(canonical)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// What the server hints that a tool does: a suggestion for its owner to look at.
fn hint(tool: &Tool) -> Option<Does> {
    let hints = tool.annotations.as_ref()?;
    match (hints.read_only_hint, hints.destructive_hint) {
        (Some(true), _) => Some(Does::Read),
        (Some(false), Some(false)) => Some(Does::Write),
        (_, Some(true)) => Some(Does::Delete),
        _ => None,
    }
}

impl Routes {
    /// What the server has now, for its owner to say what each may be called as.
    ///
    /// # Errors
    /// [`RouteError`]: the server cannot be asked, or is none of tools.
    pub async fn tools_of(&self, name: &str) -> Result<Vec<Value>, RouteError> {
        let (route, secret) = self.open(name)?;
        let known = route
            .tools
            .as_ref()
            .ok_or(RouteError::NotTools("it is a plain service"))?;
        let listed = within(async {
            let server = ToolServer::greet(self, &route, &secret).await?;
            let listed = list(&server).await;
            server.leave().await;
            listed
        });
        let listed = listed.await.map_err(|error| match error {
            BrokerError::Route(error) => error,
            BrokerError::Upstream(error) => error.into(),
            _ => RouteError::NotTools("it could not be asked"),
        })?;
        let clean = Clean::new(&route, &secret)?;
        let mut told = Vec::new();
        for tool in listed
            .iter()
            .take(limits::ROUTE_TOOLS)
            .filter(|tool| is_name(&tool.name))
        {
            let seen = seen(tool)?;
            let terms = known.get(tool.name.as_ref());
            told.push(clean.json(&json!({
                "name": tool.name, "title": tool.title, "description": tool.description, "input_schema": tool.input_schema,
                "hint": hint(tool), "does": terms.map(|terms| terms.does), "changed": terms.is_some_and(|terms| terms.seen != seen),
                "seen": seen,
            }))?);
        }
        Ok(told)
    }

    /// Calls one tool, or says which there are.
    pub(super) async fn call_tool(&self, fetch: Fetch, asks: bool) -> Result<Fetched, BrokerError> {
        let (route, secret) = self.open(&fetch.service)?;
        let tools = route.tools.as_ref().ok_or(RouteError::NoTool)?;
        let name = fetch.path.strip_prefix('/').unwrap_or_default();
        let describes = name.is_empty() || fetch.query == DESCRIBE;
        if !describes && !fetch.query.is_empty() {
            return Err(RouteError::Path.into());
        }
        if describes {
            if fetch.method != "GET" {
                return Err(RouteError::ToolMethod("GET").into());
            }
            return self.describe(&route, &secret, (!name.is_empty()).then_some(name)).await;
        }
        let terms = tools.get(name).ok_or(RouteError::NoTool)?;
        if fetch.method != terms.does.method() {
            return Err(RouteError::ToolMethod(terms.does.method()).into());
        }
        let changes = terms.does != Does::Read;
        if changes && route.read_only {
            return Err(RouteError::ReadOnly.into());
        }
        let mut call = CallToolRequestParams::new(name.to_owned());
        if !fetch.body.trim_ascii().is_empty() {
            let arguments: JsonObject = serde_json::from_slice(&fetch.body).map_err(|_| RouteError::Arguments)?;
            call = call.with_arguments(arguments);
        }
        if changes && route.ask && asks {
            if fetch.body.len() > limits::APPROVAL_BYTES {
                return Err(RouteError::from(ApprovalError::TooLarge).into());
            }
            self.ask_owner(&asked(&route, terms.does, name, &fetch.body), &route)
                .await?;
        }
        self.note_use(&*self.upstream(&route.base_url)?, &secret)?;
        let clean = Clean::new(&route, &secret)?;
        within(async {
            let server = ToolServer::greet(self, &route, &secret).await?;
            let called = call_known(&server, call, terms).await;
            server.leave().await;
            let (status, said) = called?;
            clean.answer(status, &said)
        })
        .await
    }

    /// One tool, or all that may be called, as their owner has looked at them. What is described otherwise now is told by its name alone.
    async fn describe(&self, route: &Route, secret: &Secret, name: Option<&str>) -> Result<Fetched, BrokerError> {
        let known = route.tools.as_ref().ok_or(RouteError::NoTool)?;
        if name.is_some_and(|name| !known.contains_key(name)) {
            return Err(RouteError::NoTool.into());
        }
        self.note_use(&*self.upstream(&route.base_url)?, secret)?;
        let listed = within(async {
            let server = ToolServer::greet(self, route, secret).await?;
            let listed = list(&server).await;
            server.leave().await;
            listed
        })
        .await?;
        let (mut tools, mut changed) = (Vec::new(), Vec::new());
        for tool in &listed {
            let Some(terms) = known.get(tool.name.as_ref()) else {
                continue;
            };
            if name.is_some_and(|name| name != tool.name) {
                continue;
            }
            if seen(tool)? != terms.seen {
                changed.push(&tool.name);
                continue;
            }
            tools.push(json!({
                "method": terms.does.method(), "path": format!("/{}", tool.name), "title": tool.title,
                "description": tool.description, "input_schema": tool.input_schema,
            }));
        }
        let told = json!({
            "tools": tools, "changed": changed,
            "note": "Call one with its method and path, and its arguments as a JSON object in the body. Those under changed are refused until the owner of the service has looked at them again.",
        });
        Clean::new(route, secret)?.answer(200, &told)
    }
}

async fn within<T>(work: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
    let late = |_| BrokerError::from(RouteError::NotTools("it took too long"));
    tokio::time::timeout(limits::TOOL_CALL, work).await.map_err(late)?
}

async fn list(server: &ToolServer) -> Result<Vec<Tool>, BrokerError> {
    let mut all = Vec::new();
    let mut from = None;
    // A list without an end is not followed.
    while all.len() < limits::ROUTE_TOOLS {
        let page = rmcp::model::PaginatedRequestParams::default().with_cursor(from);
        let page = server.client.list_tools(Some(page)).await;
        let page = page.map_err(|_| server.why("it did not say which tools it has"))?;
        let is_empty = page.tools.is_empty();
        all.extend(page.tools);
        from = page.next_cursor;
        if from.is_none() || is_empty {
            break;
        }
    }
    Ok(all)
}

/// The call, if the server still describes the tool as it did when its owner allowed it.
async fn call_known(
    server: &ToolServer,
    call: CallToolRequestParams,
    terms: &ToolTerms,
) -> Result<(u16, Value), BrokerError> {
    let listed = list(server).await?;
    let mut same = listed.iter().filter(|tool| tool.name == call.name);
    let (Some(tool), None) = (same.next(), same.next()) else {
        return Err(RouteError::ToolChanged.into());
    };
    if seen(tool)? != terms.seen {
        return Err(RouteError::ToolChanged.into());
    }
    let broke = RouteError::NotTools("its answer cannot be written down");
    match server.client.peer().call_tool(call).await {
        Ok(result) => Ok((200, serde_json::to_value(result).map_err(|_| broke)?)),
        Err(ServiceError::McpError(error)) => Ok((400, json!({"error": error}))),
        Err(_) => Err(server.why("it did not answer the call")),
    }
}

/// The call as its owner is asked about it.
fn asked(route: &Route, does: Does, name: &str, body: &Bytes) -> Action {
    let words = String::from_utf8(body.to_vec()).ok();
    Action::CallService {
        service: route.name.clone(),
        base_url: route.base_url.clone(),
        secret: route.secret,
        method: does.method().to_owned(),
        path: format!("/{name}"),
        query: String::new(),
        headers: Vec::new(),
        body_is_text: words.is_some(),
        body: words.unwrap_or_else(|| protocol::b64::encode(body)),
    }
}

/// Takes the secret out of what was read: written anew, what was hidden in the server's own way of writing would stand there.
struct Clean {
    told: Vec<zeroize::Zeroizing<String>>,
}

impl Clean {
    fn new(route: &Route, secret: &Secret) -> Result<Self, RouteError> {
        let mut url = route.base_url.parse().map_err(|_| RouteError::BaseUrl)?;
        let told = route.inject.put(secret, &mut url, &mut HeaderMap::new())?;
        Ok(Self { told })
    }

    fn bytes(&self, value: &Value) -> Vec<u8> {
        let texts: Vec<&str> = self.told.iter().map(|text| text.as_str()).collect();
        let mut redactor = Redactor::new(&texts);
        let mut clean = redactor.pass(Bytes::from(value.to_string())).to_vec();
        clean.extend_from_slice(&redactor.end());
        clean
    }

    fn json(&self, value: &Value) -> Result<Value, RouteError> {
        serde_json::from_slice(&self.bytes(value)).map_err(|_| RouteError::NotTools("its answer cannot be shown"))
    }

    fn answer(&self, status: u16, value: &Value) -> Result<Fetched, BrokerError> {
        let body = self.bytes(value);
        if body.len() > limits::FETCHED_BYTES {
            return Err(RouteError::AnswerTooLarge.into());
        }
        Ok(Fetched {
            status,
            content_type: "application/json".to_owned(),
            body: body.into(),
            cut: false,
        })
    }
}
