//! More than the server can serve: thousands of connections that ask who they are as fast as they are answered, and do not wait when they
//! are told to. Each is served, or told that the server is busy (503) or that it asks too often (429), and when to come back; anything else
//! ends the bench. What it costs is the server's memory, and how long it takes until it serves again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::header::RETRY_AFTER;
use hyper::{Request, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use system_tests::Settings;

use crate::report::{Report, ms};
use crate::{load, memory};

/// Connections, each with one request under way: some four times what is worked on at once.
const CONNECTIONS: usize = 2_000;
const TIME: Duration = Duration::from_secs(10);
/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(20);
/// Between two tries to be served once the load has stopped, and how long they may take.
const TRY: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// Until what an allocator gives back by and by is given back.
const REST: Duration = Duration::from_secs(2);

/// What was answered.
#[derive(Default)]
struct Answers {
    served: u64,
    busy: u64,
    too_often: u64,
}

impl Answers {
    fn count(&mut self, status: StatusCode) {
        match status {
            StatusCode::OK => self.served += 1,
            StatusCode::TOO_MANY_REQUESTS => self.too_often += 1,
            _ => self.busy += 1,
        }
    }
}

/// Starts a server for this, so that nothing else is measured on one that was out of breath, and overloads it.
pub async fn put_on(report: &mut Report) {
    allow_open_files();
    // A person may ask as often as they like here; a key has the limit that it has when nobody chose one.
    let installation = Settings::default().set("limits.requests_per_key", "600").start().await;
    let owner = installation.owner().await;
    let wanted = json!({"name": "bench", "scopes": ["profile"], "days": 1});
    let key = owner.post("/api/v1/keys", &wanted).await.ok();
    let key = key["key"].as_str().expect("a new key is shown");
    let person = ("cookie", owner.cookies().to_owned());
    let callers = [person.clone(), ("authorization", format!("Bearer {key}"))].map(Arc::new);

    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, installation.port()));
    let mut somebody = load::connect(address).await;
    let resident = || memory::of(installation.server_pid()).resident;
    let before = resident();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(load::connect(address).await);
    }
    let ends = Instant::now() + TIME;
    let asking = connections.into_iter().zip(callers.iter().cycle());
    let asking: Vec<_> = asking
        .map(|(mut connection, caller)| {
            let caller = Arc::clone(caller);
            tokio::spawn(async move {
                let mut answers = Answers::default();
                while Instant::now() < ends {
                    answers.count(ask(&mut connection, &caller).await);
                }
                answers
            })
        })
        .collect();
    let mut peak = before;
    while Instant::now() < ends {
        peak = peak.max(resident());
        tokio::time::sleep(LOOK).await;
    }

    // What is under way then is still to be answered.
    let stopped = Instant::now();
    while ask(&mut somebody, &person).await != StatusCode::OK {
        assert!(
            stopped.elapsed() < PATIENCE,
            "nobody is served after the load has stopped"
        );
        tokio::time::sleep(TRY).await;
    }
    let served_again = stopped.elapsed();
    let mut all = Answers::default();
    for task in asking {
        let answers = task.await.expect("every request is answered as it may be");
        all.served += answers.served;
        all.busy += answers.busy;
        all.too_often += answers.too_often;
    }
    let answered = stopped.elapsed();
    peak = peak.max(resident());
    if all.served == 0 || all.busy == 0 || all.too_often == 0 {
        report.row("overload", "none: this machine served all that was asked", "");
        return;
    }
    tokio::time::sleep(REST).await;
    let after = resident();

    let a_second = all.served as f64 / TIME.as_secs_f64();
    let Answers {
        served,
        busy,
        too_often,
    } = all;
    report.row(
        &format!("overload, {CONNECTIONS} connections for {} s: who am I", TIME.as_secs()),
        &format!(
            "{served} served ({a_second:.0} /s), {busy} busy (503), {too_often} too often (429), each with Retry-After"
        ),
        "no other answer",
    );
    report.row(
        "overload: server, resident, before, at the peak, and after",
        &format!("{before:.1} MB, {peak:.1} MB, {after:.1} MB"),
        "≤ 150 MB",
    );
    report.row(
        "overload: served again once the load stops",
        &format!(
            "{}; all that was under way answered after {}",
            ms(served_again),
            ms(answered)
        ),
        "≤ 1 s",
    );
}

/// Asks once.
async fn ask(connection: &mut SendRequest<Full<Bytes>>, (header, value): &(&'static str, String)) -> StatusCode {
    connection.ready().await.expect("the connection is kept");
    let request = Request::get("/api/v1/me").header(*header, value).body(Full::default());
    let request = request.expect("a request of the bench");
    let answer = connection.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    match head.status {
        StatusCode::OK => {}
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            let wait = head
                .headers
                .get(RETRY_AFTER)
                .and_then(|wait| wait.to_str().ok()?.parse().ok());
            assert!(
                wait.is_some_and(|wait: u64| wait > 0),
                "{} does not say when to come back",
                head.status
            );
        }
        other => panic!("{other}: {}", String::from_utf8_lossy(&body)),
    }
    head.status
}

/// Each connection is an open file, and some systems start a program with 1024.
fn allow_open_files() {
    let most = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, raised).expect("a process may open as many files as it may");
}
