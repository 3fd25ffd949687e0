use management::audit::{AuditKey, Broken, Verified, verify};
use management::limits;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{Browser, TestVault, World, rehash, user_id};

/// The key that the test installation signs with.
fn key() -> String {
    protocol::b64::encode(AuditKey::from_bytes(&[9; 32]).public().as_bytes())
}

fn check(export: &str) -> Result<Verified, Broken> {
    verify(export.as_bytes(), Some(&key()))
}

/// A chain with some dozens of events, of more than one signature.
async fn busy() -> (World, Browser) {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    for _ in 0..10 {
        bob.post("/cell/wake", json!({})).await.expect(202);
        anna.post("/step-up", json!({"code": "000000"})).await;
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    (world, anna)
}

#[tokio::test]
async fn promise_10_an_export_is_checked_without_us_and_every_tampering_is_found() {
    let (_world, mut anna) = busy().await;
    let export = anna.download("/audit/export").await;
    let verified = check(&export).unwrap();
    let lines: Vec<&str> = export.split_inclusive('\n').collect();
    assert_eq!(verified.events, i64::try_from(lines.len()).unwrap() - 2);
    assert!(verified.events > 20);

    // Each field of each line, replaced by another value of its kind, with and without the hashes computed anew.
    let mut tried = 0;
    for (at, line) in lines.iter().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        for pointer in leaves(&value, String::new()) {
            let mut changed = value.clone();
            let leaf = changed.pointer_mut(&pointer).unwrap();
            *leaf = another(leaf);
            let mut tampered: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            tampered[at] = format!("{changed}\n");
            assert!(check(&tampered.concat()).is_err(), "line {at}, {pointer}");
            // Computing a changed hash anew only puts the right one back.
            if !pointer.ends_with("hash") {
                assert!(
                    check(&rehashed(&tampered)).is_err(),
                    "line {at}, {pointer}, computed anew"
                );
            }
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");

    // Each line taken out, put in twice, swapped with the next; each range cut.
    let without = |from: usize, to: usize| -> Vec<String> {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at < from || *at >= to);
        kept.map(|(_, line)| (*line).to_owned()).collect()
    };
    for from in 0..lines.len() {
        for to in from + 1..=lines.len() {
            let cut = without(from, to);
            assert!(check(&cut.concat()).is_err(), "lines {from} to {to} cut");
            assert!(
                check(&rehashed(&cut)).is_err(),
                "lines {from} to {to} cut, computed anew"
            );
        }
        let mut doubled: Vec<&str> = lines.clone();
        doubled.insert(from, lines[from]);
        assert!(check(&doubled.concat()).is_err(), "line {from} twice");
        if from + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(from, from + 1);
            assert!(check(&swapped.concat()).is_err(), "line {from} and the next");
        }
    }
    // A last line that was cut in its middle, and bytes after the end.
    assert!(check(export.trim_end()).is_err());
    assert!(check(&format!("{export}x\n")).is_err());
}

/// The members of a value that have no members of their own.
fn leaves(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::Object(members) if !members.is_empty() => members
            .iter()
            .flat_map(|(name, value)| leaves(value, format!("{at}/{name}")))
            .collect(),
        _ => vec![at],
    }
}

fn another(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) => json!(format!("{text}x")),
        Value::Null => json!("x"),
        Value::Object(_) => json!({"x": "x"}),
        other => panic!("no leaf: {other}"),
    }
}

/// What somebody without the key can do: number the events anew and compute every hash from the beginning.
fn rehashed(lines: &[String]) -> String {
    use sha2::Digest as _;
    let (mut before, mut text) = ([0_u8; 32], String::new());
    for line in lines {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else {
            return lines.concat();
        };
        if let Some(event) = value.get("event").map(Value::to_string) {
            let mut hash = sha2::Sha256::new();
            hash.update(b"holdfast/audit/v1\0");
            hash.update(before);
            hash.update(event.as_bytes());
            before = hash.finalize().into();
            value["hash"] = json!(protocol::b64::encode(before));
        } else if let Some(end) = value.get_mut("end") {
            end["hash"] = json!(protocol::b64::encode(before));
        }
        text.push_str(&value.to_string());
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn promise_10_an_export_that_was_signed_anew_by_another_key_is_found() {
    let (_world, mut anna) = busy().await;
    let export = anna.download("/audit/export").await;
    let other = protocol::b64::encode(AuditKey::from_bytes(&[1; 32]).public().as_bytes());
    assert!(matches!(verify(export.as_bytes(), Some(&other)), Err(Broken::OtherKey)));
    let relabelled = export.replace(&key(), &other);
    assert!(matches!(check(&relabelled), Err(Broken::OtherKey)));
    assert!(verify(relabelled.as_bytes(), None).is_err());
}

#[tokio::test]
async fn promise_10_a_change_in_the_database_itself_is_found_in_an_export() {
    let changes = [
        "UPDATE audit_events SET body = replace(body, 'Anna', 'Olga') WHERE seq = 2",
        "DELETE FROM audit_events WHERE seq = 3",
        "DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)",
        "UPDATE audit_events SET hash = sha256('x') WHERE seq = 4",
    ];
    for change in changes {
        let (world, mut anna) = busy().await;
        // The superuser can; the application's role cannot.
        let mut owner = world.database.owner().await;
        sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut owner).await.unwrap();
        let export = anna.download("/audit/export").await;
        assert!(check(&export).is_err(), "{change}");
    }
}

#[tokio::test]
async fn a_long_chain_is_signed_on_its_way_and_exports_whole() {
    let (world, mut anna) = World::owned().await;
    for _ in 0..limits::AUDIT_CHECKPOINT {
        anna.post("/cell/wake", json!({})).await.expect(202);
    }
    let export = anna.download("/audit/export").await;
    let verified = check(&export).unwrap();
    assert!(verified.events > limits::AUDIT_CHECKPOINT);
    assert_eq!(verified.signatures, 2);
    // An export that is cut where the chain was signed has no end.
    let (kept, _) = export.split_once("{\"checkpoint\"").unwrap();
    let rest = &export[kept.len()..];
    let cut = format!("{kept}{}", rest.split_inclusive('\n').next().unwrap());
    assert!(matches!(check(&cut), Err(Broken::Cut { after: 256 })));
    drop(world);
}

#[tokio::test]
async fn promise_10_a_long_chain_that_the_databases_superuser_hashed_anew_is_found_in_an_export() {
    let changed = "UPDATE audit_events SET body = replace(body, 'Anna', 'Olga') WHERE seq = 3";
    let relabelled = "UPDATE audit_checkpoints c SET hash = e.hash FROM audit_events e WHERE e.seq = c.seq";
    let place = limits::AUDIT_CHECKPOINT;
    for (checkpoints, missing) in [(relabelled, false), ("DELETE FROM audit_checkpoints", true)] {
        let (world, mut anna) = World::owned().await;
        for _ in 0..place {
            anna.post("/cell/wake", json!({})).await.expect(202);
        }
        let whole = anna.download("/audit/export").await;
        check(&whole).unwrap();
        let mut owner = world.database.owner().await;
        sqlx::raw_sql(changed).execute(&mut owner).await.unwrap();
        rehash(&mut owner, 3).await;
        sqlx::raw_sql(checkpoints).execute(&mut owner).await.unwrap();
        let export = anna.download("/audit/export").await;
        match check(&export) {
            Err(Broken::Unsigned { seq, .. }) => assert!(missing && seq == place),
            Err(Broken::Signature { seq, .. }) => assert!(!missing && seq == place),
            other => panic!("{other:?}"),
        }
        // The server signs no end of what does not hold.
        assert!(!export.contains("{\"end\""), "{}", &export[export.len() - 300..]);
        // A signature that was taken out of the file itself is missed, too.
        let without: Vec<&str> = whole
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("{\"checkpoint\""))
            .collect();
        assert!(matches!(check(&without.concat()), Err(Broken::Unsigned { seq, .. }) if seq == place));
    }
}

#[tokio::test]
async fn promise_10_no_end_is_signed_of_a_short_chain_that_does_not_hold() {
    for change in [
        "UPDATE audit_events SET body = replace(body, 'Anna', 'Olga') WHERE seq = 2",
        "DELETE FROM audit_events WHERE seq = 3",
        "UPDATE audit_heads SET hash = sha256('x')",
    ] {
        let (world, mut anna) = busy().await;
        assert!(anna.download("/audit/export").await.contains("{\"end\""));
        let mut owner = world.database.owner().await;
        sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut owner).await.unwrap();
        let export = anna.download("/audit/export").await;
        assert!(!export.contains("{\"end\""), "{change}");
    }
}

#[tokio::test]
async fn what_many_do_at_once_is_one_chain_without_a_gap() {
    const EACH: usize = 12;
    let (world, mut anna) = World::owned().await;
    let mut people = Vec::new();
    for name in ["bob", "carol", "dan", "eve"] {
        people.push(world.join(&mut anna, &format!("{name}@acme.example"), "member").await);
    }
    let before = check(&anna.download("/audit/export").await).unwrap().events;
    let acts = people.iter_mut().enumerate().map(async |(person, browser)| {
        for number in 0..EACH {
            let group = json!({"name": format!("Group {person}-{number}")});
            browser.post("/groups", group).await.expect(201);
            // What was answered is in the chain.
            let newest = browser.get("/audit?action=group.made").await.expect(200).json;
            let made = newest["events"].as_array().unwrap();
            assert_eq!(made.len(), number + 1, "{newest}");
        }
    });
    futures::future::join_all(acts).await;
    let after = check(&anna.download("/audit/export").await).unwrap().events;
    // And the second export itself.
    assert_eq!(after - before, i64::try_from(people.len() * EACH).unwrap() + 1);
}

#[tokio::test]
async fn promise_10_an_event_that_a_killed_server_left_behind_is_chained() {
    let (world, mut anna) = World::owned().await;
    // As it is after a transaction that was committed, and before the one that chains.
    let start = r#"{"action":"group.made","actor":{"kind":"server","name":""},"address":"","at":1,"details":{},"device":"","outcome":"done","seq":"#;
    sqlx::query(
        "INSERT INTO audit_waiting (tenant_id, start, rest) SELECT id, $1, replace($2, 'ID', id::text) FROM tenants",
    )
    .bind(start)
    .bind(r#","target":null,"tenant":"ID","v":1}"#)
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    let chained = tokio::time::timeout(management::limits::CHAIN_LOOK * 3, async {
        loop {
            let made = anna.get("/audit?action=group.made").await.expect(200).json;
            if made["events"].as_array().is_some_and(|events| !events.is_empty()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    chained.await.expect("it is chained");
    check(&anna.download("/audit/export").await).unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_waiting")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn everybody_sees_their_own_acts_and_managers_see_all() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut olga = world.second_tenant().await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    anna.post("/cell/wake", json!({})).await.expect(202);
    let actors = async |browser: &mut Browser, query: &str| -> Vec<String> {
        let answer = browser.get(&format!("/audit{query}")).await.expect(200).json;
        let events = answer["events"].as_array().unwrap().clone();
        events
            .iter()
            .map(|event| event["actor"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = actors(&mut anna, "").await;
    assert!(
        all.contains(&"Anna".to_owned()) && all.contains(&"member".to_owned()),
        "{all:?}"
    );
    let me = world.cell_of(&mut bob).await;
    let annas = world.cell_of(&mut anna).await;
    for query in [String::new(), format!("?person={}", annas.user), "?text=Anna".into()] {
        let own = actors(&mut bob, &query).await;
        assert!(
            own.iter().all(|name| name == "member" || name.is_empty()),
            "{query}: {own:?}"
        );
    }
    assert!(actors(&mut bob, "").await.len() >= 3);
    assert_eq!(
        actors(&mut anna, &format!("?person={}&action=cell.", me.user)).await,
        ["member"]
    );
    assert!(actors(&mut anna, "?outcome=refused").await.is_empty());
    assert!(actors(&mut anna, "?text=nowhere%25").await.is_empty());
    assert!(!actors(&mut olga, "").await.contains(&"Anna".to_owned()));
    bob.get("/audit/export").await.refused(403, "not_allowed");
    bob.get("/audit/export.csv").await.refused(403, "not_allowed");
    anna.get("/audit?before=x").await.refused(400, "bad_request");

    let newest = anna.get("/audit").await.expect(200).json["events"][0]["seq"]
        .as_i64()
        .unwrap();
    let before = anna.get(&format!("/audit?before={newest}")).await.expect(200).json;
    assert_eq!(before["events"][0]["seq"], newest - 1);
}

#[tokio::test]
async fn a_table_holds_what_was_searched_for() {
    let (_world, mut anna) = busy().await;
    let table = anna.download("/audit/export.csv?action=cell.").await;
    assert!(table.starts_with("seq,at,action,"));
    assert_eq!(table.lines().count(), 11);
    assert!(table.contains("\"cell.woken\",\"done\",\"person\""), "{table}");
}

#[tokio::test]
async fn a_table_goes_to_the_end_however_long_it_is() {
    let (world, mut anna) = World::owned().await;
    let many = limits::AUDIT_EXPORTED * 2 + 7;
    sqlx::query(
        r#"INSERT INTO audit_waiting (tenant_id, start, rest)
        SELECT t.id, '{"action":"cell.slept","actor":{"id":null,"kind":"server","name":"Holdfast"},"address":"","at":5,"details":{},"device":"",'
            || '"outcome":"done","seq":', ',"target":null,"tenant":"' || t.id || '","v":1}' FROM tenants t, generate_series(1, $1)"#,
    )
    .bind(many)
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    anna.post("/cell/wake", json!({})).await.expect(202);
    let all = anna.get("/audit").await.expect(200).json["events"][0]["seq"]
        .as_i64()
        .unwrap();
    assert!(all > many);
    let table = anna.download("/audit/export.csv").await;
    let seqs = table
        .lines()
        .skip(1)
        .map(|row| row.split(',').next().unwrap().parse::<i64>().unwrap());
    assert!(seqs.eq((1..=all).rev()), "every event once, the newest first");
    let lines = anna.download("/audit/export.cef?action=cell.slept").await;
    assert_eq!(i64::try_from(lines.lines().count()).unwrap(), many);
}

#[tokio::test]
async fn a_collector_of_logs_gets_one_line_an_event() {
    let (_world, mut anna) = busy().await;
    let lines = anna.download("/audit/export.cef?action=cell.").await;
    assert_eq!(lines.lines().count(), 10);
    for line in lines.lines() {
        assert!(
            line.starts_with("CEF:0|Holdfast|Holdfast|0.1.0|cell.woken|cell woken|2|rt="),
            "{line}"
        );
        assert!(line.contains(" act=cell.woken outcome=done "), "{line}");
    }
    let log = anna.get("/audit?action=audit.exported").await.expect(200).json;
    assert_eq!(log["events"][0]["details"]["format"], "cef");
}

#[tokio::test]
async fn letters_and_recovery_are_recorded_without_what_is_in_them() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let bobs = bob.get("/me").await.expect(200).json["user"]["id"].clone();
    let letter = json!({"id": uuid::Uuid::now_v7(), "to": bobs, "body": "c2VhbGVkIHdvcmRz"});
    anna.post("/letters", letter).await.expect(204);
    let vault = TestVault::of(&world, &mut anna, 1).await;
    anna.put("/identity", vault.identity()).await.expect(204);
    let contacts = vault.contacts(1, &[user_id(&bobs)], 1, 5);
    anna.put("/recovery/contacts", contacts).await.expect(204);
    let asked = anna
        .post("/recovery/request", json!({"request": "c2VhbGVkIHdvcmRz"}))
        .await
        .expect(201)
        .json;
    let release = json!({"request": asked["id"], "sealed": "c2VhbGVkIHdvcmRz"});
    bob.post("/recovery/release", release).await.expect(204);
    // There is one to stop, and then there is none.
    anna.post("/recovery/stop", json!({})).await.expect(204);
    anna.post("/recovery/stop", json!({})).await.expect(204);
    let export = anna.download("/audit/export").await;
    assert!(!export.contains("c2VhbGVkIHdvcmRz"));
    for (action, times) in [
        ("letter.sent", 1),
        ("recovery.contacts_set", 1),
        ("recovery.asked", 1),
        ("recovery.released", 1),
        ("recovery.stopped", 1),
    ] {
        assert_eq!(
            export.matches(&format!("\"action\":\"{action}\"")).count(),
            times,
            "{action}"
        );
    }
    // Bob sees that a letter was sent to him, and what he did himself.
    let own = bob.get("/audit").await.expect(200).json;
    let own: Vec<_> = own["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["action"].clone())
        .collect();
    assert!(
        own.contains(&json!("letter.sent")) && own.contains(&json!("recovery.released")),
        "{own:?}"
    );
    assert!(!own.contains(&json!("recovery.stopped")), "{own:?}");
}
