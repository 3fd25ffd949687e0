//! What the platform carries of a recovery by contacts, and for whom.

use serde_json::json;
use uuid::Uuid;

use crate::support::{Browser, TestVault, World, user_id};

async fn user(browser: &mut Browser) -> serde_json::Value {
    browser.get("/me").await.expect(200).json["user"]["id"].clone()
}

#[tokio::test]
async fn a_letter_waits_for_its_receiver_alone_until_it_was_taken() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let mut olga = world.second_tenant().await;
    let (from, to, elsewhere) = (user(&mut anna).await, user(&mut bob).await, user(&mut olga).await);
    let id = Uuid::now_v7();
    let letter = json!({"id": id, "to": to, "body": "c2VhbGVk"});
    anna.post("/letters", letter.clone()).await.expect(204);
    // The same letter again is one letter.
    anna.post("/letters", letter).await.expect(204);
    let waiting = bob.get("/letters").await.expect(200).json;
    assert_eq!(
        waiting,
        json!({"letters": [{"id": id, "from": from, "from_name": "Anna", "body": "c2VhbGVk"}]})
    );
    assert_eq!(carol.get("/letters").await.expect(200).json, json!({"letters": []}));
    // Only its receiver takes it away.
    carol.post("/letters/received", json!({"ids": [id]})).await.expect(204);
    assert_eq!(bob.get("/letters").await.expect(200).json, waiting);
    bob.post("/letters/received", json!({"ids": [id]})).await.expect(204);
    assert_eq!(bob.get("/letters").await.expect(200).json, json!({"letters": []}));
    // Nobody in another organisation can be written to, and a box has an end.
    let letter = json!({"id": id, "to": elsewhere, "body": "AAAA"});
    anna.post("/letters", letter).await.expect(404);
    let mut last = 204;
    for _ in 0..=management::limits::LETTERS_OF_SENDER {
        let letter = json!({"id": Uuid::now_v7(), "to": to, "body": "AAAA"});
        last = anna.post("/letters", letter).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn a_request_is_shown_to_its_owner_and_the_contacts_and_ends_when_it_is_stopped() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let contact = user(&mut bob).await;
    let vault = TestVault::of(&world, &mut anna, 1).await;
    anna.put("/identity", vault.identity()).await.expect(204);
    let contacts = vault.contacts(1, &[user_id(&contact)], 1, 0);
    anna.put("/recovery/contacts", contacts).await.expect(204);
    let id = anna
        .post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .expect(201)
        .json["id"]
        .clone();
    // Both are told by mail.
    let mails = [world.mails.next().await, world.mails.next().await];
    assert!(mails.iter().any(|mail| mail.contains("If it was not you, stop it now")));
    assert!(mails.iter().any(|mail| mail.contains("Speak with Anna")));
    let asked = bob.get("/recovery").await.expect(200).json["asked"].clone();
    assert_eq!((&asked[0]["id"], &asked[0]["user"]["name"]), (&id, &json!("Anna")));
    assert_eq!(carol.get("/recovery").await.expect(200).json["asked"], json!([]));
    let release = json!({"request": id, "sealed": "c2hhcmU"});
    carol.post("/recovery/release", release.clone()).await.expect(404);
    bob.post("/recovery/release", release.clone()).await.expect(204);
    let own = anna.get("/recovery").await.expect(200).json;
    assert_eq!(
        own["request"]["releases"],
        json!([{"from": contact, "sealed": "c2hhcmU"}])
    );
    anna.post("/recovery/stop", json!({})).await.expect(204);
    assert_eq!(anna.get("/recovery").await.expect(200).json["request"], json!(null));
    assert_eq!(bob.get("/recovery").await.expect(200).json["asked"], json!([]));
    bob.post("/recovery/release", release).await.expect(404);
}

#[tokio::test]
async fn promise_08_a_session_alone_names_no_contacts_and_takes_none_off() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let (bobs, carols) = (user_id(&user(&mut bob).await), user_id(&user(&mut carol).await));
    let vault = TestVault::of(&world, &mut anna, 1).await;
    let mut thiefs = vault.clone();
    thiefs.slip_in(2);
    let real = vault.contacts(5, &[bobs, carols], 2, 7);
    // Whose keys are not known names nobody.
    anna.put("/recovery/contacts", real.clone())
        .await
        .refused(409, "identity_unknown");
    anna.put("/identity", vault.identity()).await.expect(204);
    // Twice is once.
    for _ in 0..2 {
        anna.put("/recovery/contacts", real.clone()).await.expect(204);
    }
    let kept = anna.get("/recovery").await.expect(200).json;
    assert_eq!(kept["contacts"].as_array().unwrap().len(), 2);

    // Somebody found the browser open, an hour later.
    world.clock.advance(management::limits::STEP_UP);
    let mut elsewhere = vault.clone();
    elsewhere.cell = world.cell_of(&mut bob).await.cell;
    let mut bent = real.clone();
    bent["contacts"] = json!([carols, carols]);
    bent["made"] = json!(6);
    for (contacts, status, code) in [
        (thiefs.contacts(9, &[], 0, 0), 403, "not_signed"),
        (thiefs.contacts(9, &[carols], 1, 0), 403, "not_signed"),
        (elsewhere.contacts(9, &[carols], 1, 0), 403, "not_signed"),
        (bent, 403, "not_signed"),
        (vault.contacts(0, &[carols], 1, 0), 403, "not_signed"),
        // What the vault signed once is not brought up again.
        (vault.contacts(4, &[carols], 1, 0), 409, "contacts_older"),
        (vault.contacts(5, &[carols], 1, 0), 409, "contacts_older"),
    ] {
        anna.put("/recovery/contacts", contacts).await.refused(status, code);
    }
    anna.put("/identity", thiefs.identity())
        .await
        .refused(403, "step_up_needed");
    anna.put("/identity", vault.identity()).await.expect(204);
    assert_eq!(anna.get("/recovery").await.expect(200).json, kept);
    let told = anna.get("/audit?action=recovery.contacts_set").await.expect(200).json;
    assert_eq!(told["events"].as_array().unwrap().len(), 1);

    // The vault says that nobody is asked any more.
    anna.put("/recovery/contacts", vault.contacts(6, &[], 0, 0))
        .await
        .expect(204);
    let ended = anna.get("/recovery").await.expect(200).json;
    assert_eq!((&ended["contacts"], &ended["threshold"]), (&json!([]), &json!(0)));
    anna.put("/recovery/contacts", vault.contacts(7, &[carols], 1, 0))
        .await
        .expect(204);

    // The owner with a new vault shows who they are; the contacts of the one before are not asked any more.
    let mut again = world.sign_in("anna@acme.example").await;
    again.put("/identity", thiefs.identity()).await.expect(204);
    assert_eq!(again.get("/recovery").await.expect(200).json["contacts"], json!([]));
    let told = again.get("/audit?action=identity.changed").await.expect(200).json;
    assert_eq!(told["events"].as_array().unwrap().len(), 1);
    again.put("/recovery/contacts", real).await.refused(403, "not_signed");
    let new = thiefs.contacts(1, &[carols], 1, 0);
    again.put("/recovery/contacts", new).await.expect(204);
}

#[tokio::test]
async fn a_stop_is_shown_to_its_own_vault_in_every_browser_and_a_request_that_is_done_is_not() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let stopped = async |browser: &mut Browser| browser.get("/recovery").await.expect(200).json["stopped"].clone();
    for (request, done) in [("AAAA", false), ("BBBB", true), ("CCCC", false)] {
        let body = json!({"request": request});
        anna.post("/recovery/request", body).await.expect(201);
        anna.post("/recovery/stop", json!({"done": done})).await.expect(204);
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    // One that another took the place of was not stopped.
    for request in ["DDDD", "EEEE"] {
        let body = json!({"request": request});
        anna.post("/recovery/request", body).await.expect(201);
    }
    let mut other = world.enter("anna@acme.example", "full", false).await;
    assert_eq!(stopped(&mut other).await, json!(["CCCC", "AAAA"]));
    assert_eq!(stopped(&mut bob).await, json!([]));
    world.clock.advance(management::limits::RECOVERY_REQUEST_LIFE);
    let mut other = world.enter("anna@acme.example", "full", false).await;
    assert_eq!(stopped(&mut other).await, json!([]));
}

#[tokio::test]
async fn only_who_has_just_signed_in_may_ask() {
    let (world, mut anna) = World::owned().await;
    world.clock.advance(management::limits::STEP_UP);
    anna.post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .refused(403, "sign_in_again");
    let mut again = world.sign_in("anna@acme.example").await;
    again
        .post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .expect(201);
}
