//! What the agent must not do without its owner's word, tried by a hostile program in the agent's container.

use std::sync::{Arc, Mutex};

use client::Channel;
use keeper::approvals::RunningTurns;
use keeper::clock::Clock as _;
use serde_json::{Value, json};

use super::agent_side::Service;
use super::bench::{TestKeeper, refused};

const MINUTE: i64 = 60_000;

/// Conversations that run, by their ids.
#[derive(Default)]
pub struct Turns(Mutex<Vec<String>>);

impl Turns {
    pub fn set(&self, running: &[&str]) {
        *self.0.lock().unwrap() = running.iter().map(|id| (*id).to_owned()).collect();
    }
}

impl RunningTurns for Turns {
    fn running(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub struct Asking {
    pub keeper: Arc<TestKeeper>,
    pub channel: Channel,
    pub service: Service,
    turns: Arc<Turns>,
}

impl Asking {
    /// A keeper whose agent may call a service that its owner wants to be asked about.
    pub async fn new() -> Self {
        let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
        Self::of(keeper, channel).await
    }

    /// The same, of this one.
    pub async fn of(keeper: TestKeeper, channel: Channel) -> Self {
        let service = Service::echo().await;
        let turns = Arc::new(Turns::default());
        keeper.approvals.set_turns(Arc::clone(&turns) as Arc<dyn RunningTurns>);
        let route = keeper.route_to(&channel, &service, "svc").await;
        channel.call("route.set", route).await.unwrap();
        Self {
            keeper: Arc::new(keeper),
            channel,
            service,
            turns,
        }
    }

    /// The agent sends this, and waits for the answer.
    pub fn send(&self, line: &str, body: &str) -> tokio::task::JoinHandle<String> {
        let (keeper, line, body) = (Arc::clone(&self.keeper), line.to_owned(), body.to_owned());
        tokio::spawn(async move { keeper.agent.ask(&line, &["Content-Type: text/plain"], &body).await })
    }

    pub async fn list(&self) -> Value {
        self.channel.call("approval.list", json!({})).await.unwrap()
    }

    /// Waits until so many requests wait.
    pub async fn waiting(&self, count: usize) -> Vec<Value> {
        let mut changes = self.keeper.approvals.changes();
        loop {
            let waiting = self.list().await["waiting"].as_array().unwrap().clone();
            if waiting.len() == count {
                return waiting;
            }
            changes.changed().await.unwrap();
        }
    }

    pub async fn decide(&self, shown: &Value, answer: Value) -> Result<Value, client::ClientError> {
        let params = json!({"id": shown["id"], "hash": shown["hash"], "answer": answer});
        self.channel.call("approval.decide", params).await
    }

    pub async fn allow(&self, shown: &Value) {
        self.decide(shown, json!({"answer": "once"})).await.unwrap();
    }
}

#[tokio::test]
async fn reading_goes_through_and_changing_waits_for_its_owner() {
    let asking = Asking::new().await;
    asking.turns.set(&["talk"]);
    assert!(
        asking
            .send("GET /x/svc/items", "")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    assert!(asking.list().await["waiting"].as_array().unwrap().is_empty());

    let call = asking.send("POST /x/svc/items?a=1", "the words");
    let shown = asking.waiting(1).await.remove(0);
    assert_eq!(asking.service.heard().len(), 1, "it did not go out before the answer");
    assert_eq!(shown["conversation"], "talk");
    let action = &shown["action"];
    assert_eq!(
        (
            &action["kind"],
            &action["service"],
            &action["method"],
            &action["path"],
            &action["query"],
            &action["body"]
        ),
        (
            &json!("call_service"),
            &json!("svc"),
            &json!("POST"),
            &json!("/items"),
            &json!("a=1"),
            &json!("the words")
        )
    );
    assert!(!action.to_string().contains("canary"), "the key is none of the words");
    asking.allow(&shown).await;
    let answer = call.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(asking.service.heard()[1].ends_with("the words"));
    assert_eq!(asking.list().await["decided"][0]["state"], "used");
}

#[tokio::test]
async fn what_waits_for_its_owner_is_not_put_away_by_having_been_seen() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    let seen = async |id: &Value| asking.channel.call("approval.seen", json!({ "id": id })).await;
    seen(&shown["id"]).await.unwrap();
    assert_eq!(asking.waiting(1).await[0]["seen"], false);
    let unknown = seen(&json!(protocol::ApprovalId::new())).await.unwrap_err();
    assert_eq!(unknown.code(), Some("unknown_approval"));
    call.abort();
}

#[tokio::test]
async fn promise_07_what_was_allowed_is_good_for_exactly_that_and_once() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    asking.allow(&shown).await;
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    // Replayed, and widened in each part: each is another request, and none goes out.
    let before = asking.service.heard().len();
    let tries = [
        ("POST /x/svc/items", "one"),
        ("POST /x/svc/items", "two"),
        ("POST /x/svc/items/", "one"),
        ("POST /x/svc/items?all=1", "one"),
        ("PUT /x/svc/items", "one"),
        ("DELETE /x/svc/items", ""),
    ];
    let calls: Vec<_> = tries.iter().map(|(line, body)| asking.send(line, body)).collect();
    asking.waiting(tries.len()).await;
    assert_eq!(asking.service.heard().len(), before);
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn promise_07_deleting_is_asked_about_also_where_its_owner_lets_everything_else_be_changed() {
    let asking = Asking::new().await;
    let list = asking.channel.call("route.list", json!({})).await.unwrap();
    let mut route = list["routes"][0].clone();
    route.as_object_mut().unwrap().remove("agent_url");
    route["ask"] = json!(false);
    asking.channel.call("route.set", route).await.unwrap();
    let changed = asking.send("POST /x/svc/items", "one").await.unwrap();
    assert!(changed.starts_with("HTTP/1.1 200"), "{changed}");
    // However it is written, since a service may read it as the same.
    let calls = ["DELETE", "delete"].map(|method| asking.send(&format!("{method} /x/svc/items"), ""));
    let both = asking.waiting(2).await;
    assert_eq!(asking.service.heard().len(), 1);
    for shown in &both {
        assert!(
            shown["action"]["method"]
                .as_str()
                .unwrap()
                .eq_ignore_ascii_case("delete"),
            "{shown}"
        );
    }
    asking.allow(&both[0]).await;
    asking.decide(&both[1], json!({"answer": "deny"})).await.unwrap();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap()[..12].to_owned());
    }
    statuses.sort();
    assert_eq!(statuses, ["HTTP/1.1 200", "HTTP/1.1 403"]);
    // And the agent is told before it tries.
    let said = super::tools::call(&asking.keeper.agent, "list_integrations", &json!({})).await;
    let told = said["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        told.contains(r#""changing":"allowed""#) && told.contains(r#""deleting":"your owner is asked each time""#),
        "{told}"
    );
}

#[tokio::test]
async fn promise_07_an_allowed_call_whose_route_was_changed_meanwhile_is_asked_again() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    call.abort();
    asking.allow(&shown).await;
    let other = Service::echo().await;
    asking
        .keeper
        .named
        .set([asking.service.at.to_string(), other.at.to_string()]);
    let routes = asking.channel.call("route.list", json!({})).await.unwrap();
    let mut route = routes["routes"][0].clone();
    route["base_url"] = json!(other.base_url());
    asking.channel.call("route.set", route).await.unwrap();
    let again = asking.send("POST /x/svc/items", "one");
    let fresh = asking.waiting(1).await.remove(0);
    assert_ne!(fresh["hash"], shown["hash"]);
    assert!(other.heard().is_empty());
    again.abort();
}

#[tokio::test]
async fn promise_07_nothing_on_the_agents_side_answers_a_request() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    let (id, hash) = (shown["id"].as_str().unwrap(), shown["hash"].as_str().unwrap());
    let answer = json!({"id": id, "hash": hash, "answer": {"answer": "once"}}).to_string();
    let agent = &asking.keeper.agent;
    for line in [
        "POST /approval.decide".to_owned(),
        "POST /approvals".to_owned(),
        format!("POST /approve/{id}"),
        "POST /x/approval/decide".to_owned(),
        format!("GET /x/svc/../../approve/{id}"),
        "POST /v1/approvals".to_owned(),
        "POST /secrets".to_owned(),
    ] {
        let said = agent.ask(&line, &["Content-Type: application/json"], &answer).await;
        assert!(!said.starts_with("HTTP/1.1 200"), "{line}: {said}");
    }
    for tool in ["approve", "approval_decide", "approval.decide", "decide"] {
        let said = super::tools::call(
            agent,
            tool,
            &json!({"id": id, "hash": hash, "answer": {"answer": "once"}}),
        )
        .await;
        assert!(said["error"]["message"].as_str().unwrap().contains("no tool"), "{said}");
    }
    // The client's handshake on the agent's sockets: there is no channel there.
    let said = agent.raw("{\"type\":\"hello\",\"version\":1}\n").await;
    assert!(!said.contains("hello"), "{said}");
    assert_eq!(asking.waiting(1).await[0]["state"], "waiting");
    assert!(asking.service.heard().is_empty());
    call.abort();
}

#[tokio::test]
async fn promise_07_an_answer_is_to_what_was_shown_and_comes_in_time() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    let other = json!({"id": shown["id"], "hash": "A".repeat(43), "answer": {"answer": "once"}});
    let error = refused(asking.channel.call("approval.decide", other).await);
    assert_eq!(error.code(), Some("approval_changed"));
    asking.keeper.clock.forward(30 * MINUTE);
    let error = refused(asking.decide(&shown, json!({"answer": "once"})).await);
    assert_eq!(error.code(), Some("approval_expired"));
    assert_eq!(asking.list().await["decided"][0]["state"], "expired");
    assert!(asking.service.heard().is_empty());
    call.abort();

    // Allowed, and not used in time.
    let call = asking.send("POST /x/svc/items", "late");
    let shown = asking.waiting(1).await.remove(0);
    call.abort();
    asking.allow(&shown).await;
    let error = refused(asking.decide(&shown, json!({"answer": "deny"})).await);
    assert_eq!(error.code(), Some("already_decided"));
    asking.keeper.clock.forward(30 * MINUTE);
    let again = asking.send("POST /x/svc/items", "late");
    asking.waiting(1).await;
    assert!(asking.service.heard().is_empty());
    again.abort();
}

#[tokio::test]
async fn promise_07_the_same_answer_again_is_answered_the_same_and_allows_nothing_more() {
    let asking = Asking::new().await;
    let once = json!({"answer": "once"});
    let call = asking.send("POST /x/svc/items", "one");
    let first = asking.waiting(1).await.remove(0);
    asking.allow(&first).await;
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    let again = asking.decide(&first, once.clone()).await.unwrap();
    assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("used")));
    // Said once more, it is no answer to what is asked since.
    let call = asking.send("POST /x/svc/items", "one");
    let second = asking.waiting(1).await.remove(0);
    asking.decide(&first, once).await.unwrap();
    assert_eq!(asking.waiting(1).await[0]["id"], second["id"]);
    assert_eq!(asking.service.heard().len(), 1);
    // To something else it is none, nor is another answer.
    let other = json!({"id": first["id"], "hash": "A".repeat(43), "answer": {"answer": "once"}});
    let error = refused(asking.channel.call("approval.decide", other).await);
    assert_eq!(error.code(), Some("approval_changed"));
    for other in [json!({"answer": "deny"}), json!({"answer": "conversation"})] {
        let error = refused(asking.decide(&first, other).await);
        assert_eq!(error.code(), Some("already_decided"));
    }

    // A rule is made once: what was taken back stays so, and one for more is another answer.
    let until = asking.keeper.clock.now() + 60 * MINUTE;
    let always = |per_day: u32| json!({"answer": "always", "per_day": per_day, "until": until});
    asking.decide(&second, always(1)).await.unwrap();
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    asking.decide(&second, always(1)).await.unwrap();
    let rules = asking.list().await["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), 1);
    let error = refused(asking.decide(&second, always(2)).await);
    assert_eq!(error.code(), Some("already_decided"));
    let removed = json!({"id": rules[0]["id"]});
    asking.channel.call("approval.remove_rule", removed).await.unwrap();
    asking.decide(&second, always(1)).await.unwrap();
    assert_eq!(asking.list().await["rules"], json!([]));
    let call = asking.send("POST /x/svc/items", "two");
    asking.waiting(1).await;
    call.abort();
}

#[tokio::test]
async fn a_no_with_its_reason_is_what_the_agent_hears_and_asking_again_does_not_change_it() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    asking
        .decide(&shown, json!({"answer": "deny", "reason": "Not today."}))
        .await
        .unwrap();
    for said in [
        call.await.unwrap(),
        asking.send("POST /x/svc/items", "one").await.unwrap(),
    ] {
        assert!(said.starts_with("HTTP/1.1 403"), "{said}");
        assert!(
            said.contains("approval_denied") && said.contains("Not today."),
            "{said}"
        );
    }
    assert!(asking.list().await["waiting"].as_array().unwrap().is_empty());
    assert!(asking.service.heard().is_empty());
}

#[tokio::test]
async fn a_rule_allows_the_same_kind_of_call_within_its_limits_until_it_is_taken_back() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    let until = 10 * 24 * 60 * MINUTE;
    for answer in [
        json!({"answer": "always", "per_day": 0, "until": until}),
        json!({"answer": "always", "per_day": 2, "until": 0}),
        json!({"answer": "conversation"}),
        json!({"answer": "always", "per_day": 2, "until": until, "path": "/"}),
    ] {
        let error = refused(asking.decide(&shown, answer).await);
        assert!(matches!(error.code(), Some("rule_refused" | "malformed")), "{error:?}");
    }
    let answer = json!({"answer": "always", "per_day": 1, "until": until});
    asking.decide(&shown, answer).await.unwrap();
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(
        asking
            .send("POST /x/svc/items", "two")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    // Another path, and one more than is allowed in a day.
    let others = [
        asking.send("POST /x/svc/other", ""),
        asking.send("POST /x/svc/items", "three"),
    ];
    asking.waiting(2).await;
    asking.keeper.clock.forward(24 * 60 * MINUTE);
    assert!(
        asking
            .send("POST /x/svc/items", "four")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    let rule = asking.list().await["rules"][0].clone();
    assert_eq!((&rule["per_day"], &rule["used_today"]), (&json!(1), &json!(1)));
    asking
        .channel
        .call("approval.remove_rule", json!({"id": rule["id"]}))
        .await
        .unwrap();
    asking.keeper.clock.forward(24 * 60 * MINUTE);
    let after = asking.send("POST /x/svc/items", "five");
    asking.waiting(1).await;
    for call in others.into_iter().chain([after]) {
        call.abort();
    }
}

#[tokio::test]
async fn promise_07_a_rule_for_one_path_lets_nothing_through_that_names_another() {
    let asking = Asking::new().await;
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    let answer = json!({"answer": "always", "per_day": 9, "until": 10 * 24 * 60 * MINUTE});
    asking.decide(&shown, answer).await.unwrap();
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    let elsewhere = asking.send("POST /x/svc/items?rest_route=/wp/v2/users", "two");
    let shown = asking.waiting(1).await.remove(0);
    // And none can be made for it.
    assert_eq!(shown["may"]["always"], false);
    assert_eq!(asking.service.heard().len(), 1);
    elsewhere.abort();
}

#[tokio::test]
async fn promise_07_what_is_allowed_for_one_conversation_is_not_for_another() {
    let asking = Asking::new().await;
    asking.turns.set(&["talk"]);
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    asking.decide(&shown, json!({"answer": "conversation"})).await.unwrap();
    assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(
        asking
            .send("POST /x/svc/items", "two")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    asking.turns.set(&["other"]);
    let other = asking.send("POST /x/svc/items", "three");
    asking.waiting(1).await;
    asking.turns.set(&[]);
    let none = asking.send("POST /x/svc/items", "four");
    asking.waiting(2).await;
    assert_eq!(asking.service.heard().len(), 2);
    other.abort();
    none.abort();
}

#[tokio::test]
async fn a_request_is_in_the_vault_and_there_after_a_restart_and_no_more_wait_than_can_be_looked_at() {
    let asking = Asking::new().await;
    let calls: Vec<_> = (0..50)
        .map(|n| asking.send("POST /x/svc/items", &format!("{n}")))
        .collect();
    asking.waiting(50).await;
    let said = asking.send("POST /x/svc/items", "one more").await.unwrap();
    assert!(said.contains("too_many_approvals"), "{said}");
    let said = asking.send("POST /x/svc/items", &"x".repeat(33 * 1024)).await.unwrap();
    assert!(said.contains("too_large_to_ask"), "{said}");
    for call in calls {
        call.abort();
        drop(call.await);
    }
    let Asking { keeper, channel, .. } = asking;
    drop(channel);
    let keeper = Arc::into_inner(keeper).unwrap().restarted().await;
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &super::bench::password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    let listed = channel.call("approval.list", json!({})).await.unwrap();
    assert_eq!(listed["waiting"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn promise_07_a_service_that_is_not_asked_about_is_asked_about_while_two_are_needed() {
    let asking = Asking::new().await;
    let routes = asking.channel.call("route.list", json!({})).await.unwrap();
    let mut route = routes["routes"][0].clone();
    route["ask"] = json!(false);
    asking.channel.call("route.set", route).await.unwrap();
    assert!(
        asking
            .send("POST /x/svc/items", "one")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    asking.keeper.approvals.set_second_demanded(Some(true));
    let call = asking.send("POST /x/svc/items", "two");
    let shown = asking.waiting(1).await.remove(0);
    assert_eq!(
        (&shown["second"], &shown["may"]["always"]),
        (&json!(true), &json!(false))
    );
    let error = refused(asking.decide(&shown, json!({"answer": "once"})).await);
    assert_eq!(error.code(), Some("nobody_second"));
    assert_eq!(asking.service.heard().len(), 1);
    assert!(
        asking
            .send("GET /x/svc/items", "")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    call.abort();
}
