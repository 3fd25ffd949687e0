//! OpenClaw's own questions before it runs a command, when its owner wants to be asked. OpenClaw gets `allow-once` or `deny` and
//! nothing else: what is allowed for longer is kept here and not in the agent's home, which the agent can write.
//!
//! This holds back an agent that means well. Whatever runs in the agent's container already can run what it likes there.

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
use crate::limits;
use crate::vault_service::unpoisoned;

const REQUESTED: &str = "exec.approval.requested";
const RESOLVED: &str = "exec.approval.resolved";

/// What OpenClaw waits for, by its id, and what that is: two may be of the very same. What is taken out is not waited for any more.
type Asked = Arc<Mutex<HashMap<String, (Hash, oneshot::Sender<()>)>>>;

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
                unpoisoned(&asked).remove(payload["id"].as_str().unwrap_or_default());
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
        Entry::Vacant(free) => free.insert((action.hash(), resolved)),
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
            verdict = approvals.ask(&action, None, limits::APPROVAL_LIFE) => verdict,
            () = nobody_waits => {
                let others = {
                    let mut asked = unpoisoned(&asked);
                    asked.remove(&id);
                    asked.values().any(|(hash, _)| *hash == action.hash())
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
        if unpoisoned(&asked).remove(&id).is_none() {
            return;
        }
        let decision = match verdict {
            Ok(Verdict::Allowed) => "allow-once",
            Ok(Verdict::Denied { .. }) => "deny",
            Ok(Verdict::Waiting { .. }) => return,
            Err(error) => {
                tracing::info!("a command is refused, because it cannot be asked for: {error}");
                "deny"
            }
        };
        let answer = json!({"id": id, "decision": decision});
        if let Err(error) = gateway.call("exec.approval.resolve", answer).await {
            tracing::warn!("OpenClaw did not take the answer to a command: {error}");
        }
    });
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
    use super::*;
    use crate::approvals::record::{Approval, State};
    use crate::approvals::rule::Pattern;
    use crate::chat::tests::openclaw::{Home, OpenClaw};
    use crate::clock::SystemClock;
    use crate::egress::NamedAddresses;
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
}
