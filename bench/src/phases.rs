//! From the first click to a ready agent, phase by phase.

use std::time::{Duration, Instant};

use system_tests::{Installation, Person, Session};

use crate::PASSWORD;
use crate::report::{Report, ms};

/// Makes the vault, connects the model and waits for the agent.
pub async fn first_start(installation: &Installation, owner: &Person, report: &mut Report) -> Session {
    let started = Instant::now();
    owner.claim().await;
    report.row("new cell: keeper started, claim told", &ms(started.elapsed()), "");
    let started = Instant::now();
    let session = owner.make_vault(PASSWORD).await.session;
    report.row(
        "new cell: vault made (two key stretchings in the client)",
        &ms(started.elapsed()),
        "",
    );
    let base_url = installation.model().base_url();
    let started = Instant::now();
    session.connect_model(&base_url, "demo").await;
    session.ready().await;
    report.row(
        "new cell: model connected to ready",
        &ms(started.elapsed()),
        "OpenClaw's own: 11 s and more",
    );
    by_phase("cold start", &session, report);
    session
}

/// How long each phase of the cell took that this session has seen.
pub fn by_phase(what: &str, session: &Session, report: &mut Report) {
    let phases = session.phases();
    for pair in phases.windows(2) {
        let [(phase, since), (_, until)] = pair else { continue };
        // The vault is open when a session sees the first phase: what opening it takes is a row of its own.
        if !["ready", "asleep", "opening_vault"].contains(&phase.as_str()) {
            let took = Duration::from_millis(u64::try_from(until - since).unwrap_or(0));
            report.row(&format!("{what}: {}", phase.replace('_', " ")), &ms(took), "");
        }
    }
}
