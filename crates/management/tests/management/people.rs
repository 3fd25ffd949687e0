use management::limits;
use serde_json::json;
use sqlx::Connection as _;

use crate::support::{World, token};

#[tokio::test]
async fn everybody_sees_the_people_of_their_own_organisation() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "observer").await;
    let mut olga = world.second_tenant().await;
    for browser in [&mut anna, &mut bob] {
        let people = browser.get("/people").await.expect(200).json;
        let emails: Vec<_> = people["people"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["email"].as_str().unwrap())
            .collect();
        assert_eq!(emails, ["anna@acme.example", "bob@acme.example"]);
    }
    let people = olga.get("/people").await.expect(200).json;
    assert_eq!(people["people"].as_array().unwrap().len(), 1);
    assert_eq!(people["people"][0]["email"], "olga@globex.example");
}

#[tokio::test]
async fn public_keys_are_handed_out_as_they_were_handed_in_and_within_the_organisation() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "observer").await;
    let mut olga = world.second_tenant().await;
    let (first, second) = ("A".repeat(172), "B".repeat(172));
    bob.put("/identity", json!({ "bundle": first })).await.expect(204);
    bob.put("/identity", json!({ "bundle": second })).await.expect(204);
    for length in [10, 4000] {
        anna.put("/identity", json!({"bundle": "A".repeat(length)}))
            .await
            .expect(422);
    }
    let seen = anna.get("/identities").await.expect(200).json;
    let user = bob.get("/me").await.expect(200).json["user"]["id"].clone();
    assert_eq!(seen, json!({"identities": [{"user": user, "bundle": second}]}));
    let seen = olga.get("/identities").await.expect(200).json;
    assert_eq!(seen, json!({"identities": []}));
}

fn id_of(people: &serde_json::Value, email: &str) -> String {
    let people = people["people"].as_array().unwrap();
    let person = people.iter().find(|person| person["email"] == email).unwrap();
    person["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_suspended_person_loses_everything_at_once_and_comes_back_with_their_cell() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    world.invite(&mut bob, "carol@acme.example", "member").await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    let cell = world.cell_of(&mut bob).await;
    let answer = bob.post("/cell/token", json!({})).await.expect(200).json;
    let now = u64::try_from(world.clock.seconds()).unwrap();
    let token = protocol::GatewayToken::verify_at(answer["token"].as_str().unwrap(), &world.gateway_key, now).unwrap();
    let open = world.management.channel_session(&token).await.unwrap().unwrap();

    let id = id_of(&anna.get("/people").await.expect(200).json, "bob@acme.example");
    let before = anna.get(&format!("/people/{id}/cascade")).await.expect(200).json;
    assert_eq!(
        before,
        json!({"sessions": 1, "sign_in_links": 0, "invitations": 1, "second_factors": 0, "linked_accounts": 0, "push_devices": 0,
            "api_keys": 0, "groups": 0, "alerts": 0, "service_keys_left": 0, "destinations_left": 0, "named": {"sessions": [""], "api_keys": [], "groups": []}, "cell": "awake"})
    );
    bob.get("/me").await.expect(200);
    let after = anna
        .post(&format!("/people/{id}/suspend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(after["sessions"], 1);
    assert_eq!(after["cell"], "asleep");
    bob.get("/me").await.refused(401, "not_signed_in");
    tokio::time::timeout(std::time::Duration::from_secs(1), open.ended())
        .await
        .expect("the channel ends");
    assert!(world.management.channel_session(&token).await.unwrap().is_none());
    assert!(!world.cells.awake().contains(&cell));
    let listed = anna.get("/invitations").await.expect(200).json;
    assert_eq!(listed["invitations"][0]["status"], "revoked");
    let people = anna.get("/people").await.expect(200).json;
    let people = people["people"].as_array().unwrap();
    let suspended = people
        .iter()
        .find(|person| person["email"] == "bob@acme.example")
        .unwrap();
    assert_eq!(suspended["suspended"], true);
    // Asking for a link is answered as ever, and none comes: the next mail is Anna's.
    world
        .browser()
        .post("/sign-in", json!({"email": "bob@acme.example"}))
        .await
        .expect(202);
    world.sign_in("anna@acme.example").await;

    anna.post(&format!("/people/{id}/restore"), json!({})).await.expect(204);
    let mut bob = world.sign_in("bob@acme.example").await;
    assert_eq!(world.cell_of(&mut bob).await, cell);
}

#[tokio::test]
async fn the_cell_of_who_is_suspended_in_a_turn_is_said_to_be_stopping_and_is_seen_to_until_it_sleeps() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    let cell = world.cell_of(&mut bob).await;
    let suspend = format!("/people/{}/suspend", cell.user);
    // What runs takes a while; or the server ends before it was sent to sleep.
    world.cells.set_in_a_turn(true);
    let lost = anna.post(&suspend, json!({})).await.expect(200).json;
    assert_eq!(lost["cell"], "stopping");
    let mut operator = world.operator(true).await;
    let organisation = |act: &str| format!("/operator/tenants/{}/{act}", cell.tenant);
    let sent = operator
        .post(&organisation("suspend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(sent, json!({"cells": 2, "stopping": 1}));
    world.cells.set_in_a_turn(false);
    assert_eq!(world.cells.awake(), [cell]);
    world.management.see_to_leavers().await;
    assert!(world.cells.awake().is_empty());

    // Nobody who is let back in is sent to sleep.
    operator.post(&organisation("restore"), json!({})).await.expect(204);
    let mut anna = world.sign_in("anna@acme.example").await;
    anna.post("/cell/wake", json!({})).await.expect(202);
    anna.post(&format!("/people/{}/restore", cell.user), json!({}))
        .await
        .expect(204);
    let mut bob = world.sign_in("bob@acme.example").await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    world.management.see_to_leavers().await;
    assert_eq!(world.cells.awake().len(), 2);
}

#[tokio::test]
async fn who_is_let_back_in_as_it_is_seen_to_is_not_sent_to_sleep() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    bob.post("/cell/wake", json!({})).await.expect(202);
    let cell = world.cell_of(&mut bob).await;
    world.cells.set_in_a_turn(true);
    anna.post(&format!("/people/{}/suspend", cell.user), json!({}))
        .await
        .expect(200);
    world.cells.set_in_a_turn(false);
    let mut owner = world.database.owner().await;
    let mut back = owner.begin().await.unwrap();
    sqlx::query("UPDATE users SET deactivated_at = NULL WHERE email = 'bob@acme.example'")
        .execute(&mut *back)
        .await
        .unwrap();
    let goes_on = async {
        world.database.until_wait_for_locks(1).await;
        back.commit().await.unwrap();
    };
    tokio::join!(world.management.see_to_leavers(), goes_on);
    assert_eq!(world.cells.awake(), [cell]);
}

#[tokio::test]
async fn the_cell_of_who_was_removed_while_docker_was_away_is_erased_when_it_is_back() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let cell = world.cell_of(&mut bob).await;
    world.cells.break_down();
    let lost = anna.delete(&format!("/people/{}", cell.user)).await.expect(200).json;
    assert_eq!(lost["cell"], "removing");
    bob.get("/me").await.refused(401, "not_signed_in");
    world.management.see_to_leavers().await;
    assert!(world.cells.removed().is_empty());
    world.cells.mend();
    world.management.see_to_leavers().await;
    assert_eq!(world.cells.removed(), [cell]);
    // Once is enough.
    world.management.see_to_leavers().await;
    assert_eq!(world.cells.removed(), [cell]);
}

#[tokio::test]
async fn a_removed_person_is_gone_with_their_cell_and_may_be_invited_anew() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let old = world.cell_of(&mut bob).await;
    let id = id_of(&anna.get("/people").await.expect(200).json, "bob@acme.example");
    let lost = anna.delete(&format!("/people/{id}")).await.expect(200).json;
    assert_eq!(lost["cell"], "removed");
    bob.get("/me").await.refused(401, "not_signed_in");
    assert_eq!(world.cells.removed(), [old]);
    assert_eq!(
        anna.get("/people").await.expect(200).json["people"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for path in ["", "/restore", "/suspend", "/cascade"] {
        let path = format!("/people/{id}{path}");
        let answer = match path.ends_with("cascade") {
            true => anna.get(&path).await,
            false if path.ends_with(&id) => anna.delete(&path).await,
            false => anna.post(&path, json!({})).await,
        };
        answer.refused(404, "not_found");
    }
    let mut again = world.join(&mut anna, "bob@acme.example", "member").await;
    assert_ne!(world.cell_of(&mut again).await, old);
    let log = anna.get("/audit?action=person.").await.expect(200).json;
    assert_eq!(log["events"][0]["target"]["name"], "member");
}

#[tokio::test]
async fn nobody_sends_themselves_away_and_admins_send_no_owners_away() {
    let (world, mut anna) = World::owned().await;
    let admin = world.join(&mut anna, "admin@acme.example", "admin").await;
    let people = anna.get("/people").await.expect(200).json;
    for (browser, email) in [
        (&anna, "anna@acme.example"),
        (&admin, "anna@acme.example"),
        (&admin, "admin@acme.example"),
    ] {
        let id = id_of(&people, email);
        let mut browser = browser.clone();
        browser
            .post(&format!("/people/{id}/suspend"), json!({}))
            .await
            .refused(404, "not_found");
        browser.delete(&format!("/people/{id}")).await.refused(404, "not_found");
    }
    anna.get("/me").await.expect(200);
}

#[tokio::test]
async fn a_changed_role_counts_from_the_next_request_on() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    world.invite(&mut bob, "carol@acme.example", "member").await;
    let people = anna.get("/people").await.expect(200).json;
    let id = id_of(&people, "bob@acme.example");
    anna.put(&format!("/people/{id}/role"), json!({"role": "member"}))
        .await
        .expect(204);
    bob.get("/invitations").await.refused(403, "not_allowed");
    assert_eq!(bob.get("/me").await.expect(200).json["user"]["role"], "member");
    // What they sent out as an admin is taken back.
    let listed = anna.get("/invitations").await.expect(200).json;
    let carol = listed["invitations"].as_array().unwrap().iter();
    let carol = carol
        .clone()
        .find(|each| each["email"] == "carol@acme.example")
        .unwrap();
    assert_eq!(carol["status"], "revoked");
    let log = anna.get("/audit?action=person.role_changed").await.expect(200).json;
    assert_eq!(log["events"][0]["details"]["from"], "admin");
    assert_eq!(log["events"][0]["details"]["to"], "member");
}

#[tokio::test]
async fn who_manages_no_more_is_not_mailed_of_everybody_any_more() {
    let (world, mut anna) = World::owned().await;
    let bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    drop(bob);
    for email in ["bob@acme.example", "anna@acme.example"] {
        let wanted = json!({"trigger": "exported", "email": email});
        anna.post("/alerts", wanted).await.expect(201);
    }
    let id = id_of(&anna.get("/people").await.expect(200).json, "bob@acme.example");
    let role = format!("/people/{id}/role");
    anna.put(&role, json!({"role": "owner"})).await.expect(204);
    let told = async |anna: &mut crate::support::Browser| {
        let left = anna.get("/alerts").await.expect(200).json;
        left["alerts"].as_array().unwrap().len()
    };
    assert_eq!(told(&mut anna).await, 2);
    anna.put(&role, json!({"role": "member"})).await.expect(204);
    assert_eq!(told(&mut anna).await, 1);
    let log = anna.get("/audit?action=person.role_changed").await.expect(200).json;
    assert_eq!(log["events"][0]["details"]["alerts_ended"], "1");
}

#[tokio::test]
async fn what_somebody_loses_is_named_before_and_after() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let mut phone = world.browser();
    phone
        .headers
        .push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".into()));
    world.sign_in_with(&mut phone, "bob@acme.example").await;
    let devices: Vec<_> = bob.get("/sessions").await.expect(200).json["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["device"].clone())
        .collect();
    assert!(
        devices
            .iter()
            .any(|device| device.as_str().unwrap().contains("Firefox")),
        "{devices:?}"
    );
    let wanted = json!({"name": "laptop", "scopes": ["profile"], "days": 1});
    bob.post("/keys", wanted).await.expect(201);
    for n in 10..=10 + limits::LOSSES_NAMED {
        bob.post("/groups", json!({"name": format!("Group {n}")}))
            .await
            .expect(201);
    }

    let person = format!("/people/{}", world.cell_of(&mut bob).await.user);
    let mut operator = world.operator(true).await;
    let before = anna.get(&format!("{person}/cascade")).await.expect(200).json;
    let named = &before["named"];
    // The first of them; the count says how many there are.
    let groups: Vec<_> = (10..10 + limits::LOSSES_NAMED).map(|n| format!("Group {n}")).collect();
    assert_eq!(
        (&named["groups"], &before["groups"]),
        (&json!(groups), &json!(limits::LOSSES_NAMED + 1))
    );
    let named_devices = named["sessions"].as_array().unwrap();
    assert_eq!(named_devices.len(), devices.len());
    assert!(devices.iter().all(|device| named_devices.contains(device)), "{named}");
    let hint = &bob.get("/keys").await.expect(200).json["keys"][0]["hint"];
    assert_eq!(named["api_keys"], json!([{"name": "laptop", "hint": hint}]));
    let told = operator
        .get(&format!("/operator{person}/cascade"))
        .await
        .expect(200)
        .json;
    assert_eq!(told["named"], *named);
    let after = anna.delete(&person).await.expect(200).json;
    assert_eq!(after["named"], *named);

    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    carol.post("/groups", json!({"name": "Sales"})).await.expect(201);
    let person = format!("/people/{}", world.cell_of(&mut carol).await.user);
    let after = operator
        .post(&format!("/operator{person}/suspend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(after["named"]["groups"], json!(["Sales"]));
    // Nothing is left to lose.
    let again = anna
        .post(&format!("{person}/suspend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(again["named"], json!({"sessions": [], "api_keys": [], "groups": []}));
}

#[tokio::test]
async fn what_somebody_made_and_leaves_behind_is_told_before_and_after() {
    let receiver = crate::support::Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let account = json!({"name": "CI", "role": "member"});
    let account = anna.post("/service-accounts", account).await.expect(201).json;
    let keys = format!("/service-accounts/{}/keys", account["id"].as_str().unwrap());
    let wanted = json!({"name": "deploy", "scopes": ["people:read"], "days": 1});
    let hook = json!({"kind": "webhook", "name": "Hook", "url": receiver.url("/hook")});
    anna.post(&keys, wanted.clone()).await.expect(201);
    anna.post("/destinations", hook.clone()).await.expect(201);
    let made = bob.post(&keys, wanted).await.expect(201).json;
    let rotated = format!("/keys/{}/rotate", made["id"].as_str().unwrap());
    bob.post(&rotated, json!({"overlap_hours": 1})).await.expect(201);
    bob.post("/destinations", hook).await.expect(201);

    let id = id_of(&anna.get("/people").await.expect(200).json, "bob@acme.example");
    let before = anna.get(&format!("/people/{id}/cascade")).await.expect(200).json;
    assert_eq!(before["service_keys_left"], 2);
    assert_eq!(before["destinations_left"], 1);
    anna.delete(&format!("/people/{id}")).await.expect(200);
    let log = anna.get("/audit?action=person.removed").await.expect(200).json;
    assert_eq!(log["events"][0]["details"]["service_keys_left"], "2");
    assert_eq!(log["events"][0]["details"]["destinations_left"], "1");
    let listed = anna.get("/destinations").await.expect(200).json;
    assert_eq!(listed["destinations"].as_array().unwrap().len(), 2, "they stay");
}

#[tokio::test]
async fn owners_are_made_and_unmade_by_owners_and_one_always_stays() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let people = anna.get("/people").await.expect(200).json;
    let path = |email: &str| format!("/people/{}/role", id_of(&people, email));
    let (annas, bobs) = (path("anna@acme.example"), path("bob@acme.example"));
    bob.put(&annas, json!({"role": "member"}))
        .await
        .refused(404, "not_found");
    bob.put(&bobs, json!({"role": "owner"}))
        .await
        .refused(403, "not_allowed");
    anna.put(&annas, json!({"role": "admin"}))
        .await
        .refused(409, "last_owner");
    anna.put(&bobs, json!({"role": "king"}))
        .await
        .refused(400, "bad_request");
    anna.put(&bobs, json!({"role": "owner"})).await.expect(204);
    // Both give it up at once: one of them stays.
    let (first, second) = tokio::join!(
        anna.put(&annas, json!({"role": "member"})),
        bob.put(&bobs, json!({"role": "member"}))
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    let people = anna.get("/people").await.expect(200).json;
    let owners = people["people"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|each| each["role"] == "owner");
    assert_eq!(owners.count(), 1);
}

#[tokio::test]
async fn two_owners_who_send_each_other_away_at_once_leave_one_of_them() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let people = anna.get("/people").await.expect(200).json;
    let (annas, bobs) = (id_of(&people, "anna@acme.example"), id_of(&people, "bob@acme.example"));
    anna.put(&format!("/people/{bobs}/role"), json!({"role": "owner"}))
        .await
        .expect(204);
    let (bobs, annas) = (format!("/people/{bobs}/suspend"), format!("/people/{annas}/suspend"));
    let (first, second) = tokio::join!(anna.post(&bobs, json!({})), bob.post(&annas, json!({})));
    let done = [&first, &second].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1, "{} {}", first.status, second.status);
}

#[tokio::test]
async fn a_person_gives_themselves_another_name_and_nothing_else() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "observer").await;
    for (name, status) in [("", 422), ("  ", 422), ("a\u{202e}b", 422)] {
        bob.put("/me", json!({ "name": name })).await.expect(status);
    }
    let wanted = json!({"name": " Bob Tables ", "role": "owner", "email": "anna@acme.example"});
    let me = bob.put("/me", wanted).await.expect(200).json;
    assert_eq!(me, bob.get("/me").await.expect(200).json);
    let user = &me["user"];
    assert_eq!(
        (&user["name"], &user["role"], &user["email"]),
        (&json!("Bob Tables"), &json!("observer"), &json!("bob@acme.example"))
    );
    // Once more changes nothing, and is no event.
    bob.put("/me", json!({"name": "Bob Tables"})).await.expect(200);
    let people = anna.get("/people").await.expect(200).text;
    assert!(people.contains("Bob Tables"), "{people}");
    let log = anna.get("/audit?action=person.renamed").await.expect(200).json;
    let events = log["events"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["details"]["before"], &events[0]["target"]["name"]),
        (&json!("observer"), &json!("Bob Tables"))
    );
}

/// Whoever signs in by a link and whoever suspends them want the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_signs_in_while_they_are_suspended_does_not_block_it() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    let bob = id_of(&anna.get("/people").await.expect(200).json, "bob@acme.example");
    let mut browser = world.browser();
    browser
        .post("/sign-in", json!({"email": "bob@acme.example"}))
        .await
        .expect(202);
    let link = json!({"token": token(&world.mails.next().await, "sign-in")});
    // Both are held up on their way, and go on together.
    let mut owner = world.database.owner().await;
    let mut held = owner.begin().await.unwrap();
    sqlx::raw_sql("SELECT FROM tenants FOR NO KEY UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let (suspend, enter) = (format!("/people/{bob}/suspend"), "/sign-in/complete");
    let (suspended, entered, ()) = tokio::join!(anna.post(&suspend, json!({})), browser.post(enter, link), async {
        world.database.until_wait_for_locks(2).await;
        held.rollback().await.unwrap();
    });
    suspended.expect(200);
    assert!(matches!(entered.status.as_u16(), 200 | 410), "{entered:?}");
    browser.get("/me").await.refused(401, "not_signed_in");
}
