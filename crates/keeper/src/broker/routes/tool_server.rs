//! A conversation with one server of tools: the Model Context Protocol over streamable HTTP, each message a request through the broker's own door.
//!
//! What is promised here: nothing goes to the server but through [`Routes::exchange`], so to its address alone, checked and with the secret
//! put in there, and no message leaves once the service or its key was changed or the vault locked. Of what it says, the answer to what was
//! asked is read and nothing else: a notice, or a question of its own, is let go as it came. All of it is without the secret before anything
//! reads it, and bounded, each message and the whole conversation. Nothing goes on by itself: a conversation ends at its time, or with whoever
//! holds it.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use rmcp::model::{CallToolResult, ErrorData, JsonObject, ListToolsResult, Tool};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, timeout_at};

use super::super::error::BrokerError;
use super::super::forward::Answer;
use super::error::RouteError;
use super::route::Route;
use super::store::Routes;
use super::through::Sent;
use crate::limits;
use crate::secrets::Secret;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// What is offered to a server, and the older ones that it may name instead.
const SPOKEN: &str = "2025-06-18";
const OLDER: [&str; 2] = ["2025-03-26", "2024-11-05"];

/// What a server answers: a result, or why there is none.
type Said = Result<Value, ErrorData>;

/// One message of a server's, none of whose parts is read yet.
#[derive(Deserialize)]
struct Heard<'a> {
    /// It asks or tells something itself.
    method: Option<IgnoredAny>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Greeted {
    protocol_version: String,
}

/// What a server may still say in this conversation.
struct Room {
    bytes: usize,
    nodes: usize,
}

/// One conversation.
pub(super) struct ToolServer {
    routes: Routes,
    route: Arc<Route>,
    secret: Arc<Secret>,
    /// When it ends, whatever is under way then.
    until: Instant,
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
    last_id: u64,
    room: Room,
}

impl ToolServer {
    /// A conversation with the server of this route that has not begun yet, and lasts so long at most.
    pub fn new(routes: &Routes, route: &Route, secret: &Secret, long: Duration) -> Self {
        Self {
            routes: routes.clone(),
            route: Arc::new(route.clone()),
            secret: Arc::new(secret.clone()),
            until: Instant::now() + long,
            session: None,
            version: None,
            last_id: 0,
            room: Room {
                bytes: limits::TOOL_SERVER_BYTES,
                nodes: limits::TOOL_SERVER_NODES,
            },
        }
    }

    /// Begins. Nothing is offered to the server: it cannot ask for a model, for files or for words of the owner's.
    pub async fn greet(&mut self) -> Result<(), BrokerError> {
        let own = json!({"name": "holdfast", "version": env!("CARGO_PKG_VERSION")});
        let hello = json!({"protocolVersion": SPOKEN, "capabilities": {}, "clientInfo": own});
        let greeted = self.ask("initialize", hello).await?.ok();
        let greeted: Option<Greeted> = greeted.and_then(|greeted| serde_json::from_value(greeted).ok());
        let version = greeted.ok_or(RouteError::NotTools("it did not answer the greeting"))?;
        let version = version.protocol_version.as_str();
        if version != SPOKEN && !OLDER.contains(&version) {
            return Err(RouteError::NotTools("it speaks another version of the protocol").into());
        }
        self.version = HeaderValue::from_str(version).ok();
        let greeted = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.request(Method::POST, greeted.to_string()).await.map(drop)
    }

    /// Which tools it has, page by page until there are as many as may be called; and whether there are more than so many.
    pub async fn tools(&mut self) -> Result<(Vec<Tool>, bool), BrokerError> {
        let mut all = Vec::new();
        let mut from: Option<String> = None;
        // A list without an end is not followed.
        loop {
            let page = from.map_or_else(|| json!({}), |from| json!({"cursor": from}));
            let page = self.ask("tools/list", page).await?.ok();
            let page: Option<ListToolsResult> = page.and_then(|page| serde_json::from_value(page).ok());
            let page = page.ok_or(RouteError::NotTools("it did not say which tools it has"))?;
            let is_empty = page.tools.is_empty();
            all.extend(page.tools);
            from = page.next_cursor;
            if all.len() >= limits::ROUTE_TOOLS || from.is_none() || is_empty {
                break;
            }
        }
        let more = all.len() > limits::ROUTE_TOOLS || from.is_some();
        Ok((all, more))
    }

    /// Calls one: a status, and what the server said.
    pub async fn call(&mut self, name: &str, arguments: Option<JsonObject>) -> Result<(u16, Value), BrokerError> {
        let mut call = json!({"name": name});
        if let Some(arguments) = arguments {
            call["arguments"] = Value::Object(arguments);
        }
        let broke = |_| RouteError::NotTools("its answer cannot be written down");
        match self.ask("tools/call", call).await? {
            Ok(result) => {
                let result: CallToolResult = serde_json::from_value(result).map_err(broke)?;
                Ok((200, serde_json::to_value(result).map_err(broke)?))
            }
            Err(error) => Ok((400, json!({"error": error}))),
        }
    }

    /// Ends the conversation, behind the back of whoever waits for what it was about. A server that cannot be told forgets it by itself.
    pub fn leave(mut self) {
        if self.session.is_none() {
            return;
        }
        self.until = Instant::now() + limits::TOOL_LEAVE;
        // It ends by itself, soon.
        tokio::spawn(async move {
            // Not every server lets a session be ended.
            let _kept = self.request(Method::DELETE, String::new()).await;
        });
    }

    /// Says something, and reads as far as its answer.
    async fn ask(&mut self, method: &str, params: Value) -> Result<Said, BrokerError> {
        self.last_id += 1;
        let id = self.last_id.to_string();
        let message = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        let answer = self.request(Method::POST, message.to_string()).await?;
        if let Some(session) = answer.headers().get(SESSION) {
            self.session = Some(session.clone());
        }
        timeout_at(self.until, hear(answer, &id, &mut self.room))
            .await
            .map_err(|_| late())?
    }

    /// One request, and the beginning of what is answered. The server had its time until here: what was changed or locked meanwhile is not
    /// spoken for any more.
    async fn request(&self, method: Method, body: String) -> Result<Answer, BrokerError> {
        self.routes.still(&self.route, &self.secret)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [(SESSION, &self.session), (VERSION, &self.version)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        let sent = Sent {
            method,
            below: "",
            query: "",
            headers,
            body: reqwest::Body::from(body),
        };
        let exchange = self.routes.exchange(&self.route, &self.secret, sent, false);
        let answer = timeout_at(self.until, exchange).await.map_err(|_| late())??;
        if !answer.status().is_success() {
            return Err(RouteError::NotTools("it refused the request").into());
        }
        Ok(answer)
    }
}

fn late() -> BrokerError {
    RouteError::NotTools("it took too long; if it was to change something, look first whether it did").into()
}

/// Reads until the answer to what was asked is there, and no further: what comes after it is not waited for.
async fn hear(answer: Answer, id: &str, room: &mut Room) -> Result<Said, BrokerError> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let streams = kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/event-stream"));
    let mut body = answer.into_body();
    let (mut events, mut whole) = (Events::default(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| RouteError::AnswerBroke)?;
        let Ok(part) = frame.into_data() else { continue };
        room.bytes = room.bytes.checked_sub(part.len()).ok_or(RouteError::ToolsTooMuch)?;
        if streams {
            for message in events.pass(&part)? {
                if let Some(said) = answer_in(&message, id, room)? {
                    return Ok(said);
                }
            }
        } else {
            whole.extend_from_slice(&part);
            if whole.len() > limits::FETCHED_BYTES {
                return Err(RouteError::AnswerTooLarge.into());
            }
        }
    }
    if streams {
        whole = events.end();
    }
    let said = match whole.trim_ascii() {
        b"" => None,
        whole => answer_in(whole, id, room)?,
    };
    Ok(said.ok_or(RouteError::NotTools("it did not answer what it was asked"))?)
}

/// What was answered, if this message is the answer.
fn answer_in(message: &[u8], id: &str, room: &mut Room) -> Result<Option<Said>, RouteError> {
    let unknown = || RouteError::NotTools("its answer is not of this protocol");
    let heard: Heard<'_> = serde_json::from_slice(message).map_err(|_| unknown())?;
    // Some write a number as text.
    let answers = heard.id.is_some_and(|own| own.get().trim_matches('"') == id);
    if heard.method.is_some() || !answers {
        return Ok(None);
    }
    let written = match (heard.result, heard.error) {
        (Some(written), None) | (None, Some(written)) => written.get(),
        _ => return Err(unknown()),
    };
    room.nodes = room.nodes.checked_sub(nodes(written)).ok_or(RouteError::ToolsTooMuch)?;
    Ok(Some(if heard.result.is_some() {
        Ok(serde_json::from_str(written).map_err(|_| unknown())?)
    } else {
        Err(serde_json::from_str(written).map_err(|_| unknown())?)
    }))
}

/// How many values stand in this JSON, at least: each of them costs more to hold than to write.
fn nodes(json: &str) -> usize {
    let (mut count, mut quoted, mut escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

/// A stream of events, as it comes: each with one message.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    event: Vec<u8>,
}

impl Events {
    /// The messages that are whole with this part.
    fn pass(&mut self, part: &[u8]) -> Result<Vec<Vec<u8>>, RouteError> {
        let mut whole = Vec::new();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.event.len() > limits::FETCHED_BYTES {
                return Err(RouteError::AnswerTooLarge);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                whole.extend(self.take(line.trim_ascii_end()));
            }
        }
        Ok(whole)
    }

    fn take(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if let Some(data) = line.strip_prefix(b"data:") {
            self.event.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.event.push(b'\n');
            return None;
        }
        // An event ends with an empty line. What is not its data is not looked at.
        let event = match line {
            b"" => std::mem::take(&mut self.event),
            _ => return None,
        };
        (!event.trim_ascii().is_empty()).then_some(event)
    }

    /// What stands there where a stream ends without an empty line.
    fn end(mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        let last = self.take(line.trim_ascii_end());
        last.or_else(|| self.take(b"")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(nodes: usize) -> Room {
        Room { bytes: 0, nodes }
    }

    #[test]
    fn promise_01_of_what_a_server_says_the_answer_alone_is_read() {
        let of = |message: &str| answer_in(message.as_bytes(), "2", &mut room(100)).unwrap();
        assert!(of(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"a note"}}"#).is_none());
        assert!(of(r#"{"jsonrpc":"2.0","id":2,"method":"sampling/createMessage","params":{}}"#).is_none());
        assert!(of(r#"{"jsonrpc":"2.0","id":1,"result":{"of":"what was asked before"}}"#).is_none());
        assert!(of(r#"{"jsonrpc":"2.0","id":[2],"result":{}}"#).is_none());
        assert_eq!(
            of(r#"{"jsonrpc":"2.0","id":2,"result":{"a":1}}"#),
            Some(Ok(json!({"a": 1})))
        );
        assert_eq!(of(r#"{"jsonrpc":"2.0","id":"2","result":{}}"#), Some(Ok(json!({}))));
        let refused = of(r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no"}}"#);
        assert_eq!(refused.unwrap().unwrap_err().message, "no");
        for none in [
            r#"{"id":2}"#,
            r#"{"id":2,"result":1,"error":{}}"#,
            "no JSON",
            r#"{"id":2,"result":"#,
        ] {
            assert!(answer_in(none.as_bytes(), "2", &mut room(100)).is_err(), "{none}");
        }
    }

    #[test]
    fn promise_12_what_costs_more_to_hold_than_to_write_is_counted_before_it_is_held() {
        for (json, count) in [
            ("1", 1),
            ("{}", 2),
            (r#"{"a":0}"#, 2),
            (r#"[{"a":0},{"a":0}]"#, 5),
            (r#""a,[{\",""#, 1),
            (r#"{"a\\":[1,2,"x,y"]}"#, 5),
        ] {
            assert_eq!(nodes(json), count, "{json}");
        }
        let message = r#"{"id":2,"result":[1,2,3]}"#;
        assert!(answer_in(message.as_bytes(), "2", &mut room(4)).unwrap().is_some());
        let refused = answer_in(message.as_bytes(), "2", &mut room(3));
        assert!(matches!(refused, Err(RouteError::ToolsTooMuch)));
    }

    #[test]
    fn a_stream_is_read_as_it_comes_wherever_it_is_cut() {
        let stream = b": hello\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nid: 7\n\ndata:[]\n\ndata: last";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut all = events.pass(&stream[..cut]).unwrap();
            all.extend(events.pass(&stream[cut..]).unwrap());
            all.push(events.end());
            assert_eq!(all, [&b"{\"a\":\n1}\n"[..], b"[]\n", b"last\n"], "{cut}");
        }
        let mut events = Events::default();
        let endless = vec![b'x'; limits::FETCHED_BYTES];
        assert!(events.pass(&endless).is_ok());
        assert!(matches!(events.pass(b"x"), Err(RouteError::AnswerTooLarge)));
    }
}
