//! The keeper's tools, as an agent's MCP client calls them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::agent_side::{AgentSide, Service, ok};
use super::bench::TestKeeper;

async fn ask(agent: &AgentSide, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let headers = [
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "MCP-Protocol-Version: 2025-06-18",
    ];
    let said = agent.ask("POST /mcp", &headers, &body).await;
    let text = said.split_once("\r\n\r\n").unwrap().1;
    // Whole, or as a stream of one event; in chunks or not.
    let from = text.find('{').unwrap_or_else(|| panic!("{said}"));
    let to = text.rfind('}').unwrap();
    serde_json::from_str(&text[from..=to]).unwrap_or_else(|_| panic!("{said}"))
}

/// Calls a tool: what the server answers.
pub async fn call(agent: &AgentSide, tool: &str, arguments: &Value) -> Value {
    ask(agent, "tools/call", json!({"name": tool, "arguments": arguments})).await
}

/// The text of a tool's result, and whether it is an error.
async fn result(agent: &AgentSide, tool: &str, arguments: Value) -> (String, bool) {
    let said = call(agent, tool, &arguments).await;
    let result = &said["result"];
    let text = result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{said}"));
    (text.to_owned(), result["isError"].as_bool().unwrap_or_default())
}

#[tokio::test]
async fn an_agent_finds_the_tools_and_each_says_what_it_is_for() {
    let (keeper, _slot, _channel, _events) = TestKeeper::with_vault().await;
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let said = ask(&keeper.agent, "initialize", hello).await;
    assert_eq!(said["result"]["serverInfo"]["name"], "holdfast", "{said}");
    let listed = ask(&keeper.agent, "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    for name in [
        "vault_status",
        "unlock_link",
        "list_integrations",
        "call_integration",
        "issue_capability",
        "list_capabilities",
        "revoke_capability",
        "call_shared",
        "request_share",
    ] {
        let tool = tools
            .iter()
            .find(|tool| tool["name"] == name)
            .unwrap_or_else(|| panic!("{listed}"));
        assert!(tool["description"].as_str().unwrap().len() > 40);
        assert_eq!(tool["inputSchema"]["type"], "object");
    }
}

#[tokio::test]
async fn a_service_is_listed_and_called_by_its_tool_without_a_key() {
    let service = Service::new(|request| {
        ok(
            &["Content-Type: application/json"],
            &format!("{{\"said\":{request:?}}}"),
        )
    })
    .await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let mut route = keeper.route_to(&channel, &service, "svc").await;
    route["about"] = json!("Lunch");
    channel.call("route.set", route).await.unwrap();

    let (listed, failed) = result(&keeper.agent, "list_integrations", json!({})).await;
    assert!(
        !failed && listed.contains("\"service\":\"svc\"") && listed.contains("Lunch"),
        "{listed}"
    );
    assert!(!listed.contains("canary"));
    let arguments = json!({"service": "svc", "path": "/items", "query": "a=1"});
    let (told, failed) = result(&keeper.agent, "call_integration", arguments).await;
    assert!(
        !failed && told.contains("\"status\":200") && told.contains("GET /items?a=1"),
        "{told}"
    );
    assert!(
        !told.contains("canary") && service.heard()[0].contains("canary"),
        "{told}"
    );

    for (arguments, code) in [
        (json!({"service": "none", "path": "/"}), "unknown_route"),
        (json!({"service": "svc", "path": "/../x"}), "path_refused"),
        (json!({"service": "svc", "path": "x"}), "path_refused"),
        (json!({"service": "svc", "path": "/x", "query": "a b"}), "path_refused"),
        (
            json!({"service": "svc", "path": "/x", "method": "CONNECT"}),
            "method_refused",
        ),
        (json!({"service": "svc"}), "malformed"),
        (json!({"service": "svc", "path": "/x", "approved": true}), "malformed"),
    ] {
        let (told, failed) = result(&keeper.agent, "call_integration", arguments).await;
        assert!(failed && told.starts_with(code), "{told}");
    }
    assert_eq!(service.heard().len(), 1);
}

#[tokio::test]
async fn a_locked_vault_is_told_with_a_link_that_opens_nothing_by_itself() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let (open, _) = result(&keeper.agent, "vault_status", json!({})).await;
    assert!(open.contains("unlocked"), "{open}");
    channel.call("vault.lock", json!({})).await.unwrap();
    let (status, _) = result(&keeper.agent, "vault_status", json!({})).await;
    assert!(
        status.contains("locked") && status.contains("https://holdfast.example/"),
        "{status}"
    );
    // All tools but those that tell of the lock, and what the agent calls of the program that it answers.
    let id = uuid::Uuid::nil();
    let closed = [
        ("list_integrations", json!({})),
        ("call_integration", json!({"service": "svc", "path": "/"})),
        ("issue_capability", json!({"with": "Bob", "service": "svc", "hours": 1})),
        ("list_capabilities", json!({})),
        ("revoke_capability", json!({"id": id})),
        ("call_shared", json!({"id": id})),
        ("request_share", json!({"of": "Bob", "words": "Your calendar?"})),
    ];
    let listed = ask(&keeper.agent, "tools/list", json!({})).await;
    let listed = listed["result"]["tools"].as_array().unwrap().iter();
    let others = ["vault_status", "unlock_link", "call_function"];
    let names: BTreeSet<_> = listed.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, closed.iter().map(|(tool, _)| *tool).chain(others).collect());
    for (tool, arguments) in closed {
        let (told, failed) = result(&keeper.agent, tool, arguments).await;
        assert!(failed && told.starts_with("vault_locked"), "{tool}: {told}");
        assert!(told.ends_with("and stop: https://holdfast.example/"), "{tool}: {told}");
    }
    let (link, _) = result(&keeper.agent, "unlock_link", json!({})).await;
    assert!(link.contains("\"https://holdfast.example/\""), "{link}");
}

#[tokio::test]
async fn a_page_in_a_browser_of_the_agents_is_not_served() {
    let (keeper, _slot, _channel, _events) = TestKeeper::with_vault().await;
    let headers = [
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "Origin: https://evil.example",
    ];
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let said = keeper.agent.ask("POST /mcp", &headers, &body).await;
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
}

#[tokio::test]
async fn promise_07_an_agent_shares_nothing_without_its_owners_word_and_exactly_what_was_shown() {
    let service = Service::echo().await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let route = keeper.route_to(&channel, &service, "calendar").await;
    let mut reading = route.clone();
    (reading["name"], reading["read_only"]) = (json!("orders"), json!(true));
    channel.call("route.set", route).await.unwrap();
    let bob = vault::Identity::random();
    let pin =
        json!({"user": protocol::UserId::new(), "name": "Bob", "bundle": protocol::b64::encode(bob.public().encode())});
    channel.call("contact.pin", pin).await.unwrap();
    let asked = json!({"with": "bob", "service": "calendar", "path": "/work/", "hours": 24});
    let mut changes = keeper.approvals.changes();
    let decide = async {
        changes.changed().await.unwrap();
        let list = channel.call("approval.list", json!({})).await.unwrap();
        let shown = list["waiting"][0].clone();
        let given = channel.call("share.given", json!({})).await.unwrap();
        assert_eq!(given["given"], json!([]), "nothing is shared before the answer");
        let always = json!({"id": shown["id"], "hash": shown["hash"], "answer": {"answer": "always", "per_day": 5, "until": 86_400_000}});
        assert!(
            channel.call("approval.decide", always).await.is_err(),
            "sharing has no rule"
        );
        let once = json!({"id": shown["id"], "hash": shown["hash"], "answer": {"answer": "once"}});
        channel.call("approval.decide", once).await.unwrap();
        shown
    };
    let ((told, failed), shown) = tokio::join!(result(&keeper.agent, "issue_capability", asked), decide);
    assert!(!failed, "{told}");
    let action = &shown["action"];
    assert_eq!(
        (&action["name"], &action["resource"], &action["scope"]),
        (&json!("Bob"), &json!("service/calendar/work"), &json!(["read", "list"]))
    );
    let given = channel.call("share.given", json!({})).await.unwrap()["given"][0].clone();
    assert_eq!(
        (&given["name"], &given["resource"], &given["until"]),
        (&action["name"], &action["resource"], &action["until"])
    );
    let (listed, _) = result(&keeper.agent, "list_capabilities", json!({})).await;
    assert!(listed.contains("service/calendar/work"), "{listed}");
    let (told, failed) = result(
        &keeper.agent,
        "issue_capability",
        json!({"with": "Mallory", "service": "calendar", "hours": 1}),
    )
    .await;
    assert!(
        failed && told.starts_with("unknown_contact") && told.contains("Bob"),
        "{told}"
    );
    // Nobody is asked for what could not be shared after a yes.
    for more in [json!({"max_calls": 0}), json!({"may": []})] {
        let mut asked = json!({"with": "bob", "service": "calendar", "hours": 24});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (told, failed) = result(&keeper.agent, "issue_capability", asked).await;
        assert!(failed && told.starts_with("bad_terms"), "{more}: {told}");
    }
    channel.call("route.set", reading).await.unwrap();
    for (may, code) in [
        (json!(["read", "admin"]), "group_only"),
        (json!(["read", "write"]), "method_refused"),
        (json!(["delete"]), "method_refused"),
    ] {
        let asked = json!({"with": "bob", "service": "orders", "hours": 24, "may": may});
        let (told, failed) = result(&keeper.agent, "issue_capability", asked).await;
        assert!(failed && told.starts_with(code), "{may}: {told}");
    }
    let list = channel.call("approval.list", json!({})).await.unwrap();
    assert_eq!(list["waiting"], json!([]));
    let (told, failed) = result(&keeper.agent, "revoke_capability", json!({"id": given["id"]})).await;
    assert!(!failed, "{told}");
    let given = channel.call("share.given", json!({})).await.unwrap();
    assert_eq!(given["given"][0]["state"], "stopped");
}

#[tokio::test]
async fn whoever_is_asked_to_share_reads_whether_they_have_compared_the_digits_of_that_person() {
    let service = Service::echo().await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let route = keeper.route_to(&channel, &service, "calendar").await;
    channel.call("route.set", route).await.unwrap();
    let user = protocol::UserId::new();
    let pin = async |identity: &vault::Identity| {
        let bundle = protocol::b64::encode(identity.public().encode());
        let pin = json!({"user": user, "name": "Bob", "bundle": bundle});
        channel.call("contact.pin", pin).await.unwrap();
    };
    let bob = vault::Identity::random();
    let digits = bob.public().fingerprint();
    pin(&bob).await;
    // Nobody answers: it waits.
    for (tool, asked) in [
        (
            "issue_capability",
            json!({"with": "bob", "service": "calendar", "hours": 24}),
        ),
        ("request_share", json!({"of": "bob", "words": "Your calendar?"})),
    ] {
        let mut changes = keeper.approvals.changes();
        tokio::select! {
            told = result(&keeper.agent, tool, asked) => panic!("{told:?}"),
            changed = changes.changed() => changed.unwrap(),
        }
    }
    let known = async || {
        let list = channel.call("approval.list", json!({})).await.unwrap();
        let known = |kind: &str| {
            let waiting = list["waiting"].as_array().unwrap().iter();
            let mut of_kind = waiting.filter(|each| each["action"]["kind"] == kind);
            of_kind.next().unwrap().get("known").cloned()
        };
        [known("share"), known("ask_for_share")]
    };
    let not_compared = json!({"fingerprint": digits, "compared_at": null});
    assert_eq!(known().await, [Some(not_compared.clone()), Some(not_compared)]);
    let compared = json!({"user": user, "fingerprint": digits});
    channel.call("contact.compared", compared).await.unwrap();
    for each in known().await {
        let each = each.unwrap();
        assert!(
            each["fingerprint"] == json!(digits) && each["compared_at"].is_i64(),
            "{each}"
        );
    }
    channel.call("contact.forget", json!({"user": user})).await.unwrap();
    assert_eq!(known().await, [None, None]);
    // Other keys under the same name: it was not they with whom it was to be shared.
    pin(&vault::Identity::random()).await;
    let [share, ask] = known().await;
    assert!(share.is_none() && ask.is_some_and(|ask| ask["fingerprint"] != json!(digits)));
}

#[tokio::test]
async fn promise_07_an_agent_asks_nobody_to_share_something_without_its_owners_word() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let (anna, bundle) = (protocol::UserId::new(), vault::Identity::random().public().encode());
    let pin = json!({"user": anna, "name": "Anna", "bundle": protocol::b64::encode(bundle)});
    channel.call("contact.pin", pin).await.unwrap();
    // What goes to others waits in the vault until there is a relay.
    let sent = || keeper.vault.list_records("relay/out/").unwrap().len();
    let asks = async |words: &str, answer: Value| {
        let mut changes = keeper.approvals.changes();
        let decide = async {
            changes.changed().await.unwrap();
            let list = channel.call("approval.list", json!({})).await.unwrap();
            let shown = list["waiting"][0].clone();
            assert_eq!(sent(), 0, "nothing is sent before the answer");
            let action = json!({"kind": "ask_for_share", "of": anna, "name": "Anna", "words": words});
            assert_eq!((&shown["action"], &shown["may"]["always"]), (&action, &json!(false)));
            let params = json!({"id": shown["id"], "hash": shown["hash"], "answer": answer});
            channel.call("approval.decide", params).await.unwrap();
        };
        let asked = json!({"of": "anna", "words": words});
        tokio::join!(result(&keeper.agent, "request_share", asked), decide).0
    };
    let (told, failed) = asks("All of it?", json!({"answer": "deny", "reason": "Not Anna."})).await;
    assert!(
        failed && told.starts_with("approval_denied") && told.contains("Not Anna."),
        "{told}"
    );
    assert_eq!(sent(), 0);
    let (told, failed) = asks("Your calendar until Friday?", json!({"answer": "once"})).await;
    assert!(!failed && told.starts_with(r#"{"asked":"Anna","#), "{told}");
    assert_eq!(sent(), 1);
    // The yes is used up, and was for these words: whoever is asked again, or for more, is asked of the owner.
    for words in ["Your calendar until Friday?", "Your calendar for ever?"] {
        let asked = json!({"of": "Anna", "words": words});
        let mut changes = keeper.approvals.changes();
        tokio::select! {
            told = result(&keeper.agent, "request_share", asked) => panic!("{told:?}"),
            changed = changes.changed() => changed.unwrap(),
        }
    }
    // Words that cannot be sent are refused before anybody is asked about them, with how many may be.
    let most = keeper::limits::SHARE_WORDS_CHARS;
    for words in [String::new(), " \n".to_owned(), "ä".repeat(most + 1)] {
        let (told, failed) = result(&keeper.agent, "request_share", json!({"of": "Anna", "words": words})).await;
        assert!(
            failed && told.starts_with("malformed") && told.contains(&most.to_string()),
            "{told}"
        );
    }
    let (told, failed) = result(
        &keeper.agent,
        "request_share",
        json!({"of": "Mallory", "words": "All?"}),
    )
    .await;
    assert!(
        failed && told.starts_with("unknown_contact") && told.contains("Anna"),
        "{told}"
    );
    assert_eq!((sent(), keeper.approvals.waiting()), (1, 2));
}
