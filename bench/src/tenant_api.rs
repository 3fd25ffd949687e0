//! What the tenant API costs: whose key it is, beside a bare look-up of the same kind ([`crate::reference`]), and the first token, beside the
//! same turn sent straight to the Gateway from inside its container ([`crate::first_token`]).

use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde_json::json;
use system_tests::{Installation, Program, model_of};

use crate::first_token::{MESSAGE, Pairs};
use crate::load::Work;
use crate::report::Report;

/// More than the bench sends.
const REQUESTS_PER_MINUTE: u32 = 100_000_000;

/// A request that is refused as soon as it is known whose key it bears: a tenant without a model.
pub async fn refused(installation: &Installation, requests: usize) -> Work {
    let wanted = json!({"name": "Keys", "limits": {"requests_per_minute": REQUESTS_PER_MINUTE}});
    let (_, tenant) = Program::operator(installation).tenant(&wanted).await;
    Work {
        method: Method::POST,
        path: "/api/v1/chat",
        headers: vec![
            ("authorization", format!("Bearer {}", tenant.key)),
            ("content-type", "application/json".to_owned()),
        ],
        body: |_| "{}".to_owned(),
        answered: StatusCode::CONFLICT,
        requests,
    }
}

/// The first token.
pub async fn first_token(installation: &Installation, report: &mut Report) {
    let operator = Program::operator(installation);
    let wanted = json!({"name": "Tokens", "model": model_of(&installation.model().base_url(), "sk-unused"),
        "limits": {"requests_per_minute": REQUESTS_PER_MINUTE}});
    let (made, tenant) = operator.tenant(&wanted).await;
    first_delta(&tenant).await;
    let cell = made["cell"]["id"].as_str().expect("an id is text");
    let pairs = Pairs::take(cell, async || first_delta(&tenant).await).await;
    let id = made["id"].as_str().expect("an id is text");
    operator
        .ok(reqwest::Method::DELETE, &format!("/api/v1/tenants/{id}"), None)
        .await;
    pairs.rows(
        report,
        "tenant API: first token",
        "tenant API: the same turn straight to its Gateway",
        ("tenant API: first token, added (median of the pairs)", "≤ 5 ms"),
    );
}

/// One turn, read to its end; the time to its first text.
async fn first_delta(tenant: &Program) -> Duration {
    let message = json!({"session_id": "bench", "message": MESSAGE});
    let started = Instant::now();
    let mut answer = tenant.stream(&message).await;
    let (mut text, mut first) = (Vec::new(), None);
    while let Some(chunk) = answer.chunk().await.expect("the stream goes on") {
        text.extend_from_slice(&chunk);
        if first.is_none() && contains(&text, b"event: delta") {
            first = Some(started.elapsed());
        }
    }
    assert!(contains(&text, b"event: final"), "{}", String::from_utf8_lossy(&text));
    first.expect("an answer has a text")
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|part| part == wanted)
}
