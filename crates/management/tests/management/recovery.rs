//! What the platform carries of a recovery by contacts, and for whom.

use serde_json::json;
use uuid::Uuid;

use crate::support::{Browser, World};

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
    let contacts = json!({"contacts": [contact], "threshold": 1, "wait_ms": 0});
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
async fn only_who_has_just_shown_who_they_are_may_ask() {
    let (world, mut anna) = World::owned().await;
    world.clock.advance(management::limits::STEP_UP);
    anna.post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .refused(403, "step_up_needed");
    let mut again = world.sign_in("anna@acme.example").await;
    again
        .post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .expect(201);
}
