//! OpenClaw's own questions before it runs a command, when its owner wants to be asked. OpenClaw gets `allow-once` or `deny` and
//! nothing else: what is allowed for longer is kept here and not in the agent's home, which the agent can write.
//!
//! This holds back an agent that means well. Whatever runs in the agent's container already can run what it likes there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::Approvals;
use super::action::Action;
use super::ask::Verdict;
use crate::gateway::{Gateway, GatewayEvent};
use crate::limits;
use crate::vault_service::unpoisoned;

const REQUESTED: &str = "exec.approval.requested";
const RESOLVED: &str = "exec.approval.resolved";

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
    let asked: Arc<Mutex<HashSet<String>>> = Arc::default();
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
fn ask(approvals: &Approvals, gateway: &Gateway, asked: &Arc<Mutex<HashSet<String>>>, request: &Value) {
    let Some((id, action)) = read(request) else { return };
    if !unpoisoned(asked).insert(id.clone()) {
        return;
    }
    let (approvals, gateway, asked) = (approvals.clone(), gateway.clone(), Arc::clone(asked));
    tokio::spawn(async move {
        let verdict = tokio::select! {
            verdict = approvals.ask(&action, None, limits::APPROVAL_LIFE) => verdict,
            () = gateway.closed() => {
                if let Err(error) = approvals.withdraw(action.hash()).await {
                    tracing::debug!("a command that nobody waits for any more stays listed until it expires: {error}");
                }
                return;
            }
        };
        let decision = match verdict {
            Ok(Verdict::Allowed) => "allow-once",
            Ok(Verdict::Denied { .. }) => "deny",
            Ok(Verdict::Waiting { .. }) => return,
            Err(error) => {
                tracing::info!("a command is refused, because it cannot be asked for: {error}");
                "deny"
            }
        };
        if !unpoisoned(&asked).remove(&id) {
            return;
        }
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
    (!command.is_empty()).then(|| {
        (
            id,
            Action::RunCommand {
                command,
                folder: text("cwd"),
            },
        )
    })
}
