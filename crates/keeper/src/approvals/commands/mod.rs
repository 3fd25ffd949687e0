//! OpenClaw's own questions before it runs a command, when its owner wants to be asked. OpenClaw gets `allow-once` or `deny` and
//! nothing else: what is allowed for longer is kept here and not in the agent's home, which the agent can write.
//!
//! This holds back an agent that means well. Whatever runs in the agent's container already can run what it likes there, and can answer
//! OpenClaw by itself: what is promised is that a yes which OpenClaw tells of, and which its owner did not give, is noted and told.

mod asked;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{oneshot, watch};

use super::action::Action;
use super::ask::Verdict;
use super::{ApprovalError, Approvals};
use crate::gateway::{Gateway, GatewayError, GatewayEvent};
use crate::limits;
use crate::vault_service::unpoisoned;
use asked::{Asked, Decided, Standing};

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
    let asked = Arc::new(Mutex::new(Asked::default()));
    // Before anything is asked for: what is decided from here on is in the answer or told of, or both.
    let mut events = gateway.events();
    // What was decided before is past, and known to be.
    match decided(gateway).await {
        Ok((before, _)) => unpoisoned(&asked).begin(&before),
        Err(error) => tracing::info!("OpenClaw does not say which commands were decided: {error}"),
    }
    // What was asked before this connection was made.
    ask_open(approvals, gateway, &asked).await;
    loop {
        match events.recv().await {
            Ok(GatewayEvent::Approval { name, payload }) if name == REQUESTED => {
                ask(approvals, gateway, &asked, &payload);
            }
            Ok(GatewayEvent::Approval { name, payload }) if name == RESOLVED => over(approvals, &asked, &payload),
            Ok(GatewayEvent::Closed) | Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(_)) => catch_up(approvals, gateway, &asked).await,
            Ok(_) => {}
        }
    }
}

/// More was told than could be read: what is missing of it is asked for.
async fn catch_up(approvals: &Approvals, gateway: &Gateway, asked: &Arc<Mutex<Asked>>) {
    let before = unpoisoned(asked).ids();
    let open = ask_open(approvals, gateway, asked).await;
    let decided = decided(gateway).await;
    let reaches = |(decided, more): &(Vec<Value>, bool)| unpoisoned(asked).reaches(decided, *more);
    let all_known = decided.as_ref().is_ok_and(reaches);
    match &decided {
        Ok((decided, _)) if all_known => decided.iter().rev().for_each(|each| over(approvals, asked, each)),
        Ok((decided, _)) => {
            let of_ours = |each: &&Value| before.iter().any(|id| each["id"] == **id);
            decided
                .iter()
                .filter(of_ours)
                .for_each(|each| over(approvals, asked, each));
            unpoisoned(asked).begin(decided);
        }
        Err(error) => tracing::info!("OpenClaw does not say which commands were decided: {error}"),
    }
    // Neither waits nor was decided: nobody can answer it any more.
    let gone: Vec<_> = {
        let mut asked = unpoisoned(asked);
        let is_gone = |id: &&String| open.as_ref().is_some_and(|open| !open.contains(id));
        before.iter().filter(is_gone).filter_map(|id| asked.end(id)).collect()
    };
    let waited = gone.iter().any(|standing| matches!(standing, Standing::Waits(..)));
    if !all_known || waited {
        let approvals = approvals.clone();
        note(async move {
            let noted = approvals.commands_unseen().await;
            drop(gone);
            noted
        });
    }
}

/// Asks about what waits in OpenClaw, and gives its ids; none where it does not say.
async fn ask_open(approvals: &Approvals, gateway: &Gateway, asked: &Arc<Mutex<Asked>>) -> Option<Vec<String>> {
    let answer = match gateway.call("exec.approval.list", json!({})).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::info!("OpenClaw does not say which commands wait: {error}");
            return None;
        }
    };
    let list = answer.as_array().or_else(|| answer["approvals"].as_array());
    let ids = list.into_iter().flatten().filter_map(|request| {
        ask(approvals, gateway, asked, request);
        request["id"].as_str().map(str::to_owned)
    });
    Some(ids.collect())
}

/// What was decided last, the newest first, as OpenClaw tells of each; and whether there is more.
async fn decided(gateway: &Gateway) -> Result<(Vec<Value>, bool), GatewayError> {
    let params = json!({"kind": "exec", "limit": limits::COMMANDS_DECIDED});
    let answer = gateway.call("approval.history", params).await?;
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    Ok((items, answer["nextCursor"].is_string()))
}

/// A question of OpenClaw's is decided. A yes is not its owner's where theirs is not marked, which it is before it is given.
fn over(approvals: &Approvals, asked: &Mutex<Asked>, told: &Value) {
    let is_yes = is_yes(told);
    let decided = unpoisoned(asked).decided(told["id"].as_str().unwrap_or_default());
    let (hash, waits) = match decided {
        Decided::Waited(hash, waits) if is_yes => (Some(hash), Some(waits)),
        Decided::Unasked if is_yes => (None, None),
        _ => return,
    };
    let (approvals, command) = (approvals.clone(), read(told).map(|(_, command)| command));
    note(async move {
        let noted = approvals.decided_elsewhere(hash, command.as_ref()).await;
        // Whoever waits for it is let go when it is noted.
        drop(waits);
        noted
    });
}

/// Beside what else OpenClaw tells, so that a flood of that pushes nothing out unread.
fn note(noting: impl Future<Output = Result<(), ApprovalError>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = noting.await {
            tracing::warn!("a command may have been allowed in the agent's cell, and that could not be noted: {error}");
        }
    });
}

/// Asks the owner, beside everything else, and gives OpenClaw the answer. Without one OpenClaw refuses by itself when its time is up.
fn ask(approvals: &Approvals, gateway: &Gateway, asked: &Arc<Mutex<Asked>>, request: &Value) {
    let Some((id, action)) = read(request) else { return };
    let (resolved, elsewhere) = oneshot::channel();
    if !unpoisoned(asked).wait(&id, action.hash(), resolved) {
        return;
    }
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
                    asked.end(&id);
                    asked.waits_for(&action.hash())
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
                unpoisoned(&asked).end(&id);
                return;
            }
            Err(error) => {
                tracing::info!("a command is refused, because it cannot be asked for: {error}");
                false
            }
        };
        if !unpoisoned(&asked).answer(&id, allowed) {
            return;
        }
        let answer = json!({"id": id, "decision": if allowed { "allow-once" } else { "deny" }});
        match gateway.call("exec.approval.resolve", answer).await {
            // A yes stays marked as its owner's until OpenClaw tells of it.
            Ok(_) if allowed => {}
            Ok(_) => drop(unpoisoned(&asked).end(&id)),
            Err(error) => {
                tracing::warn!("OpenClaw did not take the answer to a command: {error}");
                // A no that came too late: what OpenClaw has heard instead, it tells.
                if allowed {
                    unpoisoned(&asked).end(&id);
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

/// What a question is, or was: of what was decided OpenClaw's events have the request, and its list has less of it under other names.
fn read(payload: &Value) -> Option<(String, Action)> {
    let id = payload["id"].as_str()?.to_owned();
    let (request, command) = match &payload["request"] {
        Value::Null => (&payload["presentation"], "commandText"),
        request => (request, "command"),
    };
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let command = text(command);
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
mod tests;
