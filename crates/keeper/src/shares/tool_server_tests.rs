//! Servers of tools that speak as no honest one does, or take their time: what the keeper makes of them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::BoxFuture;
use http_body_util::StreamBody;
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep, timeout};
use uuid::Uuid;
use vault::{Resource, Scope};

use super::NewResource;
use super::group_tests::Group;
use crate::broker::tests::provider::{Body, Provider, whole};
use crate::broker::{Fetch, Fetched, NotFetched, Routes};
use crate::limits;
use crate::vault_service::LockReason;

/// Longer than anything here needs that is not made to wait.
const SOON: Duration = Duration::from_secs(10);

type Says = BoxFuture<'static, Response<Body>>;
/// What is said to a method instead of what an honest server says.
type Own = Box<dyn Fn(&str, &Value) -> Option<Says> + Send>;

fn now(response: Response<Body>) -> Option<Says> {
    Some(Box::pin(async move { response }))
}

fn answer(request: &Value, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string()
}

fn done(request: &Value) -> String {
    answer(request, &json!({"content": [{"type": "text", "text": "done"}]}))
}

fn tool(name: &str, description: &str) -> Value {
    json!({"name": name, "description": description, "inputSchema": {"type": "object"}})
}

fn honest_tools() -> [Value; 2] {
    [
        tool("search", "Searches the notes."),
        tool("add_note", "Writes a note."),
    ]
}

fn listed(request: &Value, tools: &Value) -> Option<Says> {
    now(whole(200, answer(request, &json!({"tools": tools}))))
}

fn greeting(request: &Value) -> String {
    let result = json!({
        "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "it", "version": "1"},
    });
    answer(request, &result)
}

/// A greeting that begins a session.
fn with_session(request: &Value) -> Option<Says> {
    let mut response = whole(200, greeting(request));
    response
        .headers_mut()
        .insert("mcp-session-id", HeaderValue::from_static("session-1"));
    now(response)
}

fn events(messages: &[String]) -> String {
    messages
        .iter()
        .map(|message| format!("event: message\ndata: {message}\n\n"))
        .collect()
}

fn as_stream(mut response: Response<Body>) -> Response<Body> {
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A stream that goes on as long as whoever says something in it is there.
fn going_on() -> (UnboundedSender<Bytes>, Response<Body>) {
    let (says, said) = unbounded::<Bytes>();
    let body = StreamBody::new(said.map(|part| Ok::<_, Infallible>(Frame::data(part))));
    let body = http_body_util::BodyExt::boxed(body);
    (says, as_stream(Response::new(body)))
}

/// Anna, who has connected such a server and said that `search` reads and `add_note` changes something.
struct Scripted {
    group: Group,
    server: Provider,
    own: Arc<Mutex<Option<Own>>>,
    /// Requests before the script began.
    before: usize,
}

impl Scripted {
    async fn new() -> Self {
        let own: Arc<Mutex<Option<Own>>> = Arc::default();
        let script = own.clone();
        let server = Provider::start(move |asked| {
            let request: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            let method = match asked.line.starts_with("DELETE") {
                true => "DELETE".to_owned(),
                false => request["method"].as_str().unwrap_or("an answer").to_owned(),
            };
            let own = script
                .lock()
                .unwrap()
                .as_ref()
                .and_then(|own| own(method.as_str(), &request));
            if let Some(own) = own {
                return own;
            }
            let response = match method.as_str() {
                "initialize" => whole(200, greeting(&request)),
                "tools/list" => whole(200, answer(&request, &json!({"tools": honest_tools()}))),
                "tools/call" => whole(200, done(&request)),
                "DELETE" => whole(200, ""),
                _ => whole(202, ""),
            };
            Box::pin(async move { response })
        })
        .await;
        let group = Group::new().await;
        group.anna.connects_tools("desk", server.at, json!({})).await;
        let mut scripted = Self {
            group,
            server,
            own,
            before: 0,
        };
        let mut terms = json!({});
        for each in scripted.routes().tools_of("desk").await.unwrap().tools {
            let name = each["name"].as_str().unwrap();
            let does = if name == "search" { "read" } else { "write" };
            terms[name] = json!({"does": does, "seen": each["seen"]});
        }
        scripted
            .group
            .anna
            .connects_tools("desk", scripted.server.at, terms)
            .await;
        scripted.before = scripted.server.asked().len();
        scripted
    }

    fn routes(&self) -> &Routes {
        &self.group.anna.shares.routes
    }

    fn says(&self, own: impl Fn(&str, &Value) -> Option<Says> + Send + 'static) {
        *self.own.lock().unwrap() = Some(Box::new(own));
    }

    /// The methods that it was asked with since.
    fn asked(&self) -> Vec<String> {
        let asked = self.server.asked();
        asked[self.before..]
            .iter()
            .map(|asked| {
                if asked.line.starts_with("DELETE") {
                    return "DELETE".to_owned();
                }
                let request: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                request["method"].as_str().unwrap_or("an answer").to_owned()
            })
            .collect()
    }

    async fn is_asked(&self, method: &str) {
        while !self.asked().iter().any(|asked| asked == method) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// As Anna's agent calls.
    async fn fetch(&self, method: &str, path: &str) -> Result<Fetched, NotFetched> {
        let call = Fetch {
            service: "desk".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            content_type: String::new(),
            body: Bytes::new(),
        };
        self.routes().fetch_for_agent(call).await
    }

    async fn searches(&self) -> Result<String, String> {
        let fetched = self.fetch("GET", "/search").await.map_err(|error| error.code)?;
        Ok(String::from_utf8(fetched.body.to_vec()).unwrap())
    }

    /// Something that Bob has of it, and has accepted.
    async fn shared_with_bob(&self) -> Uuid {
        let new = NewResource {
            group: self.group.id,
            group_name: "Support".to_owned(),
            name: "Desk".to_owned(),
            about: "Our notes.".to_owned(),
            resource: Resource::parse("service/desk").unwrap(),
            skill: String::new(),
        };
        let (anna, bob) = (&self.group.anna, &self.group.bob);
        let resource = anna.shares.offer(new).await.unwrap();
        let scope = [Scope::Read, Scope::List, Scope::Write];
        let id = self.group.grant(&resource, bob.user, &scope).await.unwrap();
        let id = id.capability.jti;
        bob.gets(id).await;
        bob.shares.accept(id, 0).await.unwrap();
        id
    }

    /// What a call comes to when this happens after the server was asked for its tools, and before it says them.
    async fn meanwhile<T>(&self, call: impl Future<Output = T>, happens: impl Future<Output = ()>) -> T {
        let may = Arc::new(Semaphore::new(0));
        let says = may.clone();
        self.says(move |method, request| {
            let (may, request) = (says.clone(), request.clone());
            (method == "tools/list").then(|| -> Says {
                Box::pin(async move {
                    may.acquire().await.unwrap().forget();
                    whole(200, answer(&request, &json!({"tools": honest_tools()})))
                })
            })
        });
        let (came, ()) = tokio::join!(call, async {
            self.is_asked("tools/list").await;
            happens.await;
            may.add_permits(1);
        });
        came
    }
}

fn refused(code: &str) -> Result<String, String> {
    Err(code.to_owned())
}

#[tokio::test]
async fn promise_01_what_a_server_asks_or_tells_by_itself_is_neither_answered_nor_told() {
    let scripted = Scripted::new().await;
    scripted.says(|method, request| {
        let said = events(&[
            json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string(),
            json!({"jsonrpc": "2.0", "id": request["id"], "method": "sampling/createMessage", "params": {}}).to_string(),
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "a private note"}}).to_string(),
            json!({"jsonrpc": "2.0", "id": 999, "result": {"content": [{"type": "text", "text": "of something else"}]}})
                .to_string(),
            done(request),
        ]);
        (method == "tools/call").then(|| now(as_stream(whole(200, said))))?
    });
    let said = scripted.searches().await.unwrap();
    assert!(
        said.contains("done") && !said.contains("note") && !said.contains("else"),
        "{said}"
    );
    assert_eq!(
        scripted.asked(),
        ["initialize", "notifications/initialized", "tools/list", "tools/call"]
    );
}

#[tokio::test]
async fn what_was_done_is_told_though_its_stream_goes_on_and_its_server_does_not_part() {
    let scripted = Scripted::new().await;
    let kept: Arc<Mutex<Vec<UnboundedSender<Bytes>>>> = Arc::default();
    scripted.says(move |method, request| match method {
        "initialize" => with_session(request),
        "tools/call" => {
            let (says, stream) = going_on();
            says.unbounded_send(Bytes::from(events(&[done(request)]))).unwrap();
            kept.lock().unwrap().push(says);
            now(stream)
        }
        "DELETE" => Some(Box::pin(std::future::pending())),
        _ => None,
    });
    let said = timeout(SOON, scripted.searches()).await.expect("it is told at once");
    assert!(said.unwrap().contains("done"));
    // And the session is ended, by its name.
    timeout(SOON, scripted.is_asked("DELETE"))
        .await
        .expect("it is told that it is over");
    let asked = scripted.server.asked();
    let last = asked.last().unwrap();
    assert_eq!(last.headers["mcp-session-id"], "session-1");
    assert_eq!(last.headers["mcp-protocol-version"], "2025-06-18");
}

#[tokio::test]
async fn a_session_is_ended_though_its_greeting_was_no_good() {
    let scripted = Scripted::new().await;
    scripted.says(|method, request| match method {
        "initialize" => with_session(request),
        "notifications/initialized" => now(whole(500, "")),
        _ => None,
    });
    assert_eq!(scripted.searches().await, refused("not_tools"));
    timeout(SOON, scripted.is_asked("DELETE"))
        .await
        .expect("it is told that it is over");
}

#[tokio::test]
async fn promise_12_a_conversation_ends_at_its_time_however_it_is_drawn_out() {
    let scripted = Scripted::new().await;
    scripted.says(|method, request| match method {
        "initialize" => with_session(request),
        "tools/call" => {
            // From here on nothing is waited for but the time.
            tokio::time::pause();
            let (says, stream) = going_on();
            tokio::spawn(async move {
                while says.unbounded_send(Bytes::from_static(b":\n")).is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
            now(stream)
        }
        "DELETE" => Some(Box::pin(std::future::pending())),
        _ => None,
    });
    let began = Instant::now();
    let said = timeout(limits::TOOL_CALL * 10, scripted.searches()).await;
    assert_eq!(said.expect("it ends"), refused("not_tools"));
    assert!(began.elapsed() < limits::TOOL_CALL + SOON, "{:?}", began.elapsed());
    // Nothing is left of it: neither the call nor what ends the session.
    sleep(limits::TOOL_LEAVE * 2).await;
    assert_eq!(scripted.routes().calls_left(), limits::ROUTE_CALLS);
}

#[tokio::test]
async fn promise_12_a_server_that_says_more_than_is_read_is_refused() {
    let scripted = Scripted::new().await;
    let why = async |named: &str| {
        let error = scripted.fetch("GET", "/search").await.unwrap_err();
        assert_eq!(error.code, "answer_too_large", "{error}");
        assert!(error.message.contains(named), "{named}: {error}");
    };
    // One message.
    scripted.says(|method, request| {
        let long = "x".repeat(limits::FETCHED_BYTES);
        let said = answer(request, &json!({"content": [{"type": "text", "text": long}]}));
        (method == "tools/call").then(|| now(whole(200, said)))?
    });
    why("FETCHED_BYTES").await;
    // One that is only read, and not told.
    scripted.says(|method, request| {
        let [search, add_note] = honest_tools();
        let long = tool("long", &"x".repeat(limits::FETCHED_BYTES));
        (method == "tools/list").then(|| listed(request, &json!([search, add_note, long])))?
    });
    why("FETCHED_BYTES").await;
    // Many that nobody has asked for, before the answer.
    scripted.says(|method, request| {
        let notice = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": "x".repeat(100_000)});
        let mut said = vec![notice.to_string(); limits::TOOL_SERVER_BYTES / 100_000 + 1];
        said.push(done(request));
        (method == "tools/call").then(|| now(as_stream(whole(200, events(&said)))))?
    });
    why("TOOL_SERVER_BYTES").await;
    // Small things that cost much.
    scripted.says(|method, request| {
        let small = vec![json!({"a": 0}); limits::TOOL_SERVER_NODES];
        let said = answer(request, &json!({"content": [], "structuredContent": small}));
        assert!(said.len() < limits::FETCHED_BYTES);
        (method == "tools/call").then(|| now(whole(200, said)))?
    });
    why("TOOL_SERVER_NODES").await;
    // A list without an end, of which each page is small enough.
    scripted.says(|method, request| {
        let page = json!({"tools": [tool("more", &"x".repeat(60_000))], "nextCursor": "again"});
        (method == "tools/list").then(|| now(whole(200, answer(request, &page))))?
    });
    why("TOOL_SERVER_BYTES").await;
    let pages = scripted.asked().iter().filter(|asked| *asked == "tools/list").count();
    assert!(pages < 3 + 2 * limits::TOOL_SERVER_BYTES / 60_000, "{pages}");
}

#[tokio::test]
async fn all_pages_of_a_list_are_looked_at_and_a_tool_that_is_there_twice_is_refused() {
    let scripted = Scripted::new().await;
    scripted.says(|method, request| {
        let [search, add_note] = honest_tools();
        let page = match request["params"]["cursor"].as_str() {
            None => json!({"tools": [add_note], "nextCursor": "two"}),
            Some("two") => json!({"tools": [search]}),
            Some(other) => panic!("{other}"),
        };
        (method == "tools/list").then(|| now(whole(200, answer(request, &page))))?
    });
    assert!(scripted.searches().await.unwrap().contains("done"));
    scripted.says(|method, request| {
        let [search, add_note] = honest_tools();
        (method == "tools/list").then(|| listed(request, &json!([search, add_note, search])))?
    });
    assert_eq!(scripted.searches().await, refused("tool_changed"));
}

#[tokio::test]
async fn an_owner_is_told_of_tools_that_are_not_shown() {
    let scripted = Scripted::new().await;
    let shown = scripted.routes().tools_of("desk").await.unwrap();
    assert_eq!((shown.tools.len(), shown.unnamed, shown.more), (2, 0, false));
    let lists = |tools: Vec<Value>, next: Option<&'static str>| {
        let own = move |method: &str, request: &Value| {
            let page = json!({"tools": tools, "nextCursor": next});
            (method == "tools/list").then(|| now(whole(200, answer(request, &page))))?
        };
        scripted.says(own);
    };
    let many = |count: usize| -> Vec<Value> { (0..count).map(|each| tool(&format!("tool-{each}"), "")).collect() };
    // Names that are no step of a path.
    lists([many(2), vec![tool("a/b", ""), tool("a b", "")]].concat(), None);
    let shown = scripted.routes().tools_of("desk").await.unwrap();
    assert_eq!((shown.tools.len(), shown.unnamed, shown.more), (2, 2, false));
    // More than may be called: on one page, and on one that is not asked for any more.
    for (count, next, more) in [
        (limits::ROUTE_TOOLS, None, false),
        (limits::ROUTE_TOOLS + 1, None, true),
        (limits::ROUTE_TOOLS, Some("more"), true),
    ] {
        lists(many(count), next);
        let shown = scripted.routes().tools_of("desk").await.unwrap();
        assert_eq!(
            (shown.tools.len(), shown.more),
            (limits::ROUTE_TOOLS, more),
            "{count} {next:?}"
        );
    }
}

#[tokio::test]
async fn promise_07_a_tool_with_letters_that_nobody_sees_is_neither_shown_nor_called() {
    for unseen in ["\u{e0041}", "\u{202e}", "\u{200b}", "\u{1b}"] {
        let scripted = Scripted::new().await;
        let said = format!("Searches the notes.{unseen}");
        scripted.says(move |method, request| {
            let by_schema = json!({"name": "add_note", "description": "Writes a note.", "inputSchema": {"type": "object", "title": said}});
            (method == "tools/list").then(|| listed(request, &json!([tool("search", &said), by_schema])))?
        });
        let shown = scripted.routes().tools_of("desk").await.unwrap().tools;
        assert_eq!(shown.len(), 2);
        for tool in &shown {
            let told = [&tool["seen"], &tool["description"], &tool["does"]];
            assert_eq!(told, [&Value::Null; 3], "{tool}");
            assert_eq!(tool["changed"], true, "{tool}");
            assert!(!tool.to_string().contains("Searches"), "{tool}");
        }
        assert_eq!(scripted.searches().await, refused("tool_changed"));
        let described = scripted.fetch("GET", "/").await.unwrap();
        let described: Value = serde_json::from_slice(&described.body).unwrap();
        assert_eq!(
            (&described["tools"], &described["changed"]),
            (&json!([]), &json!(["search", "add_note"]))
        );
        assert!(!scripted.asked().iter().any(|asked| asked == "tools/call"));
    }
}

#[tokio::test]
async fn promise_09_what_is_taken_back_while_its_server_is_asked_is_not_called() {
    let scripted = Scripted::new().await;
    let id = scripted.shared_with_bob().await;
    let call = scripted.group.bob.refused(id, "POST", "/add_note");
    let taken_back = async { scripted.group.anna.shares.revoke(id).await.unwrap() };
    assert_eq!(scripted.meanwhile(call, taken_back).await, "revoked");
    assert!(!scripted.asked().iter().any(|asked| asked == "tools/call"));
}

#[tokio::test]
async fn promise_09_whoever_is_put_out_of_a_group_while_its_server_is_asked_does_not_call_it() {
    let scripted = Scripted::new().await;
    let id = scripted.shared_with_bob().await;
    let call = scripted.group.bob.refused(id, "POST", "/add_note");
    let put_out = async { scripted.group.puts_bob_out() };
    assert_eq!(scripted.meanwhile(call, put_out).await, "not_in_group");
    assert!(!scripted.asked().iter().any(|asked| asked == "tools/call"));
}

#[tokio::test]
async fn promise_04_what_its_owner_changes_or_locks_while_its_server_is_asked_is_not_called() {
    let scripted = Scripted::new().await;
    let anna = &scripted.group.anna;
    // The tool is not allowed any more.
    let changed = anna.connects_tools("desk", scripted.server.at, json!({}));
    let said = scripted.meanwhile(scripted.searches(), changed).await;
    assert_eq!(said, refused("route_changed"));

    let scripted = Scripted::new().await;
    let vault = &scripted.group.anna.person.vault;
    let locked = async {
        vault.lock(LockReason::Asked).await.unwrap();
    };
    let said = scripted.meanwhile(scripted.searches(), locked).await;
    assert_eq!(said, refused("vault_locked"));
    assert!(!scripted.asked().iter().any(|asked| asked == "tools/call"));
}

#[tokio::test]
async fn promise_04_what_was_shared_as_a_server_of_tools_does_not_become_a_plain_service() {
    let scripted = Scripted::new().await;
    let id = scripted.shared_with_bob().await;
    let anna = &scripted.group.anna;
    assert!(scripted.group.bob.uses(id, "POST", "/add_note").await.is_ok());
    let calls = scripted.asked().len();
    anna.connects_tools("desk", scripted.server.at, Value::Null).await;
    // Its address would take any words in the protocol, with the key.
    assert_eq!(scripted.group.bob.refused(id, "POST", "").await, "other_kind");
    assert_eq!(scripted.asked().len(), calls);
}
