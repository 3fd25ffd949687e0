//! `cargo xtask bench`: what a person waits for and what a cell costs, each part measured in one run beside what it is compared with.
//! Prints the machine, and the part's table in Markdown, on standard output; progress goes to standard error.

mod control_plane;
mod cpu;
mod first_token;
mod load;
mod machine;
mod memory;
mod overload;
mod phases;
mod reference;
mod report;
mod tenant_api;
mod wake;

use report::Report;
use system_tests::Settings;

const PASSWORD: &str = "a password for the bench";

#[tokio::main]
async fn main() {
    let mut args = std::env::args_os().skip(1);
    let part = args.next().unwrap_or_default();
    if part == reference::ARGUMENT {
        let socket = args.next().expect("the folder of PostgreSQL's socket");
        return reference::run(socket.as_ref()).await;
    }
    let mut report = Report::default();
    match part.to_str() {
        Some("control-plane") => control_plane(&mut report).await,
        Some("cells") => cells(&mut report).await,
        Some("overload") => overload::put_on(&mut report).await,
        // What is measured elsewhere is measured on this machine, too.
        Some("machine") => return println!("{}", machine::description()),
        _ => panic!("control-plane, cells, overload or machine"),
    }
    println!("{}\n\n{report}", machine::description());
}

async fn control_plane(report: &mut Report) {
    let installation = Settings::default().set("tenant_api.enabled", "true").start().await;
    report.row(
        "server, resident, nobody there",
        &memory::resident(installation.server_pid()),
        "≤ 40 MB",
    );
    let owner = installation.owner().await;
    control_plane::compare(&installation, &owner, report).await;
}

async fn cells(report: &mut Report) {
    // People's cells rest for 30 minutes before they are paused; here as long as what OpenClaw puts off after a turn takes: its garbage
    // collection comes up to 8 s later, and one that is due when the process stops is done before the first answer.
    let settings = Settings::default()
        .set("cells.pause_after", "45s")
        .set("cells.sleep_after", "1h")
        .set("tenant_api.enabled", "true");
    let installation = settings.start().await;
    let owner = installation.owner().await;
    let session = phases::first_start(&installation, &owner, report).await;
    first_token::compare(&owner, &session, report).await;
    tenant_api::first_token(&installation, report).await;
    // What follows needs a fresh proof that it is them.
    drop(session);
    let session = owner.unlock(PASSWORD).await;
    wake::from_pause(&installation, &owner, &session, report).await;
    memory::of_cell(&installation, &owner, report);
    drop(session);
    wake::from_sleep(&owner, report).await;
    report.row(
        "server, resident, after all this",
        &memory::resident(installation.server_pid()),
        "≤ 40 MB",
    );
}
