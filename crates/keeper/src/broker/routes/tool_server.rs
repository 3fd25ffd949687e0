//! The way to one server of tools: the Model Context Protocol over streamable HTTP, each message a request through the broker's own door.
//!
//! What is promised here: nothing goes to the server but through [`Routes::exchange`], so to its address alone, checked and with the secret
//! put in there; and what it answers is bounded and without the secret before anything reads it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use rmcp::RoleClient;
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, JsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::service::{RunningService, RxJsonRpcMessage, ServiceExt as _, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::error::BrokerError;
use super::error::RouteError;
use super::route::Route;
use super::store::Routes;
use super::through::Sent;
use crate::limits;
use crate::secrets::Secret;
use crate::vault_service::unpoisoned;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Every server that speaks streamable HTTP begins with this, or names an older one.
const SPOKEN: ProtocolVersion = ProtocolVersion::V_2025_06_18;

/// What one conversation with a server remembers.
struct Told {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// Why the last message did not get through.
    failed: Option<BrokerError>,
}

/// One conversation.
#[derive(Clone)]
struct Door {
    routes: Routes,
    route: Arc<Route>,
    secret: Arc<Secret>,
    told: Arc<Mutex<Told>>,
    heard: UnboundedSender<ServerJsonRpcMessage>,
}

/// The same, as the library speaks through it.
struct Line {
    door: Door,
    hears: UnboundedReceiver<ServerJsonRpcMessage>,
}

/// A message did not get through; why is kept beside.
#[derive(Debug, thiserror::Error)]
#[error("the server could not be asked")]
struct NotSent;

/// A server that was greeted.
pub(super) struct ToolServer {
    pub client: RunningService<RoleClient, ClientConfig>,
    told: Arc<Mutex<Told>>,
}

impl ToolServer {
    /// Greets the server of this route.
    pub async fn greet(routes: &Routes, route: &Route, secret: &Secret) -> Result<Self, BrokerError> {
        let (heard, hears) = unbounded_channel();
        let told = Arc::new(Mutex::new(Told {
            session: None,
            version: None,
            failed: None,
        }));
        let door = Door {
            routes: routes.clone(),
            route: Arc::new(route.clone()),
            secret: Arc::new(secret.clone()),
            told: told.clone(),
            heard,
        };
        // Nothing is offered to the server: it cannot ask for a model, for files or for words of the owner's.
        let own = Implementation::new("holdfast", env!("CARGO_PKG_VERSION"));
        let config = ClientConfig::new(ClientCapabilities::default(), own).with_protocol_version(SPOKEN);
        match config.serve(Line { door, hears }).await {
            Ok(client) => Ok(Self { client, told }),
            Err(_) => Err(why(&told, "it did not answer the greeting")),
        }
    }

    /// Why the last call failed: what the door knows, or these words.
    pub fn why(&self, words: &'static str) -> BrokerError {
        why(&self.told, words)
    }

    /// Ends the conversation. A server that cannot be told forgets it by itself.
    pub async fn leave(self) {
        let _ended = self.client.cancel().await;
    }
}

fn why(told: &Mutex<Told>, words: &'static str) -> BrokerError {
    let failed = unpoisoned(told).failed.take();
    failed.unwrap_or_else(|| RouteError::NotTools(words).into())
}

impl Door {
    async fn request(&self, method: Method, body: Vec<u8>) -> Result<(HeaderMap, Bytes), BrokerError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        {
            let told = unpoisoned(&self.told);
            for (name, value) in [(SESSION, &told.session), (VERSION, &told.version)] {
                if let Some(value) = value {
                    headers.insert(name, value.clone());
                }
            }
        }
        let sent = Sent {
            method,
            below: "",
            query: "",
            headers,
            body: reqwest::Body::from(body),
        };
        let answer = self.routes.exchange(&self.route, &self.secret, sent, false).await?;
        if !answer.status().is_success() {
            return Err(RouteError::NotTools("it refused the request").into());
        }
        let (parts, body) = answer.into_parts();
        let whole = Limited::new(body, limits::FETCHED_BYTES).collect().await;
        let whole = whole.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
            true => RouteError::AnswerTooLarge,
            false => RouteError::AnswerBroke,
        })?;
        Ok((parts.headers, whole.to_bytes()))
    }

    async fn say(&self, message: TxJsonRpcMessage<RoleClient>) -> Result<(), BrokerError> {
        let body = serde_json::to_vec(&message).map_err(|_| RouteError::Arguments)?;
        let (headers, body) = self.request(Method::POST, body).await?;
        if let Some(session) = headers.get(SESSION) {
            unpoisoned(&self.told).session = Some(session.clone());
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let stream = kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/event-stream"));
        for message in messages(&body, stream).ok_or(RouteError::NotTools("its answer is not of this protocol"))? {
            if let JsonRpcMessage::Response(response) = &message
                && let ServerResult::InitializeResult(result) = &response.result
            {
                unpoisoned(&self.told).version = HeaderValue::from_str(result.protocol_version.as_str()).ok();
            }
            let _nobody_listens = self.heard.send(message);
        }
        Ok(())
    }
}

/// What a server has said: one message, or an event for each.
fn messages(body: &[u8], stream: bool) -> Option<Vec<ServerJsonRpcMessage>> {
    if body.trim_ascii().is_empty() {
        return Some(Vec::new());
    }
    if !stream {
        return Some(vec![serde_json::from_slice(body).ok()?]);
    }
    let text = std::str::from_utf8(body).ok()?;
    let mut all = Vec::new();
    let mut event = String::new();
    for line in text.lines().chain([""]) {
        if let Some(part) = line.strip_prefix("data:") {
            event.push_str(part.strip_prefix(' ').unwrap_or(part));
            event.push('\n');
        } else if line.is_empty() {
            // An event ends with an empty line.
            let whole = std::mem::take(&mut event);
            if !whole.trim().is_empty() {
                all.push(serde_json::from_str(&whole).ok()?);
            }
        }
    }
    Some(all)
}

impl Transport<RoleClient> for Line {
    type Error = NotSent;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let door = self.door.clone();
        async move {
            door.say(item).await.map_err(|error| {
                unpoisoned(&door.told).failed = Some(error);
                NotSent
            })
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        self.hears.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        if unpoisoned(&self.door.told).session.is_some() {
            // Not every server lets a session be ended.
            let _kept = self.door.request(Method::DELETE, Vec::new()).await;
        }
        Ok(())
    }
}
