use std::sync::atomic::Ordering;

use protocol::control::NoticeKind;
use tokio::task::JoinSet;

use super::*;
use crate::activity::{Activity, What};
use crate::approvals::decide::Answer;
use crate::approvals::record::{Approval, State};
use crate::approvals::rule::Pattern;
use crate::chat::tests::openclaw::{Home, OpenClaw};
use crate::clock::SystemClock;
use crate::egress::NamedAddresses;
use crate::rates::Rates;
use crate::relay::tests::liar::{Liar, Lie};
use crate::relay::tests::person::Person;
use crate::services::Services;

/// Waits until the newest request is as it should be.
async fn until(approvals: &Approvals, is: impl Fn(&Approval) -> bool) -> Approval {
    let mut changes = approvals.changes();
    loop {
        changes.borrow_and_update();
        let all = approvals.all().unwrap();
        if let Some(found) = all.into_iter().find(&is) {
            return found;
        }
        changes.changed().await.unwrap();
    }
}

/// What of this is in the activity.
fn noted(activity: &Activity, what: What) -> Vec<Value> {
    let entries = json!(activity.entries(None).unwrap());
    let entries = entries.as_array().unwrap().iter();
    entries.filter(|entry| entry["what"] == json!(what)).cloned().collect()
}

/// A person whose keeper follows what this OpenClaw asks, until it is dropped.
struct Followed {
    approvals: Approvals,
    rates: Rates,
    activity: Activity,
    gateway: Gateway,
    _gateways: watch::Sender<Option<Gateway>>,
    _bridge: JoinSet<()>,
    _person: Person,
    _relay: Liar,
}

impl Followed {
    async fn of(openclaw: &OpenClaw) -> Self {
        let relay = Liar::start(Lie::Honest);
        let person = Person::at(&relay.socket).await;
        let (named, clock) = (NamedAddresses::default(), Arc::new(SystemClock));
        let services = Services::new(&person.vault, clock, &named, named.clone(), person.relay.clone());
        let gateway = openclaw.connect().await;
        let (gateways, watched) = watch::channel(Some(gateway.clone()));
        let mut bridge = JoinSet::new();
        bridge.spawn(bridge_commands(services.approvals.clone(), watched));
        Self {
            approvals: services.approvals,
            rates: services.rates,
            activity: services.activity,
            gateway,
            _gateways: gateways,
            _bridge: bridge,
            _person: person,
            _relay: relay,
        }
    }
}

fn command(id: &str) -> Value {
    json!({"id": id, "request": {"command": format!("echo {id}"), "sessionKey": "main"}})
}

/// Waits until this command is as it should be.
async fn until_command(approvals: &Approvals, id: &str, is: impl Fn(&Approval) -> bool) -> Approval {
    let (_, action) = read(&command(id)).unwrap();
    until(approvals, |each| each.hash == action.hash() && is(each)).await
}

/// What OpenClaw tells in a moment in which its keeper, which has just asked what waits, does not listen: that these were decided, and then so
/// much else that none of it is left to be heard. When it asks again, it waits until that is let go.
async fn decide_unheard(openclaw: &OpenClaw, gateway: &Gateway, decided: &[(&str, &str)]) {
    openclaw.holds().await;
    for (id, decision) in decided {
        openclaw.decided(id, decision);
        openclaw.tell(RESOLVED, &json!({"id": id, "decision": decision}));
    }
    let mut heard = gateway.events();
    for _ in 0..limits::GATEWAY_EVENTS + 100 {
        openclaw.tell("sessions.changed", &json!({}));
        heard.recv().await.unwrap();
    }
    openclaw.let_go();
    openclaw.hold("approval.history");
    openclaw.holds().await;
}

#[tokio::test]
async fn promise_07_a_command_that_openclaw_does_not_wait_for_any_more_is_withdrawn_and_cannot_be_allowed() {
    let openclaw = OpenClaw::new(Home::new());
    let request = json!({"command": "git push", "cwd": "/home/agent", "host": "gateway", "resolvedPath": "/usr/bin/git",
        "envKeys": ["GIT_SSH"], "warningText": "It leaves this computer", "sessionKey": "main"});
    openclaw.waits_for(json!({"id": "1", "request": request}));
    let followed = Followed::of(&openclaw).await;
    let approvals = &followed.approvals;
    let asked = until(approvals, |each| each.state == State::Waiting).await;
    openclaw.tell(REQUESTED, &json!({"id": "same", "request": request}));
    // What decides what is run is in what is allowed, and in what is allowed for longer.
    let shown = json!(asked.action);
    assert_eq!(
        (&shown["program"], &shown["variables"], &shown["warning"]),
        (
            &json!("/usr/bin/git"),
            &json!(["GIT_SSH"]),
            &json!("It leaves this computer")
        )
    );
    for (name, value) in [
        ("host", json!("node")),
        ("resolvedPath", json!("/tmp/git")),
        ("envKeys", json!([])),
    ] {
        let mut other = request.clone();
        other[name] = value;
        let (_, other) = read(&json!({"id": "2", "request": other})).unwrap();
        assert!(
            other.hash() != asked.hash && Pattern::of(&other) != Pattern::of(&asked.action),
            "{name}"
        );
    }

    // Somebody has answered it in OpenClaw, or its time is up; but not that of another that is the very same.
    openclaw.tell(RESOLVED, &json!({"id": "1", "decision": "deny"}));
    let other = json!({"command": "git pull", "sessionKey": "main"});
    openclaw.tell(REQUESTED, &json!({"id": "3", "request": other}));
    let pull = until(approvals, |each| each.hash != asked.hash).await;
    openclaw.tell(RESOLVED, &json!({"id": "3", "decision": "deny"}));
    until(approvals, |each| {
        each.id == pull.id && each.expires_at < pull.expires_at
    })
    .await;
    let all = approvals.all().unwrap();
    assert!(
        all.iter()
            .any(|each| each.id == asked.id && each.expires_at == asked.expires_at)
    );
    openclaw.tell(RESOLVED, &json!({"id": "same", "decision": "deny"}));
    let over = until(approvals, |each| {
        each.id == asked.id && each.expires_at < asked.expires_at
    })
    .await;
    assert_eq!(over.state, State::Waiting, "it was not answered here");
    assert!(
        approvals
            .all()
            .unwrap()
            .iter()
            .all(|each| !each.is_waiting(over.expires_at))
    );
}

#[tokio::test]
async fn promise_07_a_yes_that_is_not_its_owners_is_in_the_activity_and_told_as_an_alarm() {
    let openclaw = OpenClaw::new(Home::new());
    let followed = Followed::of(&openclaw).await;
    let (approvals, rates, activity) = (&followed.approvals, &followed.rates, &followed.activity);
    let asks = async |id: &str| {
        let request = json!({"command": format!("echo {id}"), "sessionKey": "main"});
        let request = json!({"id": id, "request": request});
        openclaw.waits_for(request.clone());
        openclaw.tell(REQUESTED, &request);
        let (_, action) = read(&request).unwrap();
        until(approvals, |each| each.hash == action.hash()).await
    };
    let told = || approvals.waits(rates).unwrap().notices;
    let noted = || noted(activity, What::CommandDecidedElsewhere);

    // As many calls are held as may be: a command is asked about all the same.
    approvals.held.fetch_add(limits::APPROVALS_HELD, Ordering::Relaxed);
    // Its owner's answers, and somebody else's no, are nothing unusual.
    let first = asks("first").await;
    approvals.decide(first.id, first.hash, Answer::Once).await.unwrap();
    assert_eq!(openclaw.answer_to("first").await, "allow-once");
    let second = asks("second").await;
    let no = Answer::Deny { reason: String::new() };
    approvals.decide(second.id, second.hash, no.clone()).await.unwrap();
    assert_eq!(openclaw.answer_to("second").await, "deny");
    let third = asks("third").await;
    openclaw.tell(RESOLVED, &json!({"id": "third", "decision": "deny"}));
    let over = until(approvals, |each| {
        each.id == third.id && each.expires_at < third.expires_at
    })
    .await;
    assert!(!over.elsewhere && noted().is_empty() && told().is_empty());

    // Somebody else's yes is noted before it leaves the inbox, and its owner is called, however long it is for.
    for (id, decision) in [("fourth", "allow-once"), ("fifth", "allow-always")] {
        let asked = asks(id).await;
        openclaw.tell(RESOLVED, &json!({"id": id, "decision": decision}));
        let seen = until(approvals, |each| {
            each.id == asked.id && each.expires_at < asked.expires_at
        })
        .await;
        assert!(seen.elsewhere, "{id}");
    }
    // So is one that was given in the moment in which its owner said no.
    let sixth = asks("sixth").await;
    openclaw.decided("sixth", "allow-once");
    approvals.decide(sixth.id, sixth.hash, no).await.unwrap();
    assert_eq!(openclaw.answer_to("sixth").await, "deny");
    openclaw.tell(RESOLVED, &json!({"id": "sixth", "decision": "allow-once"}));
    let seen = until(approvals, |each| each.id == sixth.id && each.elsewhere).await;
    assert!(matches!(seen.state, State::Denied { .. }), "{seen:?}");
    // What its owner has seen of it is written down, until it is done again.
    let has_seen = |id| approvals.get(id).unwrap().seen;
    for id in [sixth.id, first.id] {
        approvals.seen_elsewhere(id).await.unwrap();
    }
    assert!(has_seen(sixth.id) && !has_seen(first.id));
    approvals.decided_elsewhere(Some(sixth.hash), None).await.unwrap();
    assert!(!has_seen(sixth.id));
    let noted = noted();
    assert_eq!((noted.len(), &noted[0]["count"]), (1, &json!(4)), "{noted:?}");
    let told = told();
    let kinds: Vec<_> = told.iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::DecidedElsewhere]);
    assert!(
        told[0].id.uuid().is_nil()
            && json!(told[0].ends_at) == json!(noted[0]["first"].as_i64().unwrap() + 60 * 60_000)
    );
}

#[tokio::test]
async fn promise_07_what_was_decided_while_its_keeper_could_not_follow_is_asked_for() {
    let openclaw = OpenClaw::new(Home::new());
    openclaw.decided("before", "allow-once");
    for id in ["allowed", "refused", "open"] {
        openclaw.waits_for(command(id));
    }
    openclaw.hold("exec.approval.list");
    let followed = Followed::of(&openclaw).await;
    let (approvals, activity) = (&followed.approvals, &followed.activity);
    let decided = [
        ("allowed", "allow-once"),
        ("refused", "deny"),
        ("unasked", "allow-always"),
        ("unasked-refused", "deny"),
    ];
    let waits = async |id: &str| until_command(approvals, id, |each| each.state == State::Waiting).await;
    // Nor is it heard that this waits.
    openclaw.holds().await;
    for id in ["late", "unasked"] {
        openclaw.waits_for(command(id));
    }
    decide_unheard(&openclaw, &followed.gateway, &decided).await;
    let (allowed, refused, open) = (waits("allowed").await, waits("refused").await, waits("open").await);
    openclaw.let_go();
    let over = |before: Approval| move |now: &Approval| now.expires_at < before.expires_at;
    let allowed = until_command(approvals, "allowed", over(allowed)).await;
    let refused = until_command(approvals, "refused", over(refused)).await;
    assert!(allowed.elsewhere && !refused.elsewhere);
    let unasked = until_command(approvals, "unasked", |each| each.elsewhere).await;
    assert_eq!(unasked.expires_at, unasked.asked_at, "nobody can answer it");

    // What is decided here is nobody else's yes, and what nobody was asked about is.
    approvals.decide(open.id, open.hash, Answer::Once).await.unwrap();
    assert_eq!(openclaw.answer_to("open").await, "allow-once");
    let late = waits("late").await;
    openclaw.tell(RESOLVED, &json!({"id": "late", "decision": "allow-once"}));
    until_command(approvals, "late", over(late)).await;
    let elsewhere = noted(activity, What::CommandDecidedElsewhere);
    assert_eq!(
        (elsewhere.len(), &elsewhere[0]["count"]),
        (1, &json!(3)),
        "{elsewhere:?}"
    );
    assert!(noted(activity, What::CommandsUnseen).is_empty());
}

#[tokio::test]
async fn promise_07_a_yes_that_is_given_while_its_keeper_begins_to_follow_is_noted() {
    let openclaw = OpenClaw::new(Home::new());
    openclaw.decided("before", "allow-once");
    openclaw.hold("approval.history");
    let followed = Followed::of(&openclaw).await;
    openclaw.holds().await;
    // OpenClaw has answered what was decided, and this is not in it.
    let mut heard = followed.gateway.events();
    for id in ["before", "between"] {
        openclaw.decided(id, "allow-once");
        openclaw.tell(RESOLVED, &json!({"id": id, "decision": "allow-once"}));
    }
    openclaw.tell(REQUESTED, &command("last"));
    for _ in 0..3 {
        heard.recv().await.unwrap();
    }
    openclaw.let_go();
    // One after the other: what was told before it is noted.
    until_command(&followed.approvals, "last", |each| each.state == State::Waiting).await;
    let elsewhere = noted(&followed.activity, What::CommandDecidedElsewhere);
    assert_eq!(
        (elsewhere.len(), &elsewhere[0]["count"]),
        (1, &json!(1)),
        "{elsewhere:?}"
    );
}

#[tokio::test]
async fn promise_07_a_yes_to_what_nobody_was_asked_about_is_in_the_inbox_as_far_as_openclaw_says_what_it_was() {
    let openclaw = OpenClaw::new(Home::new());
    let followed = Followed::of(&openclaw).await;
    let approvals = &followed.approvals;
    // The very same is asked about, too, and stays what it is.
    openclaw.tell(REQUESTED, &command("echo"));
    let asked = until_command(approvals, "echo", |each| each.state == State::Waiting).await;
    let long = "x".repeat(limits::APPROVAL_BYTES);
    let yes = |id: &str, request: Value| {
        let told = json!({"id": id, "decision": "allow-once", "request": request});
        openclaw.tell(RESOLVED, &told);
    };
    yes("same", command("echo")["request"].clone());
    yes("nothing", Value::Null);
    yes("no folder's name", json!({"command": "ls", "cwd": long}));
    yes("long", json!({"command": long, "cwd": "/home/agent"}));
    let hash = read(&json!({"id": "long", "request": {"command": long, "cwd": "/home/agent"}}))
        .unwrap()
        .1
        .hash();
    let kept = until(approvals, |each| each.hash == hash).await;
    let action = json!(kept.action);
    assert_eq!(
        (action["command"].as_str().unwrap().len(), &action["folder"]),
        (500, &json!("/home/agent"))
    );
    let all = approvals.all().unwrap();
    let same = all
        .iter()
        .find(|each| each.hash == asked.hash && each.id != asked.id)
        .unwrap();
    assert!(all.len() == 3 && all.contains(&asked), "{all:?}");
    for each in [same, &kept] {
        assert!(
            each.elsewhere && !each.seen && !each.is_waiting(each.asked_at),
            "{each:?}"
        );
    }
    approvals.seen_elsewhere(kept.id).await.unwrap();
    assert!(approvals.get(kept.id).unwrap().seen);
    let elsewhere = noted(&followed.activity, What::CommandDecidedElsewhere);
    assert_eq!(elsewhere[0]["count"], json!(4), "{elsewhere:?}");
}

#[tokio::test]
async fn promise_07_where_openclaw_does_not_say_what_was_decided_meanwhile_that_is_in_the_activity() {
    let openclaw = OpenClaw::new(Home::new());
    openclaw.tell_nothing_decided();
    for id in ["gone", "open"] {
        openclaw.waits_for(command(id));
    }
    openclaw.hold("exec.approval.list");
    let followed = Followed::of(&openclaw).await;
    let (approvals, activity) = (&followed.approvals, &followed.activity);
    decide_unheard(&openclaw, &followed.gateway, &[("gone", "allow-once")]).await;
    let waits = async |id: &str| until_command(approvals, id, |each| each.state == State::Waiting).await;
    let (gone, open) = (waits("gone").await, waits("open").await);
    openclaw.let_go();
    let gone = until_command(approvals, "gone", |now| now.expires_at < gone.expires_at).await;
    assert!(!gone.elsewhere && noted(activity, What::CommandDecidedElsewhere).is_empty());
    let unseen = noted(activity, What::CommandsUnseen);
    assert_eq!((unseen.len(), &unseen[0]["count"]), (1, &json!(1)), "{unseen:?}");
    assert_eq!(waits("open").await.expires_at, open.expires_at);
}
