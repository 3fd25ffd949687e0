use std::time::Duration;

use management::limits;
use serde_json::{Value, json};

use crate::support::{Authenticator, Browser, World};

async fn rule(browser: &mut Browser, trigger: &str, quiet: Value) -> String {
    let wanted = json!({"trigger": trigger, "email": "Watch@acme.example", "quiet": quiet});
    let made = browser.post("/alerts", wanted).await.expect(201).json;
    assert_eq!(made["email"], "watch@acme.example");
    format!("/alerts/{}", made["id"].as_str().unwrap())
}

/// Anna comes, by a mailed link, with a device that she has not used before.
async fn phone(world: &World) -> Browser {
    let mut phone = world.browser();
    phone.headers.push(("user-agent", "Firefox/140.0 (iPhone)".to_owned()));
    phone
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    let token = crate::support::token(&world.mails.next().await, "sign-in");
    phone
        .post("/sign-in/complete", json!({"token": token}))
        .await
        .expect(200);
    phone
}

/// What is told of the only rule, once it is.
async fn shown(browser: &mut Browser, member: &str) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let listed = browser.get("/alerts").await.expect(200).json;
            let value = listed["alerts"][0][member].clone();
            if !value.is_null() {
                return value;
            }
        }
    });
    told.await.expect("it is told")
}

#[tokio::test]
async fn what_was_done_is_told_by_mail_and_more_of_it_in_one() {
    let (world, mut anna) = World::owned().await;
    rule(&mut anna, "exported", Value::Null).await;
    anna.download("/audit/export.csv").await;
    let mail = world.mails.next().await;
    assert!(mail.contains("To: watch@acme.example"), "{mail}");
    assert!(mail.contains("The audit log was exported at Acme"), "{mail}");
    assert!(mail.contains("Anna: audit.exported"), "{mail}");
    assert!(mail.contains("http://localhost:8080/audit\r\n"), "{mail}");

    // Three more within the hour are one mail, at its end.
    for _ in 0..3 {
        anna.download("/audit/export.csv").await;
    }
    assert_eq!(shown(&mut anna, "last_sent_at").await, world.clock.seconds() * 1000);
    world.clock.advance(limits::ALERT_BETWEEN);
    let mail = world.mails.next().await;
    assert!(mail.contains("3 times; the last one:"), "{mail}");
    assert_eq!(world.mails.files().len(), 2);
}

/// Of an export, in whose quiet hours it is for another half an hour, and of a key.
async fn waits_half_an_hour(world: &World, anna: &mut Browser) {
    anna.download("/audit/export.csv").await;
    anna.post("/keys", json!({"name": "x", "scopes": ["profile"], "days": 1}))
        .await
        .expect(201);
    // The other one comes, though it was raised later.
    let mail = world.mails.next().await;
    assert!(mail.contains("An API key was made"), "{mail}");
    world.clock.advance(Duration::from_secs(30 * 60));
    let mail = world.mails.next().await;
    assert!(mail.contains("The audit log was exported"), "{mail}");
}

#[tokio::test]
async fn quiet_hours_are_waited_for() {
    let (world, mut anna) = World::owned().await;
    let minute = i16::try_from(world.clock.seconds() / 60 % 1440).unwrap();
    let quiet = json!({"from": minute, "to": (minute + 30) % 1440});
    rule(&mut anna, "exported", quiet).await;
    rule(&mut anna, "key_made", Value::Null).await;
    waits_half_an_hour(&world, &mut anna).await;
}

#[tokio::test]
async fn quiet_hours_are_those_of_the_zone_that_they_were_given_with() {
    let (world, mut anna) = World::owned().await;
    // Kolkata's clocks are five and a half hours before those of UTC, all year.
    let minute = i16::try_from((world.clock.seconds() / 60 + 330) % 1440).unwrap();
    let to = (minute + 30) % 1440;
    let quiet = json!({"from": minute, "to": to, "zone": "Asia/Kolkata"});
    rule(&mut anna, "exported", quiet.clone()).await;
    rule(&mut anna, "key_made", Value::Null).await;
    // Where no zone is said, it is UTC.
    rule(&mut anna, "factor_off", json!({"from": 60, "to": 120})).await;
    let listed = anna.get("/alerts").await.expect(200).json;
    assert_eq!(listed["alerts"][0]["quiet"], quiet);
    assert_eq!(listed["alerts"][2]["quiet"]["zone"], "UTC");
    waits_half_an_hour(&world, &mut anna).await;
}

#[tokio::test]
async fn a_mail_that_was_not_taken_is_tried_again() {
    let (world, mut anna) = World::owned().await;
    let path = rule(&mut anna, "exported", Value::Null).await;
    // A folder stands where the outbox wants to be.
    let outbox = world.folder.path().join("outbox");
    let _none = std::fs::remove_dir_all(&outbox);
    std::fs::write(&outbox, b"").unwrap();
    anna.post(&format!("{path}/test"), json!({}))
        .await
        .refused(503, "mail_failed");
    anna.download("/audit/export.csv").await;
    shown(&mut anna, "last_problem").await;
    std::fs::remove_file(&outbox).unwrap();
    world.clock.advance(limits::DELIVERY_RETRY);
    let mail = world.mails.next().await;
    assert!(mail.contains("The audit log was exported"), "{mail}");
}

#[tokio::test]
async fn a_new_device_and_many_refused_attempts_are_noticed() {
    let (world, mut anna) = World::owned().await;
    rule(&mut anna, "new_device", Value::Null).await;
    phone(&world).await;
    let mail = world.mails.next().await;
    assert!(mail.contains("A sign-in from a new device at Acme"), "{mail}");
    assert!(mail.contains("Firefox on iPhone"), "{mail}");
    // The same device again is no news: the next mail is the one of the wrong codes.
    rule(&mut anna, "failures", Value::Null).await;
    for _ in 0..limits::ALERT_FAILURES {
        anna.post("/step-up", json!({"code": "000000"}))
            .await
            .refused(403, "code_wrong");
    }
    let mail = world.mails.next().await;
    assert!(mail.contains("Many refused attempts at Acme"), "{mail}");
}

/// Sets a passkey up: its path, and the backup codes that are shown once.
async fn passkey(browser: &mut Browser, seed: u8) -> (String, Value) {
    let begun = browser
        .post("/factors/passkeys/begin", json!({}))
        .await
        .expect(200)
        .json;
    let made = Authenticator::new(seed).create(&begun);
    let kept = browser.post("/factors/passkeys", made).await.expect(200).json;
    let path = format!("/factors/passkeys/{}", kept["id"].as_str().unwrap());
    (path, kept["backup_codes"].clone())
}

/// How many events were found worth telling of.
async fn raised(world: &World) -> i64 {
    sqlx::query_scalar("SELECT coalesce(sum(events), 0)::bigint FROM alerts")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_wrong_code_makes_no_device_a_known_one() {
    let (world, mut anna) = World::owned().await;
    let (_, codes) = passkey(&mut anna, 7).await;
    rule(&mut anna, "new_device", Value::Null).await;
    let mut phone = phone(&world).await;
    phone
        .post("/sign-in/factor", json!({"code": "000000"}))
        .await
        .refused(403, "code_wrong");
    assert_eq!(raised(&world).await, 0);
    phone
        .post("/sign-in/factor", json!({"code": codes[0]}))
        .await
        .expect(200);
    let mail = world.mails.next().await;
    assert!(mail.contains("A sign-in from a new device at Acme"), "{mail}");
    // Being asked for the code and being in are told in one.
    assert_eq!(raised(&world).await, 1);
}

#[tokio::test]
async fn every_way_in_which_a_second_factor_is_turned_off_is_told_and_nothing_else() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let bobs = bob.get("/me").await.expect(200).json["user"]["id"].clone();
    rule(&mut anna, "factor_off", Value::Null).await;
    let (own, _) = passkey(&mut anna, 7).await;
    for other in [
        json!({"time_alone_hours": 5}),
        json!({"second_person": true}),
        json!({"requests_while_locked": "wait"}),
    ] {
        anna.put("/policy", other).await.expect(200);
    }
    assert_eq!(raised(&world).await, 0);

    let (path, _) = passkey(&mut bob, 8).await;
    bob.delete(&path).await.expect(204);
    assert_eq!(raised(&world).await, 1, "the only passkey");
    passkey(&mut bob, 8).await;
    anna.post(&format!("/people/{}/reset-factors", bobs.as_str().unwrap()), json!({}))
        .await
        .expect(204);
    assert_eq!(raised(&world).await, 2, "somebody's reset");
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);
    assert_eq!(raised(&world).await, 2);
    anna.put("/policy", json!({"second_factor": "optional"}))
        .await
        .expect(200);
    assert_eq!(raised(&world).await, 3, "no longer asked of everybody");
    sqlx::query(
        "INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at, confirmed_at)
         SELECT tenant_id, id, 'x', now(), now() FROM users WHERE email = 'anna@acme.example'",
    )
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    anna.delete("/factors/authenticator").await.expect(204);
    assert_eq!(raised(&world).await, 4, "an authenticator, though a passkey is left");
    anna.delete(&own).await.expect(204);
    assert_eq!(raised(&world).await, 5);
}

#[tokio::test]
async fn a_program_that_goes_on_with_a_revoked_key_is_noticed() {
    let (world, mut anna) = World::owned().await;
    let wanted = json!({"name": "laptop", "scopes": ["profile"], "days": 30});
    let made = anna.post("/keys", wanted).await.expect(201).json;
    anna.delete(&format!("/keys/{}", made["id"].as_str().unwrap()))
        .await
        .expect(204);
    rule(&mut anna, "failures", Value::Null).await;
    let mut program = world.with_key(made["key"].as_str().unwrap());
    for times in [limits::ALERT_FAILURES - 1, 1] {
        assert_eq!(raised(&world).await, 0);
        for _ in 0..times {
            program.get("/me").await.refused(401, "not_signed_in");
        }
        world.management.write_refusals().await;
    }
    assert_eq!(raised(&world).await, 1);
    let mail = world.mails.next().await;
    assert!(mail.contains("Many refused attempts at Acme"), "{mail}");
}

#[tokio::test]
async fn refusals_that_were_counted_together_count_each() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    rule(&mut anna, "failures", Value::Null).await;
    for times in [limits::ALERT_FAILURES - 1, 1] {
        assert_eq!(raised(&world).await, 0);
        for _ in 0..times {
            bob.get("/alerts").await.refused(403, "not_allowed");
        }
        world.management.write_refusals().await;
    }
    assert_eq!(raised(&world).await, 1);
    let mail = world.mails.next().await;
    assert!(mail.contains("Many refused attempts at Acme"), "{mail}");
}

#[tokio::test]
async fn who_is_sent_away_is_told_nothing_any_more() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let bobs = bob.get("/me").await.expect(200).json["user"]["id"].clone();
    let person = format!("/people/{}", bobs.as_str().unwrap());
    rule(&mut anna, "exported", Value::Null).await;
    for way in ["suspended", "removed"] {
        let told = json!({"trigger": "exported", "email": "bob@acme.example"});
        anna.post("/alerts", told).await.expect(201);
        let losses = match way {
            "suspended" => anna.post(&format!("{person}/suspend"), json!({})).await,
            _ => anna.delete(&person).await,
        };
        assert_eq!(losses.expect(200).json["alerts"], 1);
        let left = anna.get("/alerts").await.expect(200).json;
        let left: Vec<_> = left["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["email"].clone())
            .collect();
        assert_eq!(left, ["watch@acme.example"], "{way}");
    }
}

#[tokio::test]
async fn rules_are_tested_bounded_and_removed() {
    let (world, mut anna) = World::owned().await;
    let path = rule(&mut anna, "exported", Value::Null).await;
    anna.post(&format!("{path}/test"), json!({})).await.expect(204);
    let mail = world.mails.next().await;
    assert!(mail.contains("This is a test at Acme"), "{mail}");
    let again = json!({"trigger": "exported", "email": "watch@acme.example"});
    anna.post("/alerts", again).await.refused(409, "already_told");
    for quiet in [
        json!({"from": 5, "to": 5}),
        json!({"from": 0, "to": 1440}),
        json!({"from": 0, "to": 60, "zone": "Europe/Atlantis"}),
    ] {
        let wanted = json!({"trigger": "key_made", "email": "a@acme.example", "quiet": quiet});
        anna.post("/alerts", wanted).await.refused(422, "invalid_field");
    }
    let unknown = json!({"trigger": "everything", "email": "a@acme.example"});
    anna.post("/alerts", unknown).await.refused(400, "bad_request");
    anna.delete(&path).await.expect(204);
    anna.delete(&path).await.refused(404, "not_found");
    assert_eq!(anna.get("/alerts").await.expect(200).json, json!({"alerts": []}));
    let log = anna.get("/audit?action=alert.").await.expect(200).json;
    assert_eq!(log["events"][0]["action"], "alert.removed");
}
