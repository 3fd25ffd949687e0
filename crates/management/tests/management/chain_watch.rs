use management::limits;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::{Browser, World, rehash};

async fn watched() -> (World, Browser) {
    let (world, mut anna) = World::owned().await;
    for _ in 0..5 {
        anna.post("/step-up", json!({"code": "000000"})).await;
    }
    let wanted = json!({"trigger": "chain_broken", "email": "watch@acme.example"});
    anna.post("/alerts", wanted).await.expect(201);
    (world, anna)
}

async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// Until the chain was gone through once more: how far it held.
async fn checked(world: &World) -> i64 {
    let mut owner = world.database.owner().await;
    let due = "SELECT seq FROM chain_checks WHERE due_at > to_timestamp($1)";
    let looked = tokio::time::timeout(limits::CHAIN_LOOK * 3, async {
        loop {
            let found: Option<i64> = sqlx::query_scalar(due)
                .bind(world.clock.seconds())
                .fetch_optional(&mut owner)
                .await
                .unwrap();
            match found {
                Some(seq) if seq > 0 => return seq,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    looked.await.expect("it is gone through")
}

const CHANGED: &str = "UPDATE audit_events SET body = replace(body, 'Anna', 'Olga') WHERE seq = 3";

/// The chain is gone through once more and does not hold: the alert, and the event that says how.
async fn alarm(world: &World) -> Value {
    world.clock.advance(limits::CHAIN_CHECK);
    let mail = world.mails.next().await;
    assert!(mail.contains("The audit log was tampered with at Acme"), "{mail}");
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    let log = anna.get("/audit?action=audit.chain_broken").await.expect(200).json;
    log["events"][0].clone()
}

/// A chain holds, which is no alert; then the database's superuser does this to it, which is one.
async fn found(statement: &str, anew: bool, how: &str) {
    let (world, _) = watched().await;
    let held = checked(&world).await;
    assert!(held > 5, "{held}");
    assert!(world.mails.files().is_empty());
    let mut owner = world.database.owner().await;
    run(&mut owner, statement).await;
    if anew {
        rehash(&mut owner, 3).await;
    }
    let event = alarm(&world).await;
    assert_eq!(event["details"]["how"], how);
    assert_eq!(event["actor"]["kind"], "server");
}

#[tokio::test]
async fn promise_10_an_event_that_was_changed_sets_an_alert_off() {
    found(CHANGED, false, "it was changed").await;
}

#[tokio::test]
async fn promise_10_an_event_that_is_missing_sets_an_alert_off() {
    found("DELETE FROM audit_events WHERE seq = 3", false, "it is missing").await;
}

#[tokio::test]
async fn promise_10_a_log_whose_end_was_cut_off_sets_an_alert_off() {
    let cut = "DELETE FROM audit_events WHERE seq > 4;
        UPDATE audit_heads h SET seq = 4, hash = e.hash FROM audit_events e WHERE e.seq = 4";
    found(cut, false, "the end was cut off").await;
}

#[tokio::test]
async fn promise_10_a_log_that_was_hashed_anew_sets_an_alert_off() {
    found(CHANGED, true, "the log up to it is not the one that was there before").await;
}

#[tokio::test]
async fn promise_10_a_log_that_was_hashed_anew_over_a_place_that_was_signed_sets_an_alert_off_also_without_what_was_noted_of_it()
 {
    for (checkpoints, how) in [
        (
            "UPDATE audit_checkpoints c SET hash = e.hash FROM audit_events e WHERE e.seq = c.seq",
            "the signature over it is not of this server's key",
        ),
        ("DELETE FROM audit_checkpoints", "the signature over it is missing"),
    ] {
        let (world, mut anna) = watched().await;
        for _ in 0..limits::AUDIT_CHECKPOINT {
            anna.post("/cell/wake", json!({})).await.expect(202);
        }
        checked(&world).await;
        let mut owner = world.database.owner().await;
        run(&mut owner, CHANGED).await;
        rehash(&mut owner, 3).await;
        run(&mut owner, checkpoints).await;
        let forgotten = "UPDATE chain_checks SET seq = 0, hash = decode(repeat('00', 32), 'hex')";
        run(&mut owner, forgotten).await;
        let event = alarm(&world).await;
        assert_eq!(event["details"]["how"], how);
        assert_eq!(event["target"]["id"], limits::AUDIT_CHECKPOINT.to_string());
    }
}

#[tokio::test]
async fn promise_10_a_signature_that_is_not_of_this_server_is_noticed() {
    let (world, _anna) = watched().await;
    let held = checked(&world).await;
    let mut owner = world.database.owner().await;
    run(
        &mut owner,
        "INSERT INTO audit_checkpoints (tenant_id, seq, hash, at, signature)
         SELECT tenant_id, seq, hash, 1, sha512('x') FROM audit_events WHERE seq = 5",
    )
    .await;
    assert!(held >= 5);
    world.clock.advance(limits::CHAIN_CHECK);
    let mail = world.mails.next().await;
    assert!(mail.contains("event 5"), "{mail}");
}
