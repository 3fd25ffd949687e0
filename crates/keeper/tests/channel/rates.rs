//! Far more calls than usual: paused until the owner lets them go on, by the agent and by those with whom something is shared.

use client::Channel;
use keeper::clock::Clock as _;
use protocol::channel::VaultState;
use protocol::{UserId, b64};
use serde_json::{Value, json};
use vault::{Capability, Constraints, Identity, NewCapability, Presentation, Resource, Scope, SharedRequest};

use super::agent_side::Service;
use super::approvals::Asking;
use super::bench::{TestKeeper, password};
use super::tools::call;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const FLOOR: u32 = keeper::limits::RATE_READS_FLOOR;

/// A keeper with these services.
async fn with(services: &[&str]) -> (TestKeeper, Channel, Service) {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.clock.forward(20_000 * DAY);
    let service = Service::echo().await;
    let mut route = keeper.route_to(&channel, &service, "").await;
    for name in services {
        (route["name"], route["ask"]) = (json!(name), json!(true));
        channel.call("route.set", route.clone()).await.unwrap();
    }
    (keeper, channel, service)
}

/// So many calls of the agent, which go through.
async fn calls(keeper: &TestKeeper, service: &str, many: u32) {
    for _ in 0..many {
        let answer = keeper.agent.get(&format!("/x/{service}/today")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

async fn refused(keeper: &TestKeeper, service: &str) {
    let answer = keeper.agent.get(&format!("/x/{service}/today")).await;
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("paused"),
        "{answer}"
    );
}

async fn paused(channel: &Channel) -> Vec<Value> {
    let told = channel.call("rate.paused", json!({})).await.unwrap();
    told["paused"].as_array().unwrap().clone()
}

/// In again, after a restart or a lock.
async fn again(keeper: &TestKeeper) -> Channel {
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    channel
}

#[tokio::test]
async fn promise_07_an_agent_that_calls_far_more_than_usual_is_paused_until_its_owner_lets_it_go_on() {
    let (keeper, channel, service) = with(&["calendar", "notes"]).await;
    calls(&keeper, "calendar", FLOOR).await;
    assert!(paused(&channel).await.is_empty());
    refused(&keeper, "calendar").await;
    assert_eq!(service.heard().len(), usize::try_from(FLOOR).unwrap());
    assert_eq!(
        paused(&channel).await,
        [
            json!({"user": null, "name": "", "service": "calendar", "at": keeper.clock.now(), "changes": false, "calls": FLOOR, "usual": 0})
        ]
    );
    // Everything else goes on; and nothing ends a pause but its owner.
    calls(&keeper, "notes", 1).await;
    keeper.clock.forward(2 * HOUR);
    refused(&keeper, "calendar").await;
    let answer = keeper.agent.ask("POST /x/calendar/new", &[], "{}").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    // Its owner is not asked for what would be refused then.
    let asked = channel.call("approval.list", json!({})).await.unwrap();
    assert_eq!(asked["waiting"], json!([]));
    let noted = channel.call("activity.list", json!({"class": "person"})).await.unwrap();
    let entry = &noted["entries"][0];
    assert_eq!(
        (&entry["what"], &entry["to"], &entry["why"]),
        (&json!("rate_paused"), &json!("calendar"), &json!("your agent"))
    );
    channel
        .call("rate.resume", json!({"service": "calendar"}))
        .await
        .unwrap();
    calls(&keeper, "calendar", 1).await;
    assert!(paused(&channel).await.is_empty());
    let week = channel.call("rate.week", json!({})).await.unwrap();
    assert_eq!(
        week["rows"],
        json!([
            {"user": null, "name": "", "service": "calendar", "reads": FLOOR + 1, "changes": 0, "pauses": 1},
            {"user": null, "name": "", "service": "notes", "reads": 1, "changes": 0, "pauses": 0},
        ])
    );
    keeper.clock.forward(7 * DAY);
    let week = channel.call("rate.week", json!({})).await.unwrap();
    assert_eq!(week["rows"], json!([]));
}

#[tokio::test]
async fn promise_07_a_restart_neither_ends_a_pause_nor_begins_the_hour_anew() {
    let (keeper, channel, service) = with(&["calendar", "notes"]).await;
    calls(&keeper, "notes", FLOOR - 1).await;
    // What was counted until here is written with the next thing that must not be lost.
    calls(&keeper, "calendar", FLOOR).await;
    refused(&keeper, "calendar").await;
    drop(channel);
    let keeper = keeper.restarted().await;
    let channel = again(&keeper).await;
    keeper.named.set([service.at.to_string()]);
    refused(&keeper, "calendar").await;
    assert_eq!(paused(&channel).await.len(), 1);
    calls(&keeper, "notes", 1).await;
    refused(&keeper, "notes").await;
}

#[tokio::test]
async fn promise_07_an_agent_that_is_paused_at_a_third_service_within_an_hour_has_the_vault_locked() {
    let (keeper, channel, _service) = with(&["a", "b", "c", "d"]).await;
    calls(&keeper, "a", FLOOR).await;
    refused(&keeper, "a").await;
    keeper.clock.forward(HOUR);
    for name in ["b", "c"] {
        calls(&keeper, name, FLOOR).await;
        refused(&keeper, name).await;
    }
    // One that its owner let go on is still the same service.
    let go_on = json!({"user": null, "service": "c"});
    channel.call("rate.resume", go_on).await.unwrap();
    calls(&keeper, "c", 2 * FLOOR).await;
    refused(&keeper, "c").await;
    // The first one was an hour ago.
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
    let mut state = keeper.vault.watch();
    calls(&keeper, "d", FLOOR).await;
    refused(&keeper, "d").await;
    state.wait_for(|state| *state == VaultState::Locked).await.unwrap();
    drop(channel);
    let channel = again(&keeper).await;
    assert_eq!(paused(&channel).await.len(), 4);
    let noted = channel.call("activity.list", json!({"class": "person"})).await.unwrap();
    assert!(noted["entries"].to_string().contains("rate_locked"), "{noted}");
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
}

#[tokio::test]
async fn promise_07_whoever_uses_what_is_shared_far_more_than_usual_is_paused_and_nobody_else() {
    let (keeper, channel, service) = with(&["calendar"]).await;
    let mut people = Vec::new();
    for name in ["Bob", "Carol"] {
        let (identity, user) = (Identity::random(), UserId::new());
        let pin = json!({"user": user, "name": name, "bundle": b64::encode(identity.public().encode())});
        channel.call("contact.pin", pin).await.unwrap();
        let terms = json!({"with": user, "resource": "service/calendar", "scope": ["read"], "until": keeper.clock.now() + 30 * DAY});
        let given = channel.call("share.issue", terms).await.unwrap();
        let share = Capability::parse(&serde_json_canonicalizer::to_vec(&given["capability"]).unwrap()).unwrap();
        people.push((identity, user, share));
    }
    let uses = async |who: usize| {
        let (identity, _, share) = &people[who];
        let request = SharedRequest {
            service: "calendar".into(),
            method: "GET".into(),
            path: "/today".into(),
            query: String::new(),
            content_type: String::new(),
            body: Vec::new(),
        };
        let presented = Presentation::sign(identity, vec![share.clone()], request, keeper.clock.now()).unwrap();
        let answered = keeper.shares.answer(&identity.public(), &presented.encode()).await;
        answered
            .map(|answered| answered.status)
            .map_err(|error| (error.code().to_owned(), error.to_string()))
    };
    for _ in 0..FLOOR {
        assert_eq!(uses(0).await, Ok(200));
    }
    let (code, words) = uses(0).await.unwrap_err();
    // In plain words, without how many or why.
    assert!(
        code == "paused" && !words.contains(|letter: char| letter.is_ascii_digit()),
        "{words}"
    );
    assert_eq!(service.heard().len(), usize::try_from(FLOOR).unwrap());
    let told = paused(&channel).await;
    assert_eq!(
        (&told[0]["user"], &told[0]["name"], told.len()),
        (&json!(people[0].1), &json!("Bob"), 1)
    );
    // What was refused was not counted as a use.
    let given = channel.call("share.given", json!({})).await.unwrap();
    let bobs = given["given"]
        .as_array()
        .unwrap()
        .iter()
        .find(|given| given["name"] == "Bob")
        .unwrap();
    assert_eq!(bobs["calls"], FLOOR);
    assert_eq!(uses(1).await, Ok(200));
    calls(&keeper, "calendar", 1).await;
    keeper.clock.forward(2 * HOUR);
    assert_eq!(uses(0).await.unwrap_err().0, "paused");
    let resume = json!({"user": people[0].1, "service": "calendar"});
    channel.call("rate.resume", resume).await.unwrap();
    assert_eq!(uses(0).await, Ok(200));
}

/// What Bob shares with the owner, of so many services.
struct Shared {
    bob: UserId,
    ids: Vec<uuid::Uuid>,
}

impl Shared {
    /// As their records are written: nobody is at the other end, so calls that leave wait for an answer.
    async fn with(keeper: &TestKeeper, channel: &Channel, services: &[&str]) -> Self {
        let (bob, user) = (Identity::random(), UserId::new());
        let bundle = b64::encode(bob.public().encode());
        let pin = json!({"user": user, "name": "Bob", "bundle": bundle});
        channel.call("contact.pin", pin).await.unwrap();
        let own = channel.call("identity.get", json!({})).await.unwrap()["bundle"].clone();
        let own = b64::decode(own.as_str().unwrap()).unwrap();
        let mut ids = Vec::new();
        for service in services {
            let new = NewCapability {
                id: uuid::Uuid::now_v7(),
                holder: vault::PublicIdentity::decode(&own).unwrap().signer(),
                resource: Resource::parse(&format!("service/{service}")).unwrap(),
                scope: [Scope::Read, Scope::Write].into(),
                from: keeper.clock.now(),
                until: keeper.clock.now() + 30 * DAY,
                constraints: Constraints::default(),
                cached: None,
            };
            ids.push(new.id);
            let capability = serde_json::to_value(Capability::issue(&bob, new).unwrap()).unwrap();
            let received = json!({"from": bundle, "capability": capability, "at": keeper.clock.now()});
            Self::put(keeper, &format!("share/received/{}", ids[ids.len() - 1]), &received).await;
        }
        Self { bob: user, ids }
    }

    async fn put(keeper: &TestKeeper, name: &str, value: &Value) {
        let bytes = [vec![1], serde_json::to_vec(value).unwrap()].concat();
        keeper.vault.put_record(name, &bytes).await.unwrap();
    }

    /// So many calls were made in this hour.
    async fn were_called(keeper: &TestKeeper, who: &str, service: &str, calls: [u32; 2]) {
        let now = keeper.clock.now();
        let kept = json!({"name": "Bob", "hour": now / HOUR, "calls": calls,
            "days": [{"day": now / DAY, "busiest": calls, "calls": calls}], "raised": [0, 0], "raised_on": 0, "pause": null, "paused": []});
        Self::put(keeper, &format!("rates/{who}/{service}"), &kept).await;
    }

    /// What the agent is told that calls this.
    async fn calls(&self, keeper: &TestKeeper, which: usize, method: &str) -> String {
        let arguments = json!({"id": self.ids[which], "method": method});
        let said = call(&keeper.agent, "call_shared", &arguments).await;
        said["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn promise_07_an_agent_that_calls_what_somebody_shares_far_more_than_usual_is_paused_there() {
    let (keeper, channel, _service) = with(&["calendar"]).await;
    let shared = Shared::with(&keeper, &channel, &["calendar"]).await;
    let who = format!("at-{}", shared.bob);
    Shared::were_called(&keeper, &who, "calendar", [FLOOR - 1, 0]).await;
    let week = async || {
        let week = channel.call("rate.week", json!({})).await.unwrap();
        week["rows"].as_array().unwrap().clone()
    };
    // It is counted before it leaves; the agent does not wait for an answer.
    tokio::select! {
        said = shared.calls(&keeper, 0, "GET") => panic!("answered: {said}"),
        () = async {
            while week().await[0]["reads"] != FLOOR {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(
        week().await,
        [
            json!({"user": shared.bob, "name": "Bob", "own_agent": true, "service": "calendar", "reads": FLOOR, "changes": 0, "pauses": 0})
        ]
    );
    let said = shared.calls(&keeper, 0, "GET").await;
    assert!(said.starts_with("paused"), "{said}");
    let told = paused(&channel).await;
    assert_eq!(
        (told.len(), &told[0]["user"], &told[0]["own_agent"], &told[0]["calls"]),
        (1, &json!(shared.bob), &json!(true), &json!(FLOOR))
    );
    let noted = channel.call("activity.list", json!({"class": "person"})).await.unwrap();
    let entry = &noted["entries"][0];
    assert_eq!(
        (&entry["what"], &entry["to"], &entry["why"]),
        (&json!("rate_paused"), &json!("calendar of Bob"), &json!("your agent"))
    );
    // Nor is its owner asked for what would be refused then. What is their own goes on, also of the same name.
    let said = shared.calls(&keeper, 0, "POST").await;
    assert!(said.starts_with("paused"), "{said}");
    let asked = channel.call("approval.list", json!({})).await.unwrap();
    assert_eq!(asked["waiting"], json!([]));
    calls(&keeper, "calendar", 1).await;
    // It is the agent's pause and not Bob's.
    let resume = async |own_agent: bool| {
        let go_on = json!({"user": shared.bob, "own_agent": own_agent, "service": "calendar"});
        channel.call("rate.resume", go_on).await.unwrap();
        paused(&channel).await.len()
    };
    assert_eq!(resume(false).await, 1);
    assert_eq!(resume(true).await, 0);
}

#[tokio::test]
async fn promise_07_what_its_owner_allows_an_agent_to_change_at_somebody_elses_counts_and_is_not_used_up_when_paused() {
    let (keeper, channel, _service) = with(&[]).await;
    let shared = Shared::with(&keeper, &channel, &["calendar"]).await;
    let most = keeper::limits::RATE_CHANGES_FLOOR;
    Shared::were_called(&keeper, &format!("at-{}", shared.bob), "calendar", [0, most]).await;
    let allowing = async {
        let mut changes = keeper.approvals.changes();
        let shown = loop {
            let list = channel.call("approval.list", json!({})).await.unwrap();
            if let Some(shown) = list["waiting"].as_array().unwrap().first() {
                break shown.clone();
            }
            changes.changed().await.unwrap();
        };
        let answer = json!({"id": shown["id"], "hash": shown["hash"], "answer": {"answer": "once"}});
        channel.call("approval.decide", answer).await.unwrap();
    };
    let (said, ()) = tokio::join!(shared.calls(&keeper, 0, "POST"), allowing);
    assert!(said.starts_with("paused"), "{said}");
    let list = channel.call("approval.list", json!({})).await.unwrap();
    assert_eq!(list["decided"][0]["state"], "allowed");
}

#[tokio::test]
async fn promise_07_pauses_at_what_others_share_lock_the_vault_as_those_at_its_owners_services_do() {
    let (keeper, channel, _service) = with(&["calendar"]).await;
    let shared = Shared::with(&keeper, &channel, &["calendar", "notes"]).await;
    for service in ["calendar", "notes"] {
        Shared::were_called(&keeper, &format!("at-{}", shared.bob), service, [FLOOR, 0]).await;
    }
    Shared::were_called(&keeper, "agent", "calendar", [FLOOR, 0]).await;
    refused(&keeper, "calendar").await;
    assert!(shared.calls(&keeper, 0, "GET").await.starts_with("paused"));
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
    let mut state = keeper.vault.watch();
    assert!(shared.calls(&keeper, 1, "GET").await.starts_with("paused"));
    state.wait_for(|state| *state == VaultState::Locked).await.unwrap();
}

#[tokio::test]
async fn promise_07_no_answer_and_no_rule_is_used_up_by_a_call_that_is_paused() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let asking = Asking::of(keeper, channel).await;
    let send = async |body: &str| asking.send("POST /x/svc/items", body).await.unwrap();
    let is_paused = |answer: &str| answer.starts_with("HTTP/1.1 429");
    // As many as there is room for in this hour, but for one, and nobody is asked about them.
    let list = asking.channel.call("route.list", json!({})).await.unwrap();
    let mut route = list["routes"][0].clone();
    route.as_object_mut().unwrap().remove("agent_url");
    route["ask"] = json!(false);
    asking.channel.call("route.set", route.clone()).await.unwrap();
    let floor = keeper::limits::RATE_CHANGES_FLOOR;
    for _ in 1..floor {
        assert!(!is_paused(&send("more").await));
    }
    route["ask"] = json!(true);
    asking.channel.call("route.set", route).await.unwrap();
    let bodies = ["the words", "other words"];
    let calls = bodies.map(|body| asking.send("POST /x/svc/items", body));
    let both = asking.waiting(2).await;
    asking.allow(&both[0]).await;
    asking.allow(&both[1]).await;
    let mut left = Vec::new();
    for (call, body) in calls.into_iter().zip(bodies) {
        left.extend(is_paused(&call.await.unwrap()).then_some(body));
    }
    assert_eq!(left.len(), 1, "there was room for one");
    // Its owner lets them go on, and what they had allowed is done without asking again.
    let resume = json!({"service": "svc"});
    asking.channel.call("rate.resume", resume).await.unwrap();
    assert!(!is_paused(&send(left[0]).await));
    assert_eq!(asking.list().await["waiting"], json!([]));

    // A rule's uses are counted, and what was paused was none.
    let next = asking.send("POST /x/svc/items", "ruled");
    let shown = asking.waiting(1).await.remove(0);
    let rule = json!({"answer": "always", "per_day": 500, "until": asking.keeper.clock.now() + DAY});
    asking.decide(&shown, rule).await.unwrap();
    assert!(!is_paused(&next.await.unwrap()));
    let most = 2 * floor - 2;
    for number in 0..most {
        assert!(!is_paused(&send(&format!("ruled {number}")).await));
    }
    assert!(is_paused(&send("ruled").await));
    assert_eq!(asking.list().await["rules"][0]["used_today"], most);
}
