//! The API keeps to its OpenAPI document, whatever is sent to it: requests made from the document, right ones and bent ones, by
//! callers of each kind. Nothing of it makes the server fail, and every answer is one that the document names.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Installation, Person, Settings};
use tokio::process::Command;

/// Cases an operation, for each caller.
const CASES: &str = "12";
/// The run of one caller ends after so long, having sent what it could: the four together stay within five minutes.
const SECONDS: &str = "75";
/// Requests a minute of one person and of one key: the most that may be chosen, so that what is sent is answered, and not put off.
const REQUESTS: &str = "1000000";
/// So that a failure comes again.
const SEED: &str = "20261127";
const PATIENCE: Duration = Duration::from_secs(180);
/// Signing out, ending a session and removing a person, whose ids schemathesis has read in answers, end what all others need; waking
/// starts a real cell, which other tests do.
const LEFT_OUT: [&str; 4] = [
    "/api/v1/sign-out",
    "/api/v1/sessions/{id}",
    "/api/v1/people/{id}",
    "/api/v1/cell/wake",
];
/// A key for these may call whatever any key may.
const SCOPES: [&str; 8] = [
    "profile",
    "people:read",
    "people:manage",
    "audit:read",
    "groups:read",
    "groups:manage",
    "cell:read",
    "cell:wake",
];

#[tokio::test]
async fn promise_11_nobody_makes_the_api_fail_or_break_its_document() {
    // With the tenant API, which refuses all of these: what it answers the operator and tenants is tried where no cell has to start
    // (`crates/management/tests/management/tenant_conformance.rs`).
    let installation = Settings::default()
        .set("tenant_api.enabled", "true")
        .set("limits.requests_per_person", REQUESTS)
        .set("limits.requests_per_key", REQUESTS)
        .set("server.trusted_proxies", "[\"127.0.0.1\"]")
        .start()
        .await;
    let owner = installation.owner().await;
    let member = installation.member(&owner, "Mia", "mia@example.org").await;
    let wanted = json!({ "name": "contract", "scopes": SCOPES, "days": 1 });
    let key = owner.post("/api/v1/keys", &wanted).await.ok();
    let key = key["key"].as_str().expect("a new key is shown").to_owned();

    let origin = ("Origin", installation.url());
    let callers = [
        ("nobody", vec![origin.clone()]),
        ("a member", session(&member)),
        ("an owner", session(&owner)),
        ("a key", vec![("Authorization", format!("Bearer {key}"))]),
    ];
    for (place, (caller, mut headers)) in callers.into_iter().enumerate() {
        // Each comes from elsewhere: what one fails at makes no other wait.
        headers.push(("X-Forwarded-For", format!("192.0.2.{}", place + 1)));
        hold_to_the_document(&installation, caller, &headers).await;
    }

    // After all that, it serves as before, and whoever was in it is.
    let me = owner.get("/api/v1/me").await.ok();
    for of in ["user", "tenant", "cell"] {
        assert_eq!(me[of]["id"], owner.me[of]["id"], "{me}");
    }
    let people = owner.get("/api/v1/people").await.ok();
    let people: Vec<_> = people["people"].as_array().into_iter().flatten().collect();
    for person in [&owner, &member] {
        let id = &person.me["user"]["id"];
        assert!(people.iter().any(|listed| listed["id"] == *id), "{people:?}");
    }
}

/// What a page of the platform sends with every request of a person.
fn session(person: &Person) -> Vec<(&'static str, String)> {
    vec![
        ("Origin", person.base().to_owned()),
        ("Cookie", person.cookies().to_owned()),
        ("X-CSRF-Token", person.csrf_token().to_owned()),
    ]
}

/// Sends what the document allows and what it does not, as one caller.
async fn hold_to_the_document(installation: &Installation, caller: &str, headers: &[(&'static str, String)]) {
    let program = std::env::var_os("HOLDFAST_SCHEMATHESIS").map(PathBuf::from);
    let program = program.expect("schemathesis is not installed: run `cargo xtask test`");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    // In a file that only we read, not among the arguments.
    let config = dir.path().join("schemathesis.toml");
    std::fs::write(&config, configuration(headers)).expect("the configuration can be written");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let report = dir.path().join("report.har");
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(&config)
        .args(["--no-color", "run", "--url", &installation.url()])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", CASES])
        .args(["--max-time", SECONDS, "--generation-with-security-parameters", "false"])
        .args([
            "--seed",
            SEED,
            "--generation-database",
            "none",
            "--request-timeout",
            "30",
        ])
        .args(LEFT_OUT.iter().flat_map(|path| ["--exclude-path", path]))
        .args([
            "--exclude-checks",
            "positive_data_acceptance,ignored_auth,missing_required_header",
        ])
        .args(["--warnings", "off", "--continue-on-failure", "--no-shrink"])
        .args(["--report", "har", "--report-har-path"])
        .arg(&report)
        .arg(&document)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("as {caller}: not done in {} s", PATIENCE.as_secs()))
        .expect("schemathesis can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&document).expect("the document is committed"))
        .expect("the document is JSON");
    let operations = document["paths"].as_object().into_iter().flatten();
    let operations: usize = operations
        .filter(|(path, _)| !LEFT_OUT.contains(&path.as_str()))
        .map(|(_, item)| item.as_object().map_or(0, |item| item.len()))
        .sum();
    let tested = format!("Tested: {operations}");
    assert!(
        said.contains(&tested),
        "as {caller}, every operation that is not left out is tried:\n{said}"
    );
    assert!(
        output.status.success(),
        "as {caller}:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (answers, put_off) = answers(&report);
    assert!(
        put_off * 2 < answers,
        "as {caller}, {put_off} of {answers} answers were 429: what the document says of the others was hardly tried"
    );
}

/// How many answers there were, and how many of them were 429.
fn answers(report: &Path) -> (usize, usize) {
    let report = std::fs::read_to_string(report).expect("schemathesis writes its report");
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");
    let entries = report["log"]["entries"]
        .as_array()
        .expect("the report lists what was sent");
    let put_off = entries.iter().filter(|entry| entry["response"]["status"] == 429);
    (entries.len(), put_off.count())
}

fn configuration(headers: &[(&'static str, String)]) -> String {
    let lines = headers.iter().map(|(name, value)| {
        // JSON's strings are TOML's.
        format!("{name} = {}\n", Value::from(value.as_str()))
    });
    format!("[headers]\n{}", lines.collect::<String>())
}
