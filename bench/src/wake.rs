//! Coming back: from pause and from sleep.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::docker::{Part, container, inspect};
use system_tests::{Installation, Person, Session, wait_until};

use crate::PASSWORD;
use crate::first_token::first_sign;
use crate::report::{Report, Samples, ms};

/// Cells that rest side by side, so that so many rests do not take an hour.
pub const CELLS: usize = 5;
/// How often each of them is come back to, in each of two ways, paused and not.
const ROUNDS: usize = 3;
/// From coming back to one cell to the next one: what a turn leaves to do takes OpenClaw seconds of a processor, and a cell's pause is work,
/// too. Neither is to be in another cell's time. The rest before a pause is a little shorter than a round of all cells.
const APART: Duration = Duration::from_secs(10);
const SLEEPS: usize = 3;
const TYPING: Duration = Duration::from_secs(8);

/// A cell that rests between two measurements.
struct Rested<'a> {
    agent: String,
    session: &'a Session,
    conversation: String,
}

/// What a paused cell is asked: to go on, its messages, and a new one until the first sign that OpenClaw works on it. Beside it the same of cells
/// that rested as long and were not paused: OpenClaw is slower after a rest, whatever became of its container meanwhile. It ends its worker
/// threads (transcripts, stores, memory) when they had nothing to do for a minute, and the next one loads some 1,400 modules before it answers.
pub async fn from_pause(installation: &Installation, owner: &Person, session: &Session, report: &mut Report) {
    let base_url = installation.model().base_url();
    let mut others = Vec::new();
    for number in 1..CELLS {
        let email = format!("member-{number}@example.org");
        let person = installation.member(owner, "A member", &email).await;
        let session = person.make_vault(PASSWORD).await.session;
        session.connect_model(&base_url, "demo").await;
        session.ready().await;
        others.push((person, session));
    }
    let mut cells = Vec::new();
    for (person, session) in std::iter::once((owner, session)).chain(others.iter().map(|(one, two)| (one, two))) {
        let agent = container(person.cell(), Part::Agent).expect("the agent runs");
        let conversation = session.conversation().await;
        session.ask(&conversation, "[[say: warm]]").await;
        cells.push(Rested {
            agent,
            session,
            conversation,
        });
    }
    // Agents that may work alone are not paused.
    for cell in &cells {
        cell.session.call("vault.grant", json!({"minutes": 60})).await;
    }
    come_back(&cells, false, report).await;
    for cell in &cells {
        cell.session.call("vault.grant", json!({"minutes": 0})).await;
    }
    come_back(&cells, true, report).await;
}

async fn come_back(cells: &[Rested<'_>], from_pause: bool, report: &mut Report) {
    let [mut answers, mut opened, mut accepted, mut first] = [const { Vec::new() }; 4];
    let mut apart = tokio::time::interval(APART);
    apart.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Each has rested for a round before it is measured.
    for cell in cells {
        apart.tick().await;
        cell.session.open(&cell.conversation).await;
    }
    for _ in 0..ROUNDS {
        for cell in cells {
            apart.tick().await;
            if from_pause {
                paused(&cell.agent).await;
            }
            let started = Instant::now();
            if from_pause {
                goes_on(cell.session).await;
                answers.push(started.elapsed());
            }
            cell.session.open(&cell.conversation).await;
            opened.push(started.elapsed());
        }
        for cell in cells {
            apart.tick().await;
            if from_pause {
                paused(&cell.agent).await;
            }
            let started = Instant::now();
            let turn = cell.session.send(&cell.conversation, "[[say: hello]]").await;
            accepted.push(started.elapsed());
            first_sign(cell.session, &turn).await;
            first.push(started.elapsed());
            cell.session.turn_event(&turn, "saved").await;
        }
    }
    let (state, target) = if from_pause {
        ("paused", "≤ 150 ms p95")
    } else {
        ("not paused, rested as long", "")
    };
    let mut row = |what: &str, samples: Vec<Duration>, target: &str| {
        report.row(&format!("{state}: {what}"), &Samples::new(samples).spread(), target);
    };
    if from_pause {
        row("OpenClaw has answered (that it goes on)", answers, target);
    }
    row("a conversation opened (OpenClaw answers with its messages)", opened, "");
    row("message written down by the keeper", accepted, target);
    row("first sign of the agent at work on a message", first, "");
}

/// Has a paused cell go on; until OpenClaw has said so.
async fn goes_on(session: &Session) {
    let is_ready = |event: &Value| event["event"] == "cell" && event["data"]["phase"] == "ready";
    let before = session.events().iter().filter(|event| is_ready(event)).count();
    session.call("cell.start", json!({})).await;
    let seen = Cell::new(0);
    let again = session.event(Duration::from_secs(60), |event| {
        seen.set(seen.get() + usize::from(is_ready(event)));
        seen.get() > before
    });
    again.await.expect("the cell goes on");
}

async fn paused(agent: &str) {
    wait_until("the cell pauses", Duration::from_secs(120), async || {
        (inspect(agent, "{{.State.Paused}}") == "true").then_some(())
    })
    .await;
}

/// From a sleeping cell to a ready agent: with the password typed already, and with a page that was open for as long as typing takes.
pub async fn from_sleep(owner: &Person, report: &mut Report) {
    for (what, typing) in [("at once", Duration::ZERO), ("typed for 8 s", TYPING)] {
        let (mut ready, mut first) = (Vec::new(), Vec::new());
        for round in 0..SLEEPS {
            let session = owner.unlock(PASSWORD).await;
            let conversation = session.conversation().await;
            session.call("vault.lock", json!({})).await;
            drop(session);
            wait_until("the cell sleeps", Duration::from_secs(90), async || {
                container(owner.cell(), Part::Keeper).is_none().then_some(())
            })
            .await;
            type_for(owner, typing).await;
            let started = Instant::now();
            let session = owner.unlock(PASSWORD).await;
            if round + 1 < SLEEPS {
                session.ready().await;
                ready.push(started.elapsed());
                if round == 0 {
                    super::phases::by_phase(&format!("asleep, {what}"), &session, report);
                }
            } else {
                // A message that was written meanwhile.
                session.open(&conversation).await;
                let turn = session.send(&conversation, "[[say: hello]]").await;
                // A short answer may come whole.
                let answer = session.event(Duration::from_secs(120), |event| {
                    let data = &event["data"];
                    data["turn"] == turn.as_str() && matches!(data["kind"].as_str(), Some("text" | "answered"))
                });
                answer.await.expect("an answer");
                first.push(started.elapsed());
                session.turn_event(&turn, "saved").await;
            }
        }
        let samples = Samples::new(ready);
        report.row(
            &format!("asleep, {what}: password to ready"),
            &format!("{} median, {} at most", ms(samples.at(0.5)), ms(samples.at(1.0))),
            "≤ 6 s median",
        );
        report.row(
            &format!("asleep, {what}: password to the answer to a message that waits"),
            &ms(Samples::new(first).at(0.5)),
            "",
        );
    }
}

/// Somebody looks at the locked page: their client greets the keeper.
async fn type_for(owner: &Person, typing: Duration) {
    if !typing.is_zero() {
        let _page = owner.dial(None).await.expect("the channel opens");
        tokio::time::sleep(typing).await;
    }
}
