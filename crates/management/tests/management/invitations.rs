use management::{Scope, limits};
use serde_json::json;

use crate::support::{World, token};

#[tokio::test]
async fn somebody_invited_joins_with_a_cell_of_their_own() {
    let (world, mut anna) = World::owned().await;
    let made = anna
        .post("/invitations", json!({"email": "Bob@acme.example", "role": "member"}))
        .await
        .expect(201)
        .json;
    assert_eq!(
        (&made["status"], &made["delivery"], &made["role"]),
        (&json!("pending"), &json!("sent"), &json!("member"))
    );
    let expected = (world.clock.seconds() as u64 + limits::INVITATION_LIFE.as_secs()) * 1000;
    assert_eq!(made["expires_at"], expected);

    let mail = world.mails.next().await;
    assert!(mail.contains("Subject: Anna invites you to Acme"), "{mail}");
    let link = token(&mail, "join");
    let mut bob = world.browser();
    for _ in 0..2 {
        let preview = bob
            .post("/invitations/preview", json!({"token": link}))
            .await
            .expect(200)
            .json;
        assert_eq!(
            preview,
            json!({"organisation": "Acme", "invited_by": "Anna", "email": "bob@acme.example"})
        );
    }
    let me = bob
        .post("/invitations/accept", json!({"token": link, "name": " Bob "}))
        .await
        .expect(200)
        .json;
    assert_eq!(me["user"]["name"], "Bob");
    assert_eq!(me["user"]["role"], "member");
    let (bobs, annas) = (world.cell_of(&mut bob).await, world.cell_of(&mut anna).await);
    assert_ne!(bobs.cell, annas.cell);
    assert_eq!(bobs.tenant, annas.tenant);
    let listed = anna.get("/invitations").await.expect(200).json;
    assert_eq!(listed["invitations"][0]["status"], "accepted");
}

#[tokio::test]
async fn inviting_somebody_who_will_manage_takes_a_fresh_proof_which_no_key_has() {
    let (world, mut fresh) = World::owned().await;
    let mut stale = world.enter("anna@acme.example", "full", false).await;
    let mut program = world.program("anna@acme.example", &[Scope::PeopleManage]).await;
    for role in ["owner", "admin"] {
        let body = json!({"email": format!("{role}@acme.example"), "role": role});
        stale
            .post("/invitations", body.clone())
            .await
            .refused(403, "step_up_needed");
        program
            .post("/invitations", body.clone())
            .await
            .refused(403, "not_for_keys");
        fresh.post("/invitations", body).await.expect(201);
    }
    for (browser, role) in [(stale, "member"), (program, "observer")] {
        let body = json!({"email": format!("{role}@acme.example"), "role": role});
        browser.clone().post("/invitations", body).await.expect(201);
    }
}

#[tokio::test]
async fn an_invitation_works_once() {
    let (world, mut anna) = World::owned().await;
    let link = world.invite(&mut anna, "bob@acme.example", "member").await;
    let body = json!({"token": link, "name": "Bob"});
    let (mut one, mut two) = (world.browser(), world.browser());
    let (first, second) = tokio::join!(
        one.post("/invitations/accept", body.clone()),
        two.post("/invitations/accept", body.clone())
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    world
        .browser()
        .post("/invitations/preview", json!({"token": link}))
        .await
        .refused(410, "link_invalid");
}

#[tokio::test]
async fn an_invitation_ends_after_its_time_and_can_be_sent_again() {
    let (world, mut anna) = World::owned().await;
    let old = world.invite(&mut anna, "bob@acme.example", "member").await;
    world.clock.advance(limits::INVITATION_LIFE);
    let mut anna = world.sign_in("anna@acme.example").await;
    world
        .browser()
        .post("/invitations/accept", json!({"token": old, "name": "Bob"}))
        .await
        .refused(410, "link_invalid");
    let listed = anna.get("/invitations").await.expect(200).json;
    assert_eq!(listed["invitations"][0]["status"], "expired");
    let id = listed["invitations"][0]["id"].as_str().unwrap();

    let again = anna
        .post(&format!("/invitations/{id}/resend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(again["status"], "pending");
    let new = token(&world.mails.next().await, "join");
    world
        .browser()
        .post("/invitations/accept", json!({"token": old, "name": "Bob"}))
        .await
        .refused(410, "link_invalid");
    world
        .browser()
        .post("/invitations/accept", json!({"token": new, "name": "Bob"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_revoked_invitation_is_refused() {
    let (world, mut anna) = World::owned().await;
    let link = world.invite(&mut anna, "bob@acme.example", "member").await;
    let listed = anna.get("/invitations").await.expect(200).json;
    let path = format!("/invitations/{}", listed["invitations"][0]["id"].as_str().unwrap());
    anna.delete(&path).await.expect(204);
    world
        .browser()
        .post("/invitations/accept", json!({"token": link, "name": "Bob"}))
        .await
        .refused(410, "link_invalid");
    anna.delete(&path).await.refused(404, "not_found");
    anna.post(&format!("{path}/resend"), json!({}))
        .await
        .refused(404, "not_found");
    assert_eq!(
        anna.get("/invitations").await.expect(200).json["invitations"][0]["status"],
        "revoked"
    );
}

#[tokio::test]
async fn an_address_is_invited_once_at_a_time_and_members_are_not_invited() {
    let (world, mut anna) = World::owned().await;
    world.invite(&mut anna, "bob@acme.example", "member").await;
    let body = json!({"email": "bob@ACME.example", "role": "admin"});
    anna.post("/invitations", body.clone())
        .await
        .refused(409, "already_invited");
    world.clock.advance(limits::INVITATION_LIFE);
    let mut anna = world.sign_in("anna@acme.example").await;
    anna.post("/invitations", body).await.expect(201);
    let body = json!({"email": "anna@acme.example", "role": "member"});
    anna.post("/invitations", body).await.refused(409, "already_member");
}

#[tokio::test]
async fn owners_are_made_by_owners_only() {
    let (world, mut anna) = World::owned().await;
    let mut admin = world.join(&mut anna, "admin@acme.example", "admin").await;
    let body = json!({"email": "new@acme.example", "role": "owner"});
    admin
        .post("/invitations", body.clone())
        .await
        .refused(403, "not_allowed");
    let id = anna.post("/invitations", body).await.expect(201).json["id"]
        .as_str()
        .unwrap()
        .to_owned();
    admin
        .delete(&format!("/invitations/{id}"))
        .await
        .refused(404, "not_found");
    admin
        .post(&format!("/invitations/{id}/resend"), json!({}))
        .await
        .refused(404, "not_found");
    let listed = admin.get("/invitations").await.expect(200).json;
    assert!(
        listed["invitations"]
            .as_array()
            .unwrap()
            .iter()
            .all(|invitation| invitation["role"] != "owner")
    );
    anna.delete(&format!("/invitations/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_mail_that_cannot_be_sent_keeps_the_invitation_and_says_so() {
    let (world, mut anna) = World::owned().await;
    // The outbox cannot be made where a file is.
    std::fs::write(world.folder.path().join("outbox"), "in the way").unwrap();
    let made = anna
        .post("/invitations", json!({"email": "bob@acme.example", "role": "member"}))
        .await
        .expect(201)
        .json;
    assert_eq!(made["delivery"], "failed");
    std::fs::remove_file(world.folder.path().join("outbox")).unwrap();
    let path = format!("/invitations/{}/resend", made["id"].as_str().unwrap());
    assert_eq!(anna.post(&path, json!({})).await.expect(200).json["delivery"], "sent");
}

#[tokio::test]
async fn a_name_cannot_add_lines_to_a_mail() {
    let (world, mut anna) = World::owned().await;
    let link = world.invite(&mut anna, "bob@acme.example", "admin").await;
    let name = "Bob\r\nBcc: eve@evil.example";
    let body = json!({"token": link, "name": name});
    world
        .browser()
        .post("/invitations/accept", body)
        .await
        .refused(422, "invalid_field");
}
