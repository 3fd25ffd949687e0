//! A server of tools (MCP) as a service: what each tool may be called as is its owner's word, and a call of one is an operation like any other:
//! `GET /<tool>` where it reads, `POST` where it changes something, `DELETE` where it deletes, with the arguments as its body.
//!
//! What is promised here: a tool that its owner has not allowed is never called, nor as anything else than they said, nor after the server
//! has begun to describe it otherwise. What the server says of itself decides nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::HeaderMap;
use rmcp::model::{JsonObject, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Duration;

use super::super::error::BrokerError;
use super::super::redact::Redactor;
use super::error::RouteError;
use super::fetch::{Caller, Fetch, Fetched};
use super::route::Route;
use super::store::Routes;
use super::tool_server::ToolServer;
use crate::activity::{Deed, What};
use crate::approvals::{Action, ApprovalError};
use crate::limits;
use crate::rates::By;
use crate::secrets::Secret;
use crate::unseen::is_plain;

/// Asks for a tool's description instead of calling it.
pub const DESCRIBE: &str = "describe";

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
    /// SHA-256 of the description, in small hex.
    pub seen: String,
}

/// What an owner is shown of a server's tools.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub tools: Vec<Value>,
    /// Tools with names by which they cannot be called.
    pub unnamed: usize,
    /// It has more than are looked at.
    pub more: bool,
}

pub(super) fn check(tools: Option<&BTreeMap<String, ToolTerms>>) -> Result<(), RouteError> {
    let Some(tools) = tools else { return Ok(()) };
    let hex = |seen: &str| seen.len() == 64 && seen.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
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

/// The SHA-256 of what a tool's owner has looked at; none where there is something in it that they do not see and a model reads.
fn seen(tool: &Tool) -> Result<Option<String>, RouteError> {
    let described = described(tool);
    if !all_seen(&described) {
        return Ok(None);
    }
    let canonical = serde_json_canonicalizer::to_vec(&described);
    let canonical = canonical.map_err(|_| RouteError::NotTools("it describes a tool in no known way"))?;
    let digest = Sha256::digest(canonical);
    Ok(Some(digest.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Whether a person sees every letter in this.
fn all_seen(value: &Value) -> bool {
    let plain = |text: &str| text.chars().all(|letter| letter == '\r' || is_plain(letter));
    match value {
        Value::String(text) => plain(text),
        Value::Array(all) => all.iter().all(all_seen),
        Value::Object(all) => all.iter().all(|(name, value)| plain(name) && all_seen(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
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
    pub async fn tools_of(&self, name: &str) -> Result<Shown, RouteError> {
        let (route, secret) = self.open(name)?;
        let known = route
            .tools
            .as_ref()
            .ok_or(RouteError::NotTools("it is a plain service"))?;
        // The key goes to the server.
        let deed = Deed::new(What::RouteAsked, &route.name).with(secret.id, secret.name.as_str());
        self.activity.note_first(deed).await?;
        let listed = self.list_tools(&route, &secret, limits::TOOL_CALL).await;
        let (listed, more) = listed.map_err(|error| match error {
            BrokerError::Route(error) => error,
            BrokerError::Upstream(error) => error.into(),
            _ => RouteError::NotTools("it could not be asked"),
        })?;
        let clean = Clean::new(&route, &secret)?;
        let listed = &listed[..listed.len().min(limits::ROUTE_TOOLS)];
        let mut told = Vec::new();
        for tool in listed.iter().filter(|tool| is_name(&tool.name)) {
            let terms = known.get(tool.name.as_ref());
            let Some(seen) = seen(tool)? else {
                // What nobody sees is not shown for somebody to allow it.
                told.push(json!({
                    "name": tool.name, "title": null, "description": null, "input_schema": {}, "hint": null, "does": null,
                    "changed": terms.is_some(), "seen": null,
                }));
                continue;
            };
            told.push(clean.json(&json!({
                "name": tool.name, "title": tool.title, "description": tool.description, "input_schema": tool.input_schema,
                "hint": hint(tool), "does": terms.map(|terms| terms.does), "changed": terms.is_some_and(|terms| terms.seen != seen),
                "seen": seen,
            }))?);
        }
        let unnamed = listed.iter().filter(|tool| !is_name(&tool.name)).count();
        Ok(Shown {
            tools: told,
            unnamed,
            more,
        })
    }

    /// Whether this would call a tool of a server: it does not only ask what there is.
    ///
    /// # Errors
    /// As of [`Routes::get`].
    pub fn calls_tool(&self, service: &str, path: &str, query: &str) -> Result<bool, RouteError> {
        Ok(self.get(service)?.tools.is_some() && !describes(path, query))
    }

    /// Calls one tool, or says which there are.
    pub(super) async fn call_tool(&self, fetch: Fetch, by: Caller<'_>) -> Result<Fetched, BrokerError> {
        let (route, mut secret) = self.open(&fetch.service)?;
        let tools = route.tools.as_ref().ok_or(RouteError::NoTool)?;
        let by_agent = matches!(by, Caller::Agent);
        if by_agent {
            self.rates.check(By::AGENT, &route.name).map_err(RouteError::from)?;
        }
        let name = fetch.path.strip_prefix('/').unwrap_or_default();
        let describes = describes(&fetch.path, &fetch.query);
        if !describes && !fetch.query.is_empty() {
            return Err(RouteError::Path.into());
        }
        let long = match by {
            Caller::Agent => limits::TOOL_CALL,
            Caller::Holder(_) => limits::TOOL_CALL_SHARED,
        };
        if describes {
            if fetch.method != "GET" {
                return Err(RouteError::ToolMethod("GET").into());
            }
            let one = (!name.is_empty()).then_some(name);
            if by_agent {
                self.count(&route, false).await?;
            }
            return self.describe(&route, &secret, one, long).await;
        }
        let terms = tools.get(name).ok_or(RouteError::NoTool)?;
        if fetch.method != terms.does.method() {
            return Err(RouteError::ToolMethod(terms.does.method()).into());
        }
        let changes = terms.does != Does::Read;
        if changes && route.read_only {
            return Err(RouteError::ReadOnly.into());
        }
        let arguments: Option<JsonObject> = match fetch.body.trim_ascii() {
            b"" => None,
            written => Some(serde_json::from_slice(written).map_err(|_| RouteError::Arguments)?),
        };
        if by_agent && self.asks_owner(&route, &fetch.method)? {
            if fetch.body.len() > limits::APPROVAL_BYTES {
                return Err(RouteError::from(ApprovalError::TooLarge).into());
            }
            self.ask_owner(&asked(&route, terms, name, &fetch.body), &route).await?;
            secret = self.open(&route.name)?.1;
        } else if by_agent {
            self.count(&route, changes).await?;
        }
        self.note_use(&*self.upstream(&route.base_url)?, &secret)?;
        let clean = Clean::new(&route, &secret)?;
        let mut server = ToolServer::new(self, &route, &secret, long);
        let called = call_known(&mut server, name, terms, arguments, by).await;
        // What was done is told, however long the server takes to part.
        server.leave();
        let (status, said) = called?;
        clean.answer(status, &said)
    }

    async fn list_tools(
        &self,
        route: &Route,
        secret: &Secret,
        long: Duration,
    ) -> Result<(Vec<Tool>, bool), BrokerError> {
        let mut server = ToolServer::new(self, route, secret, long);
        let listed = match server.greet().await {
            Ok(()) => server.tools().await,
            Err(error) => Err(error),
        };
        server.leave();
        listed
    }

    /// One tool, or all that may be called, as their owner has looked at them. What is described otherwise now is told by its name alone.
    async fn describe(
        &self,
        route: &Route,
        secret: &Secret,
        name: Option<&str>,
        long: Duration,
    ) -> Result<Fetched, BrokerError> {
        let known = route.tools.as_ref().ok_or(RouteError::NoTool)?;
        if name.is_some_and(|name| !known.contains_key(name)) {
            return Err(RouteError::NoTool.into());
        }
        self.note_use(&*self.upstream(&route.base_url)?, secret)?;
        let (listed, _more) = self.list_tools(route, secret, long).await?;
        let (mut tools, mut changed) = (Vec::new(), Vec::new());
        for tool in &listed {
            let Some(terms) = known.get(tool.name.as_ref()) else {
                continue;
            };
            if name.is_some_and(|name| name != tool.name) {
                continue;
            }
            if seen(tool)?.as_ref() != Some(&terms.seen) {
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

/// The call, if the server still describes the tool as it did when its owner allowed it.
async fn call_known(
    server: &mut ToolServer,
    name: &str,
    terms: &ToolTerms,
    arguments: Option<JsonObject>,
    by: Caller<'_>,
) -> Result<(u16, Value), BrokerError> {
    server.greet().await?;
    let (listed, _more) = server.tools().await?;
    let mut same = listed.iter().filter(|tool| tool.name == name);
    let (Some(tool), None) = (same.next(), same.next()) else {
        return Err(RouteError::ToolChanged.into());
    };
    if seen(tool)?.as_ref() != Some(&terms.seen) {
        return Err(RouteError::ToolChanged.into());
    }
    // The server had its time until here. What was taken back meanwhile is not called; whether the service and its key are the same, and the
    // vault open, is looked at with each message.
    if let Caller::Holder(share) = by {
        share.stands().await.map_err(RouteError::Ended)?;
    }
    server.call(name, arguments).await
}

/// Whether this asks what there is, and calls nothing.
fn describes(path: &str, query: &str) -> bool {
    matches!(path, "" | "/") || query == DESCRIBE
}

/// The call as its owner is asked about it.
fn asked(route: &Route, terms: &ToolTerms, name: &str, body: &Bytes) -> Action {
    let words = String::from_utf8(body.to_vec()).ok();
    Action::CallService {
        service: route.name.clone(),
        base_url: route.base_url.clone(),
        secret: route.secret,
        method: terms.does.method().to_owned(),
        path: format!("/{name}"),
        query: String::new(),
        headers: Vec::new(),
        body_is_text: words.is_some(),
        body: words.unwrap_or_else(|| protocol::b64::encode(body)),
        tool: Some(terms.seen.clone()),
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
