//! What the platform's own requests cost, beside a bare server that does the same reading ([`crate::reference`]) and the predecessor's
//! figures, which were measured elsewhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::{Method, StatusCode};
use system_tests::{Installation, Person};

use crate::cpu::{self, Processes};
use crate::load::{self, Outcome, Work};
use crate::reference::Reference;
use crate::report::Report;
use crate::tenant_api;

const READS: usize = 20_000;
/// With those that are listed and those that warm up, below what an organisation may have (1,000).
const GROUPS: usize = 800;
const LISTED: usize = 10;

/// Requests a second of the predecessor.
#[derive(Clone, Copy)]
struct Predecessor {
    a_second: f64,
    /// How fast this machine is, as a multiple of the one on which they were measured.
    pace: f64,
}

/// What the bare server did a second where the predecessor was measured.
const BARE_THERE: f64 = 7327.0;

/// Measures one after the other.
pub async fn compare(installation: &Installation, owner: &Person, report: &mut Report) {
    let postmaster = cpu::postmaster(installation.data_dir());
    let reference = Reference::start(installation.data_dir()).await;
    let bare = Processes {
        server: reference.process.id().expect("it runs"),
        postmaster,
    };
    let ours = Processes {
        server: installation.server_pid(),
        postmaster,
    };
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, installation.port()));

    let bare_health = load::put_on(reference.address, &bare, read("/healthz", Vec::new())).await;
    row(report, "health, bare", &bare_health, None, None);
    let floor = load::put_on(reference.address, &bare, read("/me", vec![Reference::cookie()])).await;
    row(report, "who am I, bare", &floor, None, None);
    drop(reference);
    let pace = floor.a_second / BARE_THERE;
    let predecessor = |a_second| Some(Predecessor { a_second, pace });

    let health = load::put_on(here, &ours, read("/healthz", Vec::new())).await;
    row(
        report,
        "health",
        &health,
        Some((&bare_health, 2.0)),
        predecessor(2558.0),
    );
    let session = || vec![("cookie", owner.cookies().to_owned())];
    let me = load::put_on(here, &ours, read("/api/v1/me", session())).await;
    row(report, "who am I", &me, Some((&floor, 2.0)), predecessor(669.0));
    let keys = load::put_on(here, &ours, tenant_api::refused(installation, READS).await).await;
    row(report, "whose key of the tenant API", &keys, Some((&floor, 1.5)), None);

    let mut writing = session();
    writing.extend([
        ("x-csrf-token", owner.csrf_token().to_owned()),
        ("origin", owner.base().to_owned()),
        ("content-type", "application/json".to_owned()),
    ]);
    let create = Work {
        method: Method::POST,
        path: "/api/v1/groups",
        headers: writing,
        body: |number| format!(r#"{{"name":"Group {number}"}}"#),
        answered: StatusCode::CREATED,
        requests: GROUPS,
    };
    for number in 0..LISTED {
        let group = serde_json::json!({"name": format!("Listed {number}")});
        owner.post("/api/v1/groups", &group).await.ok();
    }
    let list = load::put_on(here, &ours, read("/api/v1/groups", session())).await;
    row(report, "list my groups", &list, None, predecessor(348.0));
    let made = load::put_on(here, &ours, create).await;
    row(report, "create a group", &made, None, predecessor(226.0));
}

fn read(path: &'static str, headers: Vec<(&'static str, String)>) -> Work {
    Work {
        method: Method::GET,
        path,
        headers,
        body: |_| String::new(),
        answered: StatusCode::OK,
        requests: READS,
    }
}

fn row(report: &mut Report, what: &str, outcome: &Outcome, floor: Option<(&Outcome, f64)>, peer: Option<Predecessor>) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut value = format!(
        "{:.0} /s, p99 {:.1} ms, {:.0} µs of CPU",
        outcome.a_second,
        outcome.took.at(0.99).as_secs_f64() * 1e3,
        micros(outcome.cpu)
    );
    let mut target = Vec::new();
    if let Some((floor, most)) = floor {
        value += &format!(" ({:.1} × bare)", micros(outcome.cpu) / micros(floor.cpu));
        target.push(format!("≤ {most} × bare"));
    }
    if let Some(Predecessor { a_second, pace }) = peer {
        let ratio = outcome.a_second / a_second;
        value += &format!(
            ", {ratio:.0} × OCMT's rate ({:.1} × at its machine's pace)",
            ratio / pace
        );
        target.push("≥ 10 × OCMT".to_owned());
    }
    report.row(&format!("control plane: {what}"), &value, &target.join(", "));
}
