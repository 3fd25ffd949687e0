use std::time::Duration;

use management::Scope;
use serde_json::{Value, json};

use crate::support::{Browser, World};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A key of whoever is signed in: its text, and what is told of it.
async fn make(browser: &mut Browser, scopes: &[Scope]) -> (String, Value) {
    let wanted = json!({"name": "laptop", "scopes": scopes, "days": 30});
    let mut made = browser.post("/keys", wanted).await.expect(201).json;
    let key = made["key"].take();
    (key.as_str().unwrap().to_owned(), made)
}

#[tokio::test]
async fn a_key_is_shown_once_and_does_what_it_is_for_as_its_person() {
    let (world, mut anna) = World::owned().await;
    let (key, made) = make(&mut anna, &[Scope::Profile, Scope::CellWake]).await;
    assert!(key.starts_with("hf_") && key.len() == 50, "{key}");
    let listed = anna.get("/keys").await.expect(200);
    assert!(!listed.text.contains(&key));
    assert_eq!(listed.json["keys"][0]["hint"], key[..7]);
    assert_eq!(listed.json["keys"][0]["id"], made["id"]);
    assert!(listed.json["keys"][0]["last_used_at"].is_null());

    let mut program = world.with_key(&key);
    assert_eq!(program.get("/me").await.expect(200).json["user"]["name"], "Anna");
    program.post("/cell/wake", json!({})).await.expect(202);
    program.get("/people").await.refused(403, "scope_missing");
    for path in ["/keys", "/sessions", "/letters", "/factors"] {
        program.get(path).await.refused(403, "not_for_keys");
    }
    program
        .post("/cell/token", json!({}))
        .await
        .refused(403, "not_for_keys");
    let listed = anna.get("/keys").await.expect(200).json;
    assert_eq!(listed["keys"][0]["last_used_at"], world.clock.seconds() * 1000);
    let log = anna.get("/audit?action=cell.woken").await.expect(200).json;
    assert_eq!(log["events"][0]["actor"]["name"], "Anna");
    assert_eq!(log["events"][0]["device"], "API key laptop");
    // Neither the key nor what it is made of is in the database, but for its hash.
    assert!(!anna.download("/audit/export").await.contains(&key[3..]));
}

#[tokio::test]
async fn what_is_no_key_opens_nothing_and_a_cookie_beside_it_does_not_help() {
    let (world, mut anna) = World::owned().await;
    let (key, _) = make(&mut anna, &[Scope::Profile]).await;
    let mut mistyped = key.clone();
    mistyped.replace_range(10..11, if &key[10..11] == "x" { "y" } else { "x" });
    for text in ["", "hf_", &mistyped, &key[3..]] {
        world.with_key(text).get("/me").await.refused(401, "not_signed_in");
        let mut both = anna.clone();
        both.headers.push(("authorization", format!("Bearer {text}")));
        both.get("/me").await.refused(401, "not_signed_in");
    }
    // What a proxy in front of us asks browsers for is not ours to look at, and lets no other site in.
    let mut behind_proxy = anna.clone();
    behind_proxy.headers.push(("authorization", "Basic YTpi".to_owned()));
    behind_proxy.get("/me").await.expect(200);
    behind_proxy.headers[0].1 = "cross-site".to_owned();
    behind_proxy
        .post("/cell/wake", json!({}))
        .await
        .refused(403, "cross_site");
}

#[tokio::test]
async fn promise_01_a_key_never_gets_what_opens_a_new_vault() {
    let (world, mut anna) = World::owned().await;
    let cell = world.cell_of(&mut anna).await;
    world.cells.set_claim(cell, "claim");
    anna.post("/cell/wake", json!({})).await.expect(202);
    assert_eq!(anna.get("/cell").await.expect(200).json["claim"], "claim");
    let mut program = world.program("anna@acme.example", &[Scope::CellRead]).await;
    let seen = program.get("/cell").await.expect(200).json;
    assert_eq!(seen["state"], "awake");
    assert!(seen["claim"].is_null());
}

#[tokio::test]
async fn a_key_has_the_role_that_its_person_has_now() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "admin").await;
    let mut program = world.program("bob@acme.example", &[Scope::PeopleManage]).await;
    program.get("/invitations").await.expect(200);
    let people = anna.get("/people").await.expect(200).json;
    let bob = people["people"].as_array().unwrap().iter();
    let bob = bob.clone().find(|each| each["email"] == "bob@acme.example").unwrap()["id"].as_str();
    let path = format!("/people/{}/role", bob.unwrap());
    anna.put(&path, json!({"role": "observer"})).await.expect(204);
    program.get("/invitations").await.refused(403, "not_allowed");
}

#[tokio::test]
async fn promise_09_keys_end_when_revoked_suspended_or_over() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (key, made) = make(&mut bob, &[Scope::Profile]).await;
    world.with_key(&key).get("/me").await.expect(200);
    bob.delete(&format!("/keys/{}", made["id"].as_str().unwrap()))
        .await
        .expect(204);
    world.with_key(&key).get("/me").await.refused(401, "not_signed_in");

    let mut program = world.program("bob@acme.example", &[Scope::Profile]).await;
    let id = program.get("/me").await.expect(200).json["user"]["id"].clone();
    let path = format!("/people/{}", id.as_str().unwrap());
    let before = anna.get(&format!("{path}/cascade")).await.expect(200).json;
    assert_eq!(before["api_keys"], 1);
    let after = anna.post(&format!("{path}/suspend"), json!({})).await.expect(200).json;
    assert_eq!(after["api_keys"], 1);
    program.get("/me").await.refused(401, "not_signed_in");
    anna.post(&format!("{path}/restore"), json!({})).await.expect(204);
    program.get("/me").await.refused(401, "not_signed_in");

    let mut program = world.program("anna@acme.example", &[Scope::Profile]).await;
    program.get("/me").await.expect(200);
    world.clock.advance(30 * 24 * HOUR);
    program.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_who_is_suspended_while_they_make_a_key_or_an_invitation_leaves_none() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let (_, old) = make(&mut bob, &[Scope::Profile]).await;
    let account = json!({"name": "CI", "role": "member"});
    let account = bob.post("/service-accounts", account).await.expect(201).json;
    let wanted = json!({"name": "kept", "scopes": ["profile"], "days": 30});
    let acts = [
        ("/keys".to_owned(), wanted.clone()),
        (
            format!("/keys/{}/rotate", old["id"].as_str().unwrap()),
            json!({"overlap_hours": 1}),
        ),
        (
            format!("/service-accounts/{}/keys", account["id"].as_str().unwrap()),
            wanted,
        ),
        (
            "/invitations".to_owned(),
            json!({"email": "carol@acme.example", "role": "member"}),
        ),
    ];
    for (path, body) in acts {
        let mut browser = bob.clone();
        let suspended = "UPDATE users SET deactivated_at = now() WHERE email = 'bob@acme.example'";
        let act = async move { browser.post(&path, body).await };
        world.meanwhile(suspended, act).await.refused(401, "not_signed_in");
        let mut owner = world.database.owner().await;
        let back = "UPDATE users SET deactivated_at = NULL WHERE email = 'bob@acme.example'";
        sqlx::query(back).execute(&mut owner).await.unwrap();
    }
    assert_eq!(
        bob.get("/keys").await.expect(200).json["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let open = anna.get("/invitations").await.expect(200).json;
    let open = open["invitations"].as_array().unwrap().iter();
    assert!(!open.clone().any(|each| each["email"] == "carol@acme.example"));
}

#[tokio::test]
async fn a_replaced_key_works_on_for_as_long_as_was_asked() {
    let (world, mut anna) = World::owned().await;
    let (old, made) = make(&mut anna, &[Scope::Profile]).await;
    let path = format!("/keys/{}/rotate", made["id"].as_str().unwrap());
    anna.post(&path, json!({"overlap_hours": 1000}))
        .await
        .refused(422, "invalid_field");
    let new = anna.post(&path, json!({"overlap_hours": 2})).await.expect(201).json;
    assert_eq!(new["scopes"], json!(["profile"]));
    // Only the last one of a row is replaced.
    anna.post(&path, json!({"overlap_hours": 2}))
        .await
        .refused(404, "not_found");
    let (mut old, mut new) = (world.with_key(&old), world.with_key(new["key"].as_str().unwrap()));
    old.get("/me").await.expect(200);
    new.get("/me").await.expect(200);
    let listed = anna.get("/keys").await.expect(200).json;
    let statuses: Vec<_> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["status"])
        .collect();
    assert_eq!(statuses, ["active", "replaced"]);
    world.clock.advance(2 * HOUR);
    old.get("/me").await.refused(401, "not_signed_in");
    new.get("/me").await.expect(200);
}

#[tokio::test]
async fn a_key_is_no_way_around_the_second_factor_that_everybody_needs() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    let mut program = world.program("bob@acme.example", &[Scope::Profile]).await;
    program.get("/me").await.expect(200);
    let mut owner = world.database.owner().await;
    sqlx::raw_sql("UPDATE tenants SET second_factor_required = true")
        .execute(&mut owner)
        .await
        .unwrap();
    program.get("/me").await.refused(403, "factor_needed");
}

#[tokio::test]
async fn keys_are_bounded_in_number_scopes_and_time() {
    let (_world, mut anna) = World::owned().await;
    for (field, wanted) in [
        ("scopes", json!({"name": "x", "scopes": [], "days": 1})),
        ("days", json!({"name": "x", "scopes": ["profile"], "days": 366})),
        ("days", json!({"name": "x", "scopes": ["profile"], "days": 0})),
        ("name", json!({"name": " ", "scopes": ["profile"], "days": 1})),
    ] {
        let problem = anna.post("/keys", wanted).await.refused(422, "invalid_field").json;
        assert_eq!(problem["field"], field);
    }
    let unknown = json!({"name": "x", "scopes": ["vault:open"], "days": 1});
    anna.post("/keys", unknown).await.refused(400, "bad_request");
    for _ in 0..management::limits::KEYS_PER_ACCOUNT {
        make(&mut anna, &[Scope::Profile]).await;
    }
    let wanted = json!({"name": "x", "scopes": ["profile"], "days": 1});
    anna.post("/keys", wanted).await.refused(409, "limit_reached");
}

#[tokio::test]
async fn a_service_account_has_its_role_and_keys_and_nothing_else() {
    let (world, mut anna) = World::owned().await;
    let admin = world.join(&mut anna, "admin@acme.example", "admin").await;
    let mut member = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut admin = admin;
    admin
        .post("/service-accounts", json!({"name": "CI", "role": "owner"}))
        .await
        .refused(422, "invalid_field");
    let account = admin
        .post("/service-accounts", json!({"name": "CI", "role": "member"}))
        .await
        .expect(201)
        .json;
    let path = format!("/service-accounts/{}", account["id"].as_str().unwrap());
    let cell = json!({"name": "x", "scopes": ["cell:wake"], "days": 1});
    admin
        .post(&format!("{path}/keys"), cell)
        .await
        .refused(422, "invalid_field");
    let wanted = json!({"name": "deploy", "scopes": ["people:read", "people:manage"], "days": 1});
    let made = admin.post(&format!("{path}/keys"), wanted).await.expect(201).json;
    let mut program = world.with_key(made["key"].as_str().unwrap());
    let people = program.get("/people").await.expect(200).json;
    // It is nobody in the list of people, and nobody can be suspended, written to, or signed in as it.
    assert_eq!(people["people"].as_array().unwrap().len(), 3);
    program.get("/invitations").await.refused(403, "not_allowed");
    let person = format!("/people/{}", account["id"].as_str().unwrap());
    anna.post(&format!("{person}/suspend"), json!({}))
        .await
        .refused(404, "not_found");
    anna.put(&format!("{person}/role"), json!({"role": "owner"}))
        .await
        .refused(404, "not_found");
    let letter = json!({"id": uuid::Uuid::now_v7(), "to": account["id"], "body": "AAAA"});
    anna.post("/letters", letter).await.refused(404, "not_found");

    // Its keys are for who manages the organisation, and for nobody else.
    let key = format!("/keys/{}", made["id"].as_str().unwrap());
    member.delete(&key).await.refused(404, "not_found");
    let rotated = anna
        .post(&format!("{key}/rotate"), json!({"overlap_hours": 0}))
        .await
        .expect(201)
        .json;
    program.get("/people").await.refused(401, "not_signed_in");
    let mut program = world.with_key(rotated["key"].as_str().unwrap());
    program.get("/people").await.expect(200);
    let listed = anna.get("/service-accounts").await.expect(200).json;
    assert_eq!(listed["service_accounts"][0]["keys"].as_array().unwrap().len(), 1);
    admin.delete(&path).await.expect(204);
    program.get("/people").await.refused(401, "not_signed_in");
    assert_eq!(
        anna.get("/service-accounts").await.expect(200).json,
        json!({"service_accounts": []})
    );
}
