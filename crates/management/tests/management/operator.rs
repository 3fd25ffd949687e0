//! Who runs the machine: their way in, what they see, and what they do to organisations, people and cells.

use std::time::Duration;

use management::audit::{AuditKey, Broken, Verified, verify};
use management::limits;
use serde_json::json;
use sqlx::PgConnection;

use crate::support::{Browser, OPERATOR_TOKEN, World, rehash_operators, token};

async fn signed_in(world: &World) -> Browser {
    let mut operator = world.browser();
    let shown = json!({"token": format!("{OPERATOR_TOKEN}\n")});
    operator.post("/operator/sign-in", shown).await.expect(200);
    operator
}

async fn log(operator: &mut Browser) -> Vec<(String, String)> {
    let log = operator.get("/operator/audit").await.expect(200).json;
    let events = log["events"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    events
        .map(|event| (text(&event["action"]), text(&event["outcome"])))
        .collect()
}

#[tokio::test]
async fn the_token_in_the_data_directory_lets_the_operator_in_and_nothing_else_does() {
    let (world, mut anna) = World::owned().await;
    let mut operator = world.browser();
    operator.get("/operator/session").await.refused(401, "not_signed_in");
    for wrong in ["", "x", &OPERATOR_TOKEN[1..]] {
        operator
            .post("/operator/sign-in", json!({ "token": wrong }))
            .await
            .refused(403, "operator_token_wrong");
    }
    let answer = operator
        .post("/operator/sign-in", json!({ "token": OPERATOR_TOKEN }))
        .await
        .expect(200);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    let cookie = cookies[0].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!answer.text.contains(OPERATOR_TOKEN));
    operator.get("/operator/session").await.expect(200);
    operator.get("/me").await.refused(401, "not_signed_in");
    anna.get("/operator/session").await.refused(401, "not_signed_in");
    // A browser may hold both, and each counts where it belongs.
    anna.operator.clone_from(&operator.operator);
    anna.get("/operator/session").await.expect(200);
    anna.get("/me").await.expect(200);
    anna.post("/operator/sign-out", json!({})).await.expect(204);
    operator.get("/operator/session").await.refused(401, "not_signed_in");
    anna.get("/me").await.expect(200);

    let mut operator = signed_in(&world).await;
    let done = |action: &str| (action.to_owned(), "done".to_owned());
    let refused = ("operator.signed_in".to_owned(), "refused".to_owned());
    let mut wanted = vec![
        done("operator.signed_in"),
        done("operator.signed_out"),
        done("operator.signed_in"),
    ];
    wanted.extend(vec![refused; 3]);
    assert_eq!(log(&mut operator).await, wanted);
}

#[tokio::test]
async fn a_write_needs_the_token_of_the_operators_own_session() {
    let (world, anna) = World::owned().await;
    let mut operator = signed_in(&world).await;
    let persons = anna.csrf_token().unwrap().to_owned();
    for wrong in [persons.as_str(), "A", ""] {
        operator.headers.push(("x-csrf-token", wrong.to_owned()));
        operator
            .post("/operator/sign-out", json!({}))
            .await
            .refused(403, "csrf_token");
        operator.headers.pop();
    }
    operator.headers = vec![("sec-fetch-site", "cross-site".into())];
    operator
        .post("/operator/sign-out", json!({}))
        .await
        .refused(403, "cross_site");
    operator.headers = vec![("sec-fetch-site", "same-origin".into())];
    operator.post("/operator/sign-out", json!({})).await.expect(204);
}

#[tokio::test]
async fn the_session_ends_by_idleness_by_age_and_with_the_token_that_it_was_given_for() {
    let (world, _anna) = World::owned().await;
    let mut operator = signed_in(&world).await;
    world.clock.advance(limits::OPERATOR_IDLE - Duration::from_secs(1));
    operator.get("/operator/session").await.expect(200);
    world.clock.advance(limits::OPERATOR_IDLE);
    operator.get("/operator/session").await.refused(401, "not_signed_in");

    let mut operator = signed_in(&world).await;
    let steps = limits::OPERATOR_LIFE.as_secs() / 600;
    for _ in 1..steps {
        world.clock.advance(Duration::from_secs(600));
        operator.get("/operator/session").await.expect(200);
    }
    world.clock.advance(Duration::from_secs(600));
    operator.get("/operator/session").await.refused(401, "not_signed_in");

    let mut operator = signed_in(&world).await;
    let file = world.folder.path().join("admin-token");
    std::fs::write(&file, "N".repeat(43)).unwrap();
    operator.get("/operator/session").await.refused(401, "not_signed_in");
    operator
        .post("/operator/sign-in", json!({ "token": OPERATOR_TOKEN }))
        .await
        .refused(403, "operator_token_wrong");
    // Without a token nobody comes in.
    std::fs::write(&file, "").unwrap();
    operator
        .post("/operator/sign-in", json!({ "token": "" }))
        .await
        .refused(503, "operator_token_unreadable");
}

#[tokio::test]
async fn tries_with_the_token_are_counted() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.browser();
    for _ in 0..limits::OPERATOR_TRIES_PER_CLIENT {
        operator
            .post("/operator/sign-in", json!({"token": "x"}))
            .await
            .refused(403, "operator_token_wrong");
    }
    operator
        .post("/operator/sign-in", json!({ "token": OPERATOR_TOKEN }))
        .await
        .refused(429, "too_many_requests");
}

#[tokio::test]
async fn dangerous_acts_need_the_token_again() {
    let (world, mut anna) = World::owned().await;
    let tenant = world.cell_of(&mut anna).await.tenant;
    let mut operator = world.operator(false).await;
    let suspend = format!("/operator/tenants/{tenant}/suspend");
    operator.post(&suspend, json!({})).await.refused(403, "step_up_needed");
    operator
        .post("/operator/step-up", json!({"token": "x"}))
        .await
        .refused(403, "operator_token_wrong");
    operator.post(&suspend, json!({})).await.refused(403, "step_up_needed");
    operator
        .post("/operator/step-up", json!({ "token": OPERATOR_TOKEN }))
        .await
        .expect(204);
    operator.post(&suspend, json!({})).await.expect(200);
}

#[tokio::test]
async fn the_operators_session_has_another_token_once_theirs_is_shown_in_it() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(false).await;
    let mut before = operator.clone();
    let refused = operator.post("/operator/step-up", json!({"token": "x"})).await;
    let refused = refused.refused(403, "operator_token_wrong");
    assert!(!refused.headers.contains_key("set-cookie"));
    before.get("/operator/session").await.expect(200);

    let ends = operator.get("/operator/session").await.expect(200).json["expires_at"].clone();
    let shown = json!({ "token": OPERATOR_TOKEN });
    operator.post("/operator/step-up", shown.clone()).await.expect(204);
    before
        .post("/operator/step-up", shown)
        .await
        .refused(401, "not_signed_in");
    operator.renewed_since(before, "/operator/session").await;
    let session = operator.get("/operator/session").await.expect(200).json;
    assert_eq!(session["expires_at"], ends);
    operator.post("/operator/sign-out", json!({})).await.expect(204);
}

#[tokio::test]
async fn the_operator_sees_who_and_how_many_and_no_content() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    world.second_tenant().await;
    anna.post("/groups", json!({"name": "Choir"})).await.expect(201);
    anna.post("/cell/wake", json!({})).await.expect(202);
    let cell = world.cell_of(&mut anna).await;
    let mut operator = world.operator(true).await;

    let tenants = operator.get("/operator/tenants").await.expect(200).json;
    let named = |name: &str| {
        let all = tenants["tenants"].as_array().unwrap();
        all.iter().find(|tenant| tenant["name"] == name).unwrap().clone()
    };
    assert_eq!(named("Acme")["people"], 2);
    assert_eq!(named("Acme")["groups"], 1);
    assert_eq!(named("Acme")["signed_in_people"], 2);
    assert_eq!(named("Globex")["people"], 1);

    let people = operator.get("/operator/people").await.expect(200).json;
    assert_eq!(people["people"].as_array().unwrap().len(), 3);
    // By organisation, the oldest first: the other one was made by the machine's clock, years before the test's.
    assert_eq!(people["people"][0]["tenant"]["name"], "Globex");
    assert_eq!(people["people"][1]["email"], "anna@acme.example");
    assert_eq!(people["people"][1]["second_factor"], false);

    let cells = operator.get("/operator/cells").await.expect(200).json;
    assert_eq!(cells["cells"].as_array().unwrap().len(), 3);
    assert_eq!(cells["cells"][1]["id"], cell.cell.to_string());
    assert_eq!(cells["cells"][1]["state"], "awake");
    // Everybody's was made with them.
    for at in 0..3 {
        assert_eq!(cells["cells"][at]["created_at"], people["people"][at]["created_at"]);
    }
    assert_eq!(cells["cells"][1]["facts"]["memory_bytes"], 1 << 20);
    assert_eq!(cells["cells"][0]["state"], "asleep");
    assert!(cells["cells"][0]["facts"].is_null());

    let whole = operator
        .get(&format!("/operator/tenants/{}", cell.tenant))
        .await
        .expect(200)
        .json;
    assert_eq!(whole["people"].as_array().unwrap().len(), 2);
    assert_eq!(whole["limits"]["groups"], limits::GROUPS);
    let whole = operator
        .get(&format!("/operator/cells/{}", cell.cell))
        .await
        .expect(200)
        .json;
    assert_eq!(whole["log"], json!(["the keeper is there"]));

    let overview = operator.get("/operator/overview").await.expect(200).json;
    assert_eq!(overview["tenants"], json!({"all": 2, "suspended": 0, "active": 2}));
    assert_eq!(overview["people"]["all"], 3);
    assert_eq!(overview["cells"]["awake"], 1);
    assert_eq!(overview["cells"]["asleep"], 2);
    let alerts = overview["alerts"].to_string();
    assert!(
        alerts.contains("memory is 95 % full") && alerts.contains("Swap: There is some."),
        "{alerts}"
    );
    let health = operator.get("/operator/health").await.expect(200).json.to_string();
    assert!(health.contains("Its chain of 0 events holds."), "{health}");

    // What groups are called is not shown, and neither is anything else that somebody wrote.
    for path in [
        "/operator/tenants",
        "/operator/people",
        "/operator/cells",
        "/operator/overview",
        "/operator/audit",
    ] {
        let seen = operator.get(path).await.expect(200).text;
        assert!(!seen.contains("Choir"), "{path}: {seen}");
    }
}

#[tokio::test]
async fn a_machine_that_cannot_be_looked_at_leaves_the_lists_as_they_are() {
    let (world, mut anna) = World::owned().await;
    let cell = world.cell_of(&mut anna).await;
    world.cells.break_down();
    let mut operator = world.operator(true).await;
    let cells = operator.get("/operator/cells").await.expect(200).json;
    assert_eq!(cells["problem"], "Docker does not answer.");
    assert_eq!(cells["cells"].as_array().unwrap().len(), 1);
    let whole = operator
        .get(&format!("/operator/cells/{}", cell.cell))
        .await
        .expect(200)
        .json;
    assert_eq!(whole["log_problem"], "Docker does not answer.");
    operator
        .post(&format!("/operator/cells/{}/act", cell.cell), json!({"act": "wake"}))
        .await
        .refused(503, "cell_unavailable");
}

#[tokio::test]
async fn a_suspended_organisation_is_out_of_use_until_it_is_let_back_in() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut olga = world.second_tenant().await;
    let invited = world.invite(&mut anna, "carol@acme.example", "member").await;
    let bobs = bob.get("/me").await.expect(200).json["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    anna.post(&format!("/people/{bobs}/suspend"), json!({}))
        .await
        .expect(200);
    let mut program = world.program("anna@acme.example", &[management::Scope::Profile]).await;
    program.get("/me").await.expect(200);
    anna.post("/cell/wake", json!({})).await.expect(202);
    let tenant = world.cell_of(&mut anna).await.tenant;

    let mut operator = world.operator(true).await;
    let at = |act: &str| format!("/operator/tenants/{tenant}/{act}");
    operator.post(&at("suspend"), json!({})).await.expect(200);
    anna.get("/me").await.refused(401, "not_signed_in");
    program.get("/me").await.refused(401, "not_signed_in");
    assert!(world.cells.awake().is_empty());
    let mut carol = world.browser();
    carol
        .post("/invitations/accept", json!({"token": invited, "name": "Carol"}))
        .await
        .refused(403, "organisation_suspended");
    olga.get("/me").await.expect(200);
    // Nobody in it is let back in one by one.
    let annas = world.cells.removed();
    assert!(annas.is_empty(), "nothing is deleted");
    operator
        .post(&format!("/operator/people/{bobs}/restore"), json!({}))
        .await
        .refused(403, "organisation_suspended");
    operator.post(&at("suspend"), json!({})).await.expect(200);

    operator.post(&at("restore"), json!({})).await.expect(204);
    operator.post(&at("restore"), json!({})).await.expect(204);
    program.get("/me").await.expect(200);
    let mut anna = world.sign_in("anna@acme.example").await;
    // Who was suspended before stays so.
    let people = anna.get("/people").await.expect(200).json["people"].clone();
    let people = people.as_array().unwrap();
    assert_eq!(
        people.iter().find(|person| person["id"] == bobs).unwrap()["suspended"],
        true
    );
    let seen = anna.get("/audit?action=organisation.").await.expect(200).json;
    assert_eq!(seen["events"][0]["action"], "organisation.restored");
    assert_eq!(seen["events"][1]["action"], "organisation.suspended");
    assert_eq!(seen["events"][1]["actor"]["kind"], "operator");
    assert_eq!(seen["events"].as_array().unwrap().len(), 3);
    let log = log(&mut operator).await;
    assert_eq!(log.len(), 2, "{log:?}");
}

#[tokio::test]
async fn who_is_suspended_while_their_organisation_is_stays_so_when_it_is_let_back_in() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (annas, bobs) = (world.cell_of(&mut anna).await, world.cell_of(&mut bob).await);
    let mut operator = world.operator(true).await;
    let at = |act: &str| format!("/operator/tenants/{}/{act}", annas.tenant);
    let person = |act: &str| format!("/operator/people/{}/{act}", bobs.user);
    operator.post(&at("suspend"), json!({})).await.expect(200);
    operator.post(&person("suspend"), json!({})).await.expect(200);
    // Once more is no other event.
    operator.post(&person("suspend"), json!({})).await.expect(200);
    operator.post(&at("restore"), json!({})).await.expect(204);

    let mut anna = world.sign_in("anna@acme.example").await;
    let people = anna.get("/people").await.expect(200).json["people"].clone();
    let suspended: Vec<_> = people
        .as_array()
        .unwrap()
        .iter()
        .filter(|person| person["suspended"] == true)
        .map(|person| person["email"].clone())
        .collect();
    assert_eq!(suspended, ["bob@acme.example"]);
    let seen = anna.get("/audit?action=person.suspended").await.expect(200).json;
    assert_eq!(seen["events"].as_array().unwrap().len(), 1);
    operator.post(&person("restore"), json!({})).await.expect(204);
    world.sign_in("bob@acme.example").await.get("/me").await.expect(200);
}

#[tokio::test]
async fn where_a_key_is_presented_the_operators_cookie_does_not_count() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    let mut other_site = operator.clone();
    other_site.headers = vec![
        ("sec-fetch-site", "cross-site".to_owned()),
        ("authorization", "Bearer x".to_owned()),
        ("x-csrf-token", "AAAA".to_owned()),
    ];
    other_site.get("/operator/overview").await.refused(401, "not_signed_in");
    other_site
        .post("/operator/sign-out", json!({}))
        .await
        .refused(401, "not_signed_in");
    operator.get("/operator/session").await.expect(200);
}

#[tokio::test]
async fn the_operator_signs_somebody_out_suspends_them_and_lets_them_back_in() {
    let (world, mut anna) = World::owned().await;
    let cell = world.cell_of(&mut anna).await;
    let mut operator = world.operator(true).await;
    let at = |act: &str| format!("/operator/people/{}/{act}", cell.user);
    let ended = operator.post(&at("sign-out"), json!({})).await.expect(200).json;
    assert_eq!(ended["ended"], 1);
    anna.get("/me").await.refused(401, "not_signed_in");
    operator.post(&at("suspend"), json!({})).await.expect(200);
    let act = format!("/operator/cells/{}/act", cell.cell);
    operator
        .post(&act, json!({"act": "wake"}))
        .await
        .refused(409, "person_suspended");
    operator
        .post(&act, json!({"act": "burn"}))
        .await
        .refused(400, "bad_request");
    operator.post(&at("restore"), json!({})).await.expect(204);
    let went = operator.post(&act, json!({"act": "wake"})).await.expect(200).json;
    assert_eq!(went["outcome"], "done");
    assert_eq!(world.cells.awake(), [cell]);
    // What is in the middle of something is no failure of the server.
    world.cells.set_in_a_turn(true);
    let left = operator.post(&act, json!({"act": "pause"})).await;
    assert_eq!(
        left.refused(409, "cell_not_now").json["detail"],
        "It is left as it is: a turn is under way."
    );
    world.cells.set_in_a_turn(false);

    let mut browser = world.browser();
    browser
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    let link = token(&world.mails.next().await, "sign-in");
    browser
        .post("/sign-in/complete", json!({ "token": link }))
        .await
        .expect(200);
    // Their organisation can read what was done to them, and by whom.
    let seen = browser.get("/audit?text=operator").await.expect(200).json;
    let actions: Vec<_> = seen["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].clone())
        .collect();
    assert_eq!(
        actions,
        [
            "cell.paused",
            "cell.woken",
            "person.restored",
            "person.suspended",
            "person.signed_out"
        ]
    );
    assert_eq!(log(&mut operator).await.len(), 5);
}

#[tokio::test]
async fn the_operator_sees_before_and_after_what_somebody_loses_who_is_suspended() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    world.invite(&mut bob, "carol@acme.example", "member").await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    let bobs = world.cell_of(&mut bob).await;
    let mut operator = world.operator(true).await;
    let at = |act: &str| format!("/operator/people/{}/{act}", bobs.user);
    let before = operator.get(&at("cascade")).await.expect(200).json;
    assert_eq!((&before["sessions"], &before["invitations"]), (&json!(1), &json!(1)));
    assert_eq!(before["cell"], "awake");
    let after = operator.post(&at("suspend"), json!({})).await.expect(200).json;
    assert_eq!((&after["sessions"], &after["invitations"]), (&json!(1), &json!(1)));
    assert_eq!(after["cell"], "asleep");
    let theirs = anna.get("/audit?action=person.suspended").await.expect(200).json;
    let own = operator
        .get("/operator/audit?action=person.suspended")
        .await
        .expect(200)
        .json;
    for log in [theirs, own] {
        let told = &log["events"][0]["details"];
        assert_eq!((&told["sessions"], &told["invitations"]), (&json!("1"), &json!("1")));
    }
    let empty = operator.get(&at("cascade")).await.expect(200).json;
    assert_eq!((&empty["sessions"], &empty["invitations"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_change_in_the_operators_log_is_found() {
    let (world, _anna) = World::owned().await;
    let mut operator = signed_in(&world).await;
    operator
        .post("/operator/step-up", json!({ "token": OPERATOR_TOKEN }))
        .await
        .expect(204);
    let state = async |operator: &mut Browser| {
        let health = operator.get("/operator/health").await.expect(200).json;
        let checks = health["checks"].as_array().unwrap().clone();
        checks
            .into_iter()
            .find(|check| check["name"] == "Operator's log")
            .unwrap()["state"]
            .clone()
    };
    assert_eq!(state(&mut operator).await, "good");
    sqlx::raw_sql("UPDATE operator_events SET body = replace(body, 'done', 'refused') WHERE seq = 1")
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(state(&mut operator).await, "bad");
}

/// The operator's log as a file.
async fn exported(world: &World) -> String {
    world.operator(true).await.download("/operator/audit/export").await
}

fn check(export: &str) -> Result<Verified, Broken> {
    let key = protocol::b64::encode(AuditKey::from_bytes(&[9; 32]).public().as_bytes());
    verify(export.as_bytes(), Some(&key))
}

/// An operator's log that is signed on its way once.
async fn long_log(world: &World) {
    let (mut operator, mut anna) = (world.operator(true).await, world.sign_in("anna@acme.example").await);
    let me = anna.get("/me").await.expect(200).json;
    let at = format!("/operator/cells/{}/act", me["cell"]["id"].as_str().unwrap());
    for _ in 0..limits::AUDIT_CHECKPOINT {
        operator.post(&at, json!({"act": "sleep"})).await.expect(200);
    }
}

#[tokio::test]
async fn promise_10_the_operators_log_is_signed_and_a_change_is_found_in_its_export() {
    let (world, mut anna) = World::owned().await;
    long_log(&world).await;
    let export = exported(&world).await;
    let verified = check(&export).unwrap();
    assert!(verified.events > limits::AUDIT_CHECKPOINT);
    assert_eq!(
        (verified.signatures, verified.unsigned, &*verified.whose),
        (2, 0, "the operator")
    );
    assert!(export.contains("audit.exported"));
    // No organisation's log passes for it, nor it for one.
    let tenants = anna.download("/audit/export").await;
    let (theirs, _) = tenants.split_once('\n').unwrap();
    let (ours, events) = export.split_once('\n').unwrap();
    assert!(check(&format!("{theirs}\n{events}")).is_err());
    assert!(check(&format!("{ours}\n{}", tenants.split_once('\n').unwrap().1)).is_err());
    // Nor does it say of itself that less of it was signed.
    let less = export.replacen("\"unsigned\":0", "\"unsigned\":256", 1);
    assert!(matches!(check(&less), Err(Broken::Signature { .. })));
    let cut: String = export
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"checkpoint\""))
        .collect();
    assert!(matches!(check(&cut), Err(Broken::Unsigned { seq: 256, .. })));

    // The database's superuser changes an event, and every hash from there on: the signatures are another's.
    let mut owner = world.database.owner().await;
    run(
        &mut owner,
        "UPDATE operator_events SET body = replace(body, '\"operator\"', '\"nobody\"') WHERE seq = 3",
    )
    .await;
    rehash_operators(&mut owner, 3).await;
    run(
        &mut owner,
        "UPDATE operator_checkpoints c SET hash = e.hash FROM operator_events e WHERE e.seq = c.seq",
    )
    .await;
    let export = exported(&world).await;
    assert!(matches!(check(&export), Err(Broken::Signature { seq: 256, .. })));
    assert!(!export.contains("{\"end\""), "no end is signed of what does not hold");
    let health = world
        .operator(true)
        .await
        .get("/operator/health")
        .await
        .expect(200)
        .text;
    assert!(health.contains("Its chain is broken at event 256"), "{health}");
}

#[tokio::test]
async fn what_the_operator_did_before_their_log_was_signed_is_exported_as_that() {
    let (world, _anna) = World::owned().await;
    long_log(&world).await;
    // As an upgrade finds it.
    let mut owner = world.database.owner().await;
    run(
        &mut owner,
        "DELETE FROM operator_checkpoints; UPDATE operator_head SET unsigned = seq",
    )
    .await;
    let verified = check(&exported(&world).await).unwrap();
    assert_eq!((verified.signatures, verified.unsigned), (1, verified.events - 1));
    // From then on it is signed on its way.
    long_log(&world).await;
    assert_eq!(check(&exported(&world).await).unwrap().signatures, 2);
}

async fn run(connection: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

/// A server of before the operator's log was signed, that still runs beside newer ones.
#[tokio::test]
async fn a_server_that_signs_nothing_is_refused_where_a_signature_is_due() {
    let (world, _) = World::owned().await;
    let mut server = world.database.app().await;
    let event = |seq: i64| {
        format!("INSERT INTO operator_events (seq, body, hash) VALUES ({seq}, '{{\"action\":\"x\"}}', sha256('x'));")
    };
    let due = limits::AUDIT_CHECKPOINT;
    for (seq, taken) in [(due - 1, true), (due, false), (due + 1, true), (2 * due, false)] {
        let written = sqlx::raw_sql(sqlx::AssertSqlSafe(event(seq)))
            .execute(&mut server)
            .await;
        assert_eq!(written.is_ok(), taken, "{seq}: {written:?}");
    }
    let signed = format!(
        "BEGIN; {} INSERT INTO operator_checkpoints (seq, hash, at, signature)
            VALUES ({due}, sha256('x'), 0, sha256('x') || sha256('x')); COMMIT",
        event(due)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(signed))
        .execute(&mut server)
        .await
        .unwrap();
}
