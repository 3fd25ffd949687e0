//! Coming back: from pause and from sleep.

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::docker::{Part, container, inspect};
use system_tests::{Installation, Person, Session, wait_until};

use crate::PASSWORD;
use crate::first_token::first_sign;
use crate::report::{Report, Samples, ms};

/// Cells that rest side by side, so that so many pauses do not take an hour.
pub const CELLS: usize = 5;
/// How often each of them is woken, in each of two ways.
const ROUNDS: usize = 6;
/// From one cell's waking to the next one's: what a turn leaves to do takes OpenClaw seconds of a processor, and a cell's pause is work,
/// too. Neither is to be in another cell's time. The rest before a pause is a little shorter than a round of all cells.
const APART: Duration = Duration::from_secs(10);
const SLEEPS: usize = 3;
const TYPING: Duration = Duration::from_secs(8);

/// What a paused cell is asked until OpenClaw answers: its messages, and a new one until the first sign that it works on it.
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
        cells.push((agent, session, conversation));
    }
    let (mut opened, mut accepted, mut first) = (Vec::new(), Vec::new(), Vec::new());
    let mut apart = tokio::time::interval(APART);
    apart.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for _ in 0..ROUNDS {
        for (agent, session, conversation) in &cells {
            apart.tick().await;
            paused(agent).await;
            let started = Instant::now();
            session.open(conversation).await;
            opened.push(started.elapsed());
        }
        for (agent, session, conversation) in &cells {
            apart.tick().await;
            paused(agent).await;
            let started = Instant::now();
            let turn = session.send(conversation, "[[say: hello]]").await;
            accepted.push(started.elapsed());
            first_sign(session, &turn).await;
            first.push(started.elapsed());
            session.turn_event(&turn, "saved").await;
        }
    }
    report.row(
        "paused: a conversation opened (OpenClaw answers with its messages)",
        &Samples::new(opened).spread(),
        "≤ 150 ms p95",
    );
    report.row(
        "paused: message written down by the keeper",
        &Samples::new(accepted).spread(),
        "",
    );
    report.row(
        "paused: first sign of the agent at work on a message",
        &Samples::new(first).spread(),
        "≤ 150 ms p95",
    );
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
