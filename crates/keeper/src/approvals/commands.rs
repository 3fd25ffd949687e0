//! OpenClaw's own questions before it runs a command, when its owner wants to be asked. OpenClaw gets `allow-once` or `deny` and
//! nothing else: what is allowed for longer is kept here and not in the agent's home, which the agent can write.
//!
//! This holds back an agent that means well. Whatever runs in the agent's container already can run what it likes there, and can answer
//! OpenClaw by itself: what is promised is that a yes which OpenClaw tells of, and which its owner did not give, is noted and told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use vault::Hash;

use super::Approvals;
use super::action::Action;
use super::ask::Verdict;
use crate::gateway::{Gateway, GatewayEvent};
use crate::vault_service::unpoisoned;

const REQUESTED: &str = "exec.approval.requested";
const RESOLVED: &str = "exec.approval.resolved";

/// What OpenClaw asks, by its id, until OpenClaw says that it is decided.
type Asked = Arc<Mutex<HashMap<String, Standing>>>;

/// How a question of OpenClaw's stands.
enum Standing {
    /// It waits, or was refused: for this, and two may be of the very same. Whoever waits for the owner hears when it is over.
    Waits(Hash, oneshot::Sender<()>),
    /// Its owner has allowed it, or a rule of theirs.
    Allowed,
}

/// Carries questions and answers between OpenClaw and its owner, for as long as there is an agent.
pub async fn bridge_commands(approvals: Approvals, mut gateways: watch::Receiver<Option<Gateway>>) {
    loop {
        let current = gateways.borrow_and_update().clone();
        let follow = async {
            if let Some(gateway) = &current {
                follow(&approvals, gateway).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = follow => {}
            changed = gateways.changed() => if changed.is_err() { return },
        }
    }
}

async fn follow(approvals: &Approvals, gateway: &Gateway) {
    let asked = Asked::default();
    let mut events = gateway.events();
    // What was asked before this connection was made.
    match gateway.call("exec.approval.list", json!({})).await {
        Ok(answer) => {
            let list = answer.as_array().or_else(|| answer["approvals"].as_array()).cloned();
            for request in list.unwrap_or_default() {
                ask(approvals, gateway, &asked, &request);
            }
        }
        Err(error) => tracing::info!("OpenClaw does not say which commands wait: {error}"),
    }
    loop {
        match events.recv().await {
            Ok(GatewayEvent::Approval { name, payload }) if name == REQUESTED => {
                ask(approvals, gateway, &asked, &payload);
            }
            Ok(GatewayEvent::Approval { name, payload }) if name == RESOLVED => {
                // Not by its owner, whose yes is marked before it is given. Whoever waits for it is let go when it is noted.
                let taken = unpoisoned(&asked).remove(payload["id"].as_str().unwrap_or_default());
                if let Some(Standing::Waits(hash, waits)) = taken
                    && is_yes(&payload)
                {
                    // Beside what else OpenClaw tells, so that a flood of that pushes nothing out unread.
                    let approvals = approvals.clone();
                    tokio::spawn(async move {
                        if let Err(error) = approvals.decided_elsewhere(hash).await {
                            tracing::warn!(
                                "a command was allowed in the agent's cell, and that could not be noted: {error}"
                            );
                        }
                        drop(waits);
                    });
                }
            }
            Ok(GatewayEvent::Closed) | Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
        }
    }
}

/// Asks the owner, beside everything else, and gives OpenClaw the answer. Without one OpenClaw refuses by itself when its time is up.
fn ask(approvals: &Approvals, gateway: &Gateway, asked: &Asked, request: &Value) {
    let Some((id, action)) = read(request) else { return };
    let (resolved, elsewhere) = oneshot::channel();
    match unpoisoned(asked).entry(id.clone()) {
        Entry::Vacant(free) => free.insert(Standing::Waits(action.hash(), resolved)),
        Entry::Occupied(_) => return,
    };
    let (approvals, gateway, asked) = (approvals.clone(), gateway.clone(), Arc::clone(asked));
    tokio::spawn(async move {
        let nobody_waits = async {
            tokio::select! {
                () = gateway.closed() => {}
                _ = elsewhere => {}
            }
        };
        let verdict = tokio::select! {
            verdict = approvals.ask_for_openclaw(&action) => verdict,
            () = nobody_waits => {
                let others = {
                    let mut asked = unpoisoned(&asked);
                    asked.remove(&id);
                    let same = |standing: &Standing| matches!(standing, Standing::Waits(hash, _) if *hash == action.hash());
                    asked.values().any(same)
                };
                if others {
                    return;
                }
                if let Err(error) = approvals.withdraw(action.hash()).await {
                    tracing::debug!("a command that nobody waits for any more stays listed until it expires: {error}");
                }
                return;
            }
        };
        let allowed = match verdict {
            Ok(Verdict::Allowed) => true,
            Ok(Verdict::Denied { .. }) => false,
            Ok(Verdict::Waiting { .. }) => {
                unpoisoned(&asked).remove(&id);
                return;
            }
            Err(error) => {
                tracing::info!("a command is refused, because it cannot be asked for: {error}");
                false
            }
        };
        {
            let mut asked = unpoisoned(&asked);
            match asked.get_mut(&id) {
                Some(standing) if allowed => *standing = Standing::Allowed,
                Some(_) => {}
                None => return,
            }
        }
        let answer = json!({"id": id, "decision": if allowed { "allow-once" } else { "deny" }});
        match gateway.call("exec.approval.resolve", answer).await {
            // A yes stays marked as its owner's until OpenClaw tells of it.
            Ok(_) if allowed => {}
            Ok(_) => drop(unpoisoned(&asked).remove(&id)),
            Err(error) => {
                tracing::warn!("OpenClaw did not take the answer to a command: {error}");
                // A no that came too late: what OpenClaw has heard instead, it tells.
                if allowed {
                    unpoisoned(&asked).remove(&id);
                }
            }
        }
    });
}

/// Whether it was allowed, for once or for longer.
fn is_yes(resolved: &Value) -> bool {
    resolved["decision"]
        .as_str()
        .is_some_and(|decision| decision.starts_with("allow"))
}

fn read(payload: &Value) -> Option<(String, Action)> {
    let id = payload["id"].as_str()?.to_owned();
    let request = &payload["request"];
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let command = text("command");
    let variables = request["envKeys"].as_array().into_iter().flatten();
    let variables = variables.filter_map(Value::as_str).map(str::to_owned).collect();
    (!command.is_empty()).then(|| {
        let action = Action::RunCommand {
            command,
            folder: text("cwd"),
            host: text("host"),
            program: text("resolvedPath"),
            variables,
            warning: text("warningText"),
        };
        (id, action)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use protocol::control::NoticeKind;

    use super::*;
    use crate::activity::What;
    use crate::approvals::decide::Answer;
    use crate::approvals::record::{Approval, State};
    use crate::approvals::rule::Pattern;
    use crate::chat::tests::openclaw::{Home, OpenClaw};
    use crate::clock::SystemClock;
    use crate::egress::NamedAddresses;
    use crate::limits;
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

    #[tokio::test]
    async fn promise_07_a_command_that_openclaw_does_not_wait_for_any_more_is_withdrawn_and_cannot_be_allowed() {
        let relay = Liar::start(Lie::Honest);
        let person = Person::at(&relay.socket).await;
        let (named, clock) = (NamedAddresses::default(), Arc::new(SystemClock));
        let services = Services::new(&person.vault, clock, &named, named.clone(), person.relay.clone());
        let approvals = services.approvals;
        let openclaw = OpenClaw::new(Home::new());
        let request = json!({"command": "git push", "cwd": "/home/agent", "host": "gateway", "resolvedPath": "/usr/bin/git",
            "envKeys": ["GIT_SSH"], "warningText": "It leaves this computer", "sessionKey": "main"});
        openclaw.waits_for(json!({"id": "1", "request": request}));
        let (_gateways, watched) = watch::channel(Some(openclaw.connect().await));
        let bridge = tokio::spawn(bridge_commands(approvals.clone(), watched));
        let asked = until(&approvals, |each| each.state == State::Waiting).await;
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
        let pull = until(&approvals, |each| each.hash != asked.hash).await;
        openclaw.tell(RESOLVED, &json!({"id": "3", "decision": "deny"}));
        until(&approvals, |each| {
            each.id == pull.id && each.expires_at < pull.expires_at
        })
        .await;
        let all = approvals.all().unwrap();
        assert!(
            all.iter()
                .any(|each| each.id == asked.id && each.expires_at == asked.expires_at)
        );
        openclaw.tell(RESOLVED, &json!({"id": "same", "decision": "deny"}));
        let over = until(&approvals, |each| {
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
        bridge.abort();
    }

    #[tokio::test]
    async fn promise_07_a_yes_that_is_not_its_owners_is_in_the_activity_and_told_as_an_alarm() {
        let relay = Liar::start(Lie::Honest);
        let person = Person::at(&relay.socket).await;
        let (named, clock) = (NamedAddresses::default(), Arc::new(SystemClock));
        let services = Services::new(&person.vault, clock, &named, named.clone(), person.relay.clone());
        let (approvals, rates, activity) = (services.approvals, services.rates, services.activity);
        let openclaw = OpenClaw::new(Home::new());
        let (_gateways, watched) = watch::channel(Some(openclaw.connect().await));
        let bridge = tokio::spawn(bridge_commands(approvals.clone(), watched));
        let asks = async |id: &str| {
            let request = json!({"command": format!("echo {id}"), "sessionKey": "main"});
            let request = json!({"id": id, "request": request});
            openclaw.waits_for(request.clone());
            openclaw.tell(REQUESTED, &request);
            let (_, action) = read(&request).unwrap();
            until(&approvals, |each| each.hash == action.hash()).await
        };
        let told = || approvals.waits(&rates).unwrap().notices;
        let noted = || {
            let entries = json!(activity.entries(None).unwrap());
            let entries = entries.as_array().unwrap().iter();
            let elsewhere = json!(What::CommandDecidedElsewhere);
            entries
                .filter(|entry| entry["what"] == elsewhere)
                .cloned()
                .collect::<Vec<_>>()
        };

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
        let over = until(&approvals, |each| {
            each.id == third.id && each.expires_at < third.expires_at
        })
        .await;
        assert!(!over.elsewhere && noted().is_empty() && told().is_empty());

        // Somebody else's yes is noted before it leaves the inbox, and its owner is called, however long it is for.
        for (id, decision) in [("fourth", "allow-once"), ("fifth", "allow-always")] {
            let asked = asks(id).await;
            openclaw.tell(RESOLVED, &json!({"id": id, "decision": decision}));
            let seen = until(&approvals, |each| {
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
        let seen = until(&approvals, |each| each.id == sixth.id && each.elsewhere).await;
        assert!(matches!(seen.state, State::Denied { .. }), "{seen:?}");
        // What its owner has seen of it is written down, until it is done again.
        let has_seen = |id| approvals.get(id).unwrap().seen;
        for id in [sixth.id, first.id] {
            approvals.seen_elsewhere(id).await.unwrap();
        }
        assert!(has_seen(sixth.id) && !has_seen(first.id));
        approvals.decided_elsewhere(sixth.hash).await.unwrap();
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
        bridge.abort();
    }
}
