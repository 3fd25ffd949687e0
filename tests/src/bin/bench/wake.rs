//! Coming back: from pause and from sleep.

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::docker::{Part, container, inspect};
use system_tests::{Person, Session, wait_until};

use crate::PASSWORD;
use crate::first_token::first_sign;
use crate::report::{Report, Samples, ms};

const PAUSES: usize = 20;
const SLEEPS: usize = 3;

/// A message to a paused cell until the first sign that OpenClaw works on it.
pub async fn from_pause(owner: &Person, session: &Session, report: &mut Report) {
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: warm]]").await;
    let (mut accepted, mut first) = (Vec::new(), Vec::new());
    for _ in 0..PAUSES {
        wait_until("the cell pauses", Duration::from_secs(120), async || {
            (inspect(&agent, "{{.State.Paused}}") == "true").then_some(())
        })
        .await;
        let started = Instant::now();
        let turn = session.send(&conversation, "[[say: hello]]").await;
        accepted.push(started.elapsed());
        first_sign(session, &turn).await;
        first.push(started.elapsed());
        session.turn_event(&turn, "saved").await;
    }
    report.row(
        "paused: message written down by the keeper",
        &Samples::new(accepted).spread(),
        "",
    );
    report.row(
        "paused: first sign of the agent",
        &Samples::new(first).spread(),
        "≤ 150 ms p95",
    );
}

/// From a sleeping cell to a ready agent, with the password typed already.
pub async fn from_sleep(owner: &Person, report: &mut Report) {
    let mut samples = Vec::new();
    for round in 0..SLEEPS {
        let session = owner.unlock(PASSWORD).await;
        session.call("vault.lock", json!({})).await;
        drop(session);
        wait_until("the cell sleeps", Duration::from_secs(90), async || {
            container(owner.cell(), Part::Keeper).is_none().then_some(())
        })
        .await;
        let started = Instant::now();
        let session = owner.unlock(PASSWORD).await;
        session.ready().await;
        samples.push(started.elapsed());
        if round + 1 == SLEEPS {
            super::phases::by_phase("asleep", &session, report);
        }
    }
    let samples = Samples::new(samples);
    let spread = format!(
        "{} median, {} at most (n = {SLEEPS})",
        ms(samples.at(0.5)),
        ms(samples.at(1.0))
    );
    report.row("asleep: password to ready", &spread, "≤ 6 s median");
}
