//! The real OpenClaw finds its keeper's tools, and what it asks for waits for its owner; a hostile program beside it changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::canary::{Canary, Search};
use system_tests::docker::{Part, container, exec};
use system_tests::{Installation, Session, wait_until};

const PASSWORD: &str = "correct horse battery staple";

/// The scripted model stands for a service: it is the one address that is allowed here.
async fn connect_service(installation: &Installation, session: &Session) {
    let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": "canary-0123456789"});
    let id = session.call("secret.set", secret).await["id"].clone();
    let route = json!({"name": "svc", "base_url": installation.model().base_url(), "secret": id,
        "inject": {"as": "header", "name": "x-api-key", "prefix": ""}, "about": "A service"});
    session.call("route.set", route.clone()).await;
    let mut unasked = route;
    (unasked["name"], unasked["ask"]) = (json!("unasked"), json!(false));
    session.call("route.set", unasked).await;
}

#[tokio::test]
async fn promise_07_openclaw_calls_its_keepers_tools_and_what_changes_something_waits_for_its_owner() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    session.ready().await;
    connect_service(&installation, &session).await;
    let conversation = session.conversation().await;

    let tool = |name: &str, arguments: Value| format!("[[tool: holdfast__{name} {arguments}]]");
    let words = [tool("vault_status", json!({})), tool("list_integrations", json!({}))].join(" ");
    let turn = session.ask(&conversation, &format!("{words} [[say: listed]]")).await;
    let told = json!(turn.events).to_string();
    assert!(told.contains("unlocked") && told.contains("svc"), "{told}");

    // What reads goes through; what changes something waits, and the turn with it.
    let reading = json!({"service": "svc", "path": "/models"});
    let turn = session
        .ask(
            &conversation,
            &format!("{} [[say: read]]", tool("call_integration", reading)),
        )
        .await;
    assert!(
        json!(turn.events).to_string().contains("\\\"status\\\":200"),
        "{:#?}",
        turn.events
    );
    let changing = json!({"service": "svc", "method": "POST", "path": "/things", "body": "{\"lunch\":true}"});
    let words = format!("{} [[say: asked]]", tool("call_integration", changing));
    let turn = session.send(&conversation, &words).await;
    let shown = session.asked().await;
    assert_eq!(shown["conversation"], json!(conversation), "{shown:#}");
    assert_eq!(shown["action"]["body"], "{\"lunch\":true}");

    // A hostile program beside OpenClaw, with all that the agent has.
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let decide = json!({"id": shown["id"], "hash": shown["hash"], "answer": {"answer": "once"}}).to_string();
    for path in ["/approval.decide", "/approvals", "/x/approval/decide", "/v1/approvals"] {
        let probe = format!(
            "curl --noproxy '*' --silent --fail --data '{decide}' --header 'content-type: application/json' http://127.0.0.1:18790{path}"
        );
        let (through, said) = exec(&agent, &["sh", "-c", &probe]);
        assert!(!through, "{path}: {said}");
    }
    let tools = |method: &str, params: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let probe = format!(
            "curl --noproxy '*' --silent --data '{message}' --header 'content-type: application/json' \
             --header 'accept: application/json, text/event-stream' http://127.0.0.1:18790/mcp"
        );
        let (_, said) = exec(&agent, &["sh", "-c", &probe]);
        serde_json::from_str::<Value>(&said).unwrap_or_else(|_| panic!("{method}: {said}"))
    };
    let listed = tools("tools/list", json!({})).to_string();
    assert!(
        listed.contains("call_integration") && !listed.contains("decide"),
        "{listed}"
    );
    let decision: Value = serde_json::from_str(&decide).expect("it is JSON");
    for name in ["approval.decide", "approval_decide", "decide"] {
        let said = tools("tools/call", json!({"name": name, "arguments": decision}));
        assert!(said["error"].is_object() && said["result"].is_null(), "{name}: {said}");
    }
    // Words of the owner's channel, to each socket that the agent has.
    let request = json!({"id": 1, "method": "approval.decide", "params": decision});
    for socket in ["bridge.sock", "broker.sock", "egress.sock"] {
        let probe = format!(
            "const socket = require('net').connect('/run/holdfast/{socket}', () => socket.end({request} + '\\n'));
             let said = ''; socket.on('data', (some) => said += some); socket.on('close', () => console.log(said)); socket.on('error', () => {{}});
             socket.setTimeout(3000, () => socket.destroy());",
            request = json!(request.to_string()),
        );
        let (ran, said) = exec(&agent, &["node", "-e", &probe]);
        assert!(ran && !said.contains("\"ok\""), "{socket}: {said}");
    }
    let list = session.call("approval.list", json!({})).await;
    assert_eq!(list["waiting"][0]["state"], "waiting", "{list:#}");

    session
        .decide(&shown, json!({"answer": "deny", "reason": "Not before noon."}))
        .await;
    session.turn_event(&turn, "saved").await;
    let told = json!(session.turn(&turn).events).to_string();
    assert!(
        told.contains("approval_denied") && told.contains("Not before noon."),
        "{told}"
    );

    // What is allowed once is done once. Sent again by the hostile program, with other words, to another path or by another method, it waits.
    let dinner = json!({"service": "svc", "method": "POST", "path": "/things", "body": "{\"dinner\":true}"});
    let words = format!("{} [[say: done]]", tool("call_integration", dinner));
    let turn = session.send(&conversation, &words).await;
    session.decide(&session.asked().await, json!({"answer": "once"})).await;
    session.turn_event(&turn, "saved").await;
    let tries = [
        ("POST", "/things", "{\"dinner\":true}"),
        ("POST", "/things", "{\"dinner\":false}"),
        ("POST", "/things/all", "{\"dinner\":true}"),
        ("DELETE", "/things", "{\"dinner\":true}"),
    ];
    for (method, path, body) in tries {
        let probe = format!(
            "curl --noproxy '*' --silent --max-time 5 --request {method} --data '{body}' --header 'content-type: application/json' \
             http://127.0.0.1:18790/x/svc{path}"
        );
        // It waits for the answer for longer than this.
        exec(&agent, &["sh", "-c", &probe]);
    }
    // Where nobody is asked, no change is a deletion that says so in another place.
    for kind in [
        "application/x-www-form-urlencoded",
        "",
        "application/x-www-form-urlencoded; charset=utf-16",
    ] {
        let probe = format!(
            "curl --noproxy '*' --silent --max-time 5 --data '_method=DELETE' --header 'content-type: {kind}' http://127.0.0.1:18790/x/unasked/things"
        );
        let (_, said) = exec(&agent, &["sh", "-c", &probe]);
        assert!(said.contains("method_refused"), "{kind}: {said}");
    }
    let list = session.call("approval.list", json!({})).await;
    assert_eq!(list["waiting"].as_array().map(Vec::len), Some(tries.len()), "{list:#}");
    let used = session.call("activity.list", json!({"class": "agent"})).await["entries"].clone();
    let used: Vec<_> = (used.as_array().into_iter().flatten())
        .filter(|entry| entry["what"] == "approval_used")
        .map(|entry| entry["count"].clone())
        .collect();
    assert_eq!(used, [1]);

    // The audit log has how often something was asked for and decided, and not a word of it.
    let events = wait_until("the audit log has it", Duration::from_secs(120), async || {
        let events = owner.get("/api/v1/audit?action=approval.").await.ok()["events"].clone();
        let asked: u64 = (events.as_array().into_iter().flatten())
            .filter(|event| event["action"] == "approval.asked")
            .filter_map(|event| event["details"]["times"].as_str()?.parse::<u64>().ok())
            .sum();
        (asked == 6).then_some(events)
    })
    .await;
    let events = events.to_string();
    for word in ["approval.allowed", "approval.denied"] {
        assert!(events.contains(word), "{word}: {events}");
    }
    for word in ["svc", "things", "dinner", "noon"] {
        assert!(!events.contains(word), "{word}: {events}");
    }
}

#[tokio::test]
async fn openclaws_own_question_before_a_command_comes_to_its_owner_and_takes_the_answer() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    // Before its first start: the setting counts from then on.
    session
        .call("approval.settings", json!({"ask_before_commands": true}))
        .await;
    session
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    session.ready().await;
    let conversation = session.conversation().await;
    let run = |words: &str| {
        format!(
            "[[tool: exec {}]] [[say: done]]",
            json!({"command": format!("echo {words}")})
        )
    };
    for (word, given, ran) in [
        ("permitted-words", json!({"answer": "once"}), true),
        ("refused-words", json!({"answer": "deny"}), false),
    ] {
        let turn = session.send(&conversation, &run(word)).await;
        let shown = session.asked().await;
        assert_eq!(shown["action"]["kind"], "run_command", "{shown:#}");
        assert!(shown["action"]["command"].to_string().contains(word), "{shown:#}");
        session.decide(&shown, given).await;
        session.turn_event(&turn, "saved").await;
        let results: Vec<Value> = session
            .turn(&turn)
            .events
            .into_iter()
            .filter(|event| event["kind"] == "tool" && event["phase"] == "result")
            .collect();
        let printed = results.iter().any(|event| {
            let output = event["output"].as_str().unwrap_or_default();
            output.lines().any(|line| line.trim() == word)
        });
        assert_eq!(printed, ran, "{results:#?}");
    }
}

#[tokio::test]
async fn promise_01_who_is_away_is_told_by_mail_that_their_agent_waits_and_the_platform_not_a_word_of_it() {
    let mut installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    session.ready().await;
    connect_service(&installation, &session).await;
    let conversation = session.conversation().await;
    let asked_for = Canary::new("asked");
    let body = json!({"note": asked_for.text}).to_string();
    let changing = json!({"service": "svc", "method": "POST", "path": format!("/{}", asked_for.text), "body": body});
    let words = format!("[[tool: holdfast__call_integration {changing}]] [[say: done]]");
    session.send(&conversation, &words).await;
    let shown = session.asked().await;
    drop(session);
    let address = owner.me["user"]["email"].as_str().expect("an address");
    let mail = installation.letter(address, "Your agent waits for your answer").await;
    assert!(mail.contains(&format!("{}/inbox", installation.url())), "{mail}");
    for word in [&asked_for.text, "svc", "POST", shown["id"].as_str().unwrap()] {
        assert!(!mail.contains(word), "{word} in {mail}");
    }

    // Whoever follows it finds what waits.
    let session = owner.unlock(PASSWORD).await;
    let found = session.asked().await;
    assert_eq!((&found["id"], &found["hash"]), (&shown["id"], &shown["hash"]));
    session.decide(&found, json!({"answer": "deny", "reason": "No."})).await;
    drop(session);
    installation.down().await;
    let mut search = Search::new(std::slice::from_ref(&asked_for));
    search.folder(installation.data_dir());
    assert!(search.found().is_empty(), "{:#?}", search.found());
}
