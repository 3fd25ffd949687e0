//! The tenant API, and the routes of who runs the machine, keep to the OpenAPI document, whatever the operator and a tenant send: requests
//! made from the document by schemathesis, right ones and bent ones. Cells are in memory here, so that what would start one can be asked for,
//! too; what everybody else is answered is tried against the real server (`tests/tests/system/contract.rs`).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{OPERATOR, World};

/// Cases an operation, for each caller.
const CASES: &str = "12";
/// A run ends after so long, having sent what it could.
const SECONDS: &str = "75";
/// So that a failure comes again.
const SEED: &str = "20261127";
const PATIENCE: Duration = Duration::from_secs(180);
/// As for people (`docs/decisions/0132`). And: the sessions of people and of tenants are at the same addresses and take other methods,
/// so that `Allow` there depends on who asks. An `Idempotency-Key` that it makes up twice may be of a tenant that it removed in between: that is
/// told (410) before what is asked for is looked at.
const EXCEPT: &str = r#"
[checks]
positive_data_acceptance.enabled = false
ignored_auth.enabled = false
missing_required_header.enabled = false
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "410", "415", "422", "428", "429"]

[[operations]]
include-path-regex = "^/api/v1/sessions(/|$)"
checks.allow_header_conformance.enabled = false
"#;
/// The paths of who runs the machine.
const OPERATORS: &str = r"^/api/v1/operator/";
/// Ends what all others need.
const SIGN_OUT: &str = "/api/v1/operator/sign-out";
/// The paths of the tenant API; at two of them are people's sessions, too.
const OURS: &str = r"^/(api/v1/(tenants|templates|platform-keys|chat|sessions|approvals|usage)(/|$)|v1/)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_nobody_makes_the_tenant_api_fail_or_break_its_document() {
    let (world, _, operator) = World::with_tenants().await;
    let (tenant, program) = world.tenant("x").await;
    // The clock stands still here, so what is left this minute does not grow.
    let limits = json!({"limits": {"requests_per_minute": i32::MAX}});
    let at = format!("/api/v1/tenants/{tenant}");
    operator.patch(&at, limits).await.expect(200);
    let (_, tenants_key) = &program.headers[0];
    let operators = format!("Bearer {OPERATOR}");

    let address = serve(world.router.clone()).await;
    // The tenant first: the operator removes those that are there.
    for (caller, authorization) in [("a tenant", tenants_key), ("the operator", &operators)] {
        // How many the document has at these paths: the tenant API's, and people's that end all their other sessions.
        let operations = management::tenant_routes().len() + 1;
        let headers = [("Authorization", authorization.clone())];
        hold_to_the_document(address, caller, &headers, &["--include-path-regex", OURS], operations).await;
    }
    // After all that, it serves as before.
    let (_, program) = world.tenant("y").await;
    let said = json!({"session_id": "first", "message": "Hello"});
    program.post("/api/v1/chat", said).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_the_operators_pages_make_nothing_fail_and_break_no_document() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    let mut operator = world.operator(true).await;
    let address = serve(world.router.clone()).await;
    let listed = management::routes().into_iter();
    let operations = listed.filter(|(_, path, ..)| path.starts_with("/api/v1/operator/") && *path != SIGN_OUT);
    let paths = ["--include-path-regex", OPERATORS, "--exclude-path", SIGN_OUT];
    hold_to_the_document(
        address,
        "the operator",
        &operator.sent_as_operator(),
        &paths,
        operations.count(),
    )
    .await;
    // After all that, it serves as before.
    operator.get("/operator/overview").await.expect(200);
}

pub async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Sends what the document allows and what it does not, as one caller.
async fn hold_to_the_document(
    address: SocketAddr,
    caller: &str,
    headers: &[(&'static str, String)],
    paths: &[&str],
    operations: usize,
) {
    let program = std::env::var_os("HOLDFAST_SCHEMATHESIS");
    let program = program.expect("schemathesis is not installed: run `cargo xtask test`");
    let dir = tempfile::tempdir().unwrap();
    // In a file that only we read, not among the arguments. JSON's strings are TOML's.
    let config = dir.path().join("schemathesis.toml");
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", Value::from(value.as_str())))
        .collect();
    std::fs::write(&config, format!("[headers]\n{headers}{EXCEPT}")).unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(&config)
        .args(["--no-color", "run", "--url", &format!("http://{address}")])
        .args(paths)
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
        .args(["--warnings", "off", "--continue-on-failure", "--no-shrink"])
        .arg(&document)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("as {caller}: not done in {} s", PATIENCE.as_secs()));
    let output = output.expect("schemathesis can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    let tested = format!("Tested: {operations}");
    assert!(
        said.contains(&tested),
        "as {caller}, every operation is tried ({tested}):\n{said}"
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "as {caller}:\n{said}\n{errors}");
}
