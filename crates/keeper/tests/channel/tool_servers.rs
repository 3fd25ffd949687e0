//! Servers of tools: what their owner says of them, and what the agent may then call with their word.

use std::sync::{Arc, Mutex};

use client::Channel;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use super::agent_side::{Service, ok};
use super::bench::{TestKeeper, refused};
use super::tools::call;

const KEY: &str = "canary-0123456789";
/// By the keeper's clock, which begins at 0.
const TOMORROW: i64 = 86_400_000;
/// Longer than anything here needs for which nobody is asked.
const SOON: Duration = Duration::from_secs(10);

/// A keeper whose owner has connected a server with a tool that reads and one that writes.
struct Desk {
    keeper: TestKeeper,
    channel: Channel,
    server: Service,
    secret: Value,
    /// How the server describes what writes.
    writes: Arc<Mutex<&'static str>>,
}

impl Desk {
    async fn new() -> Self {
        let writes = Arc::new(Mutex::new("Writes a note."));
        let now = Arc::clone(&writes);
        let server = Service::new(move |request| {
            let (_, body) = request.split_once("\r\n\r\n").unwrap_or_default();
            let asked: Value = serde_json::from_str(body).unwrap_or_default();
            let schema = json!({"type": "object"});
            let result = match asked["method"].as_str() {
                Some("initialize") => json!({
                    "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "it", "version": "1"},
                }),
                Some("tools/list") => json!({"tools": [
                    {"name": "search", "title": "Look for notes", "description": "Searches the notes.", "inputSchema": schema},
                    {"name": "add_note", "description": *now.lock().unwrap(), "inputSchema": schema},
                ]}),
                Some("tools/call") => {
                    let said = format!("called {} with {}", asked["params"]["name"], asked["params"]["arguments"]);
                    json!({"content": [{"type": "text", "text": said}]})
                }
                _ => return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            };
            let said = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
            ok(&["Content-Type: application/json"], &said.to_string())
        })
        .await;
        let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
        keeper.named.set([server.at.to_string()]);
        let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": KEY});
        let secret = channel.call("secret.set", secret).await.unwrap()["id"].clone();
        let desk = Self {
            keeper,
            channel,
            server,
            secret,
            writes,
        };
        desk.set(json!({"tools": {}})).await;
        desk
    }

    fn route(&self, over: &Value) -> Value {
        let inject = json!({"as": "header", "name": "x-api-key", "prefix": ""});
        let mut route =
            json!({"name": "desk", "base_url": self.server.base_url(), "secret": self.secret, "inject": inject});
        for (name, value) in over.as_object().unwrap() {
            route[name] = value.clone();
        }
        route
    }

    async fn set(&self, over: Value) {
        self.channel.call("route.set", self.route(&over)).await.unwrap();
    }

    async fn shown(&self) -> Vec<Value> {
        let shown = self.channel.call("route.tools", json!({"name": "desk"})).await.unwrap();
        shown["tools"].as_array().unwrap().clone()
    }

    /// What Anna says of them, having looked at them as they are now.
    async fn terms(&self) -> Value {
        let mut terms = json!({});
        for tool in self.shown().await {
            let name = tool["name"].as_str().unwrap();
            let does = if name == "search" { "read" } else { "write" };
            terms[name] = json!({"does": does, "seen": tool["seen"]});
        }
        terms
    }

    /// What the agent is told when it calls this, and whether that is an error.
    async fn calls(&self, method: &str, path: &str) -> (String, bool) {
        let arguments = json!({"service": "desk", "method": method, "path": path, "body": r#"{"words":"rivers"}"#});
        let said = call(&self.keeper.agent, "call_integration", &arguments).await;
        let result = &said["result"];
        let text = result["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{said}"));
        (text.to_owned(), result["isError"].as_bool().unwrap_or_default())
    }

    async fn is_refused(&self, method: &str, path: &str, code: &str) {
        let (told, failed) = timeout(SOON, self.calls(method, path)).await.expect("nobody is asked");
        assert!(failed && told.starts_with(code), "{method} {path}: {told}");
    }

    /// Answers what waits for its owner, once something does, when tools were called so often; what it was.
    async fn decides(&self, answer: Value, called: usize) -> Value {
        let asked = self.decided(answer, called);
        timeout(SOON, asked).await.expect("its owner is asked")
    }

    async fn decided(&self, answer: Value, called: usize) -> Value {
        let mut changes = self.keeper.approvals.changes();
        loop {
            let list = self.channel.call("approval.list", json!({})).await.unwrap();
            if let Some(shown) = list["waiting"].as_array().unwrap().first() {
                assert_eq!(self.called(), called, "it is not called before the answer");
                let params = json!({"id": shown["id"], "hash": shown["hash"], "answer": answer});
                self.channel.call("approval.decide", params).await.unwrap();
                return shown.clone();
            }
            changes.changed().await.unwrap();
        }
    }

    /// How often a tool was called.
    fn called(&self) -> usize {
        let heard = self.server.heard();
        heard.iter().filter(|request| request.contains("tools/call")).count()
    }
}

#[tokio::test]
async fn an_owner_looks_at_the_tools_of_a_server_and_says_which_may_be_called() {
    let desk = Desk::new().await;
    desk.is_refused("GET", "/search", "unknown_tool").await;
    let shown = desk.shown().await;
    assert_eq!(
        (&shown[0]["name"], &shown[0]["title"], &shown[0]["does"]),
        (&json!("search"), &json!("Look for notes"), &Value::Null)
    );
    let terms = desk.terms().await;
    desk.set(json!({"tools": terms, "about": "Our notes"})).await;
    let listed = desk.channel.call("route.list", json!({})).await.unwrap();
    assert_eq!(listed["routes"][0]["tools"], terms);
    let (told, failed) = desk.calls("GET", "/search").await;
    assert!(!failed && told.contains("rivers") && !told.contains(KEY), "{told}");
    desk.is_refused("GET", "/add_note", "method_refused").await;
    // Not by its address, whatever is said there.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add_note"}}).to_string();
    let json = ["Content-Type: application/json"];
    for line in ["POST /x/desk/", "POST /x/desk", "GET /x/desk/search"] {
        let said = timeout(SOON, desk.keeper.agent.ask(line, &json, &body))
            .await
            .expect("nobody is asked");
        assert!(
            said.starts_with("HTTP/1.1 404") && said.contains("tool_server"),
            "{line}: {said}"
        );
    }
    assert_eq!(desk.called(), 1);
    // One that only reads changes nothing, and nobody is asked.
    desk.set(json!({"tools": terms, "read_only": true})).await;
    desk.is_refused("POST", "/add_note", "method_refused").await;
    assert!(!desk.calls("GET", "/search").await.1);
    // Looking is in the activity: the key went to the server.
    let told = desk.channel.call("activity.list", json!({})).await.unwrap();
    assert!(told.to_string().contains("route_asked"), "{told}");
    // A plain service has no tools to look at.
    desk.set(json!({})).await;
    let plain = desk.channel.call("route.tools", json!({"name": "desk"})).await;
    assert_eq!(refused(plain).code(), Some("not_tools"));
}

#[tokio::test]
async fn the_address_of_a_server_of_tools_is_called_as_it_is() {
    let desk = Desk::new().await;
    for (path, called) in [("/mcp", "POST /mcp HTTP/1.1"), ("/mcp/", "POST /mcp/ HTTP/1.1")] {
        let base_url = format!("{}{path}", desk.server.base_url());
        desk.set(json!({"base_url": base_url, "tools": {}})).await;
        let before = desk.server.heard().len();
        desk.shown().await;
        let heard = desk.server.heard();
        assert!(
            heard.len() > before && heard[before..].iter().all(|request| request.starts_with(called)),
            "{path}: {heard:?}"
        );
    }
}

#[tokio::test]
async fn promise_11_terms_that_are_none_are_not_stored() {
    let desk = Desk::new().await;
    let seen = "a".repeat(64);
    let good = json!({"does": "read", "seen": seen});
    desk.set(json!({"tools": {"A-tool_1.x": good}})).await;
    let many: Value = (0..=200)
        .map(|count| (format!("tool-{count}"), good.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for tools in [
        json!({"": good}),
        json!({"..": good}),
        json!({"a/b": good}),
        json!({"a b": good}),
        json!({"a%2fb": good}),
        json!({"a".repeat(129): good}),
        json!({"search": {"does": "read", "seen": seen.to_uppercase()}}),
        json!({"search": {"does": "read", "seen": &seen[1..]}}),
        many,
    ] {
        let route = desk.route(&json!({"tools": tools}));
        let error = refused(desk.channel.call("route.set", route).await);
        assert_eq!(error.code(), Some("route_invalid"), "{tools}");
    }
    let listed = desk.channel.call("route.list", json!({})).await.unwrap();
    assert_eq!(listed["routes"][0]["tools"], json!({"A-tool_1.x": good}));
}

#[tokio::test]
async fn promise_07_a_tool_that_changes_something_waits_for_its_owner() {
    let desk = Desk::new().await;
    desk.set(json!({"tools": desk.terms().await})).await;
    let ((told, failed), shown) = tokio::join!(
        desk.calls("POST", "/add_note"),
        desk.decides(json!({"answer": "once"}), 0)
    );
    assert!(!failed && told.contains("called"), "{told}");
    let action = &shown["action"];
    assert_eq!(
        (
            &action["kind"],
            &action["service"],
            &action["method"],
            &action["path"],
            &action["body"]
        ),
        (
            &json!("call_service"),
            &json!("desk"),
            &json!("POST"),
            &json!("/add_note"),
            &json!(r#"{"words":"rivers"}"#)
        )
    );
    assert_eq!(desk.called(), 1);
    // The very same is asked about again, and a no is one.
    let no = json!({"answer": "deny", "reason": "Not now."});
    let ((told, failed), _) = tokio::join!(desk.calls("POST", "/add_note"), desk.decides(no, 1));
    assert!(
        failed && told.starts_with("approval_denied") && told.contains("Not now."),
        "{told}"
    );
    assert_eq!(desk.called(), 1);
}

#[tokio::test]
async fn promise_07_a_tool_that_deletes_waits_for_its_owner_also_where_the_others_do_not() {
    let desk = Desk::new().await;
    let mut terms = desk.terms().await;
    terms["add_note"]["does"] = json!("delete");
    desk.set(json!({"tools": terms, "ask": false})).await;
    let no = json!({"answer": "deny"});
    let ((told, failed), shown) = tokio::join!(desk.calls("DELETE", "/add_note"), desk.decides(no, 0));
    assert!(failed && told.starts_with("approval_denied"), "{told}");
    assert_eq!(shown["action"]["method"], "DELETE");
    assert_eq!(desk.called(), 0);
}

#[tokio::test]
async fn promise_07_a_standing_rule_is_for_a_tool_as_it_was_described_then() {
    let desk = Desk::new().await;
    desk.set(json!({"tools": desk.terms().await})).await;
    let always = json!({"answer": "always", "per_day": 5, "until": TOMORROW});
    let ((told, failed), _) = tokio::join!(desk.calls("POST", "/add_note"), desk.decides(always, 0));
    assert!(!failed, "{told}");
    assert!(!desk.calls("POST", "/add_note").await.1, "by the rule");
    assert_eq!(desk.called(), 2);
    *desk.writes.lock().unwrap() = "Writes a note, and sends it to everybody.";
    desk.is_refused("POST", "/add_note", "tool_changed").await;
    // Anna has looked at it and allows the tool; what it does is another thing than what she had a rule for.
    desk.set(json!({"tools": desk.terms().await})).await;
    let no = json!({"answer": "deny"});
    let ((told, failed), _) = tokio::join!(desk.calls("POST", "/add_note"), desk.decides(no, 2));
    assert!(failed && told.starts_with("approval_denied"), "{told}");
    assert_eq!(desk.called(), 2);
}

#[tokio::test]
async fn promise_07_calls_of_tools_are_counted_by_what_their_owner_says_they_do() {
    let desk = Desk::new().await;
    desk.set(json!({"tools": desk.terms().await, "ask": false})).await;
    for (method, path) in [("GET", ""), ("GET", "/search"), ("POST", "/add_note")] {
        let (told, failed) = desk.calls(method, path).await;
        assert!(!failed, "{method} {path}: {told}");
    }
    let week = desk.channel.call("rate.week", json!({})).await.unwrap();
    assert_eq!(
        week["rows"],
        json!([{"user": null, "name": "", "service": "desk", "reads": 2, "changes": 1, "pauses": 0}])
    );
}
