//! Organisations that the operator makes, and how their owners come in.

use management::limits;
use serde_json::{Value, json};

use crate::support::{Browser, World, token};

async fn made(operator: &mut Browser, name: &str, email: &str) -> Value {
    operator
        .post("/operator/tenants", json!({"name": name, "email": email}))
        .await
        .expect(201)
        .json
}

fn at(made: &Value, act: &str) -> String {
    format!("/operator/tenants/{}{act}", made["id"].as_str().unwrap())
}

fn actions(log: &Value) -> Vec<&str> {
    let events = log["events"].as_array().unwrap().iter();
    events.map(|event| event["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_organisation_that_the_operator_makes_is_its_owners_from_the_first_day() {
    let (world, mut anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    let made = made(&mut operator, " Initech ", "Peter@initech.example").await;
    assert_eq!(made["name"], "Initech");
    assert_eq!(made["owner"]["email"], "peter@initech.example");
    assert_eq!(made["owner"]["delivery"], "sent");
    let whole = operator.get(&at(&made, "")).await.expect(200).json;
    assert_eq!(whole["tenant"]["people"], 0);
    assert_eq!(whole["owner_invited"]["email"], "peter@initech.example");
    assert_eq!(whole["owner_invited"]["expired"], false);

    let mail = world.mails.next().await;
    assert!(mail.contains("Subject: Initech on Holdfast is yours"), "{mail}");
    let link = token(&mail, "join");
    let mut peter = world.browser();
    let preview = peter.post("/invitations/preview", json!({"token": link})).await;
    assert_eq!(
        preview.expect(200).json,
        json!({"organisation": "Initech", "invited_by": "The operator", "email": "peter@initech.example"})
    );
    let me = peter
        .post("/invitations/accept", json!({"token": link, "name": "Peter"}))
        .await
        .expect(200)
        .json;
    assert_eq!(me["user"]["role"], "owner");
    assert_eq!(me["tenant"]["name"], "Initech");

    // It is an organisation like any other, and nobody else's.
    world.join(&mut peter, "milton@initech.example", "member").await;
    let people = peter.get("/people").await.expect(200).json;
    assert_eq!(people["people"].as_array().unwrap().len(), 2);
    let acme = anna.get("/people").await.expect(200).text;
    assert!(!acme.contains("initech"), "{acme}");
    let whole = operator.get(&at(&made, "")).await.expect(200).json;
    assert_eq!(whole["tenant"]["people"], 2);
    assert!(whole["owner_invited"].is_null(), "{whole}");

    // Both logs tell of it, and the organisation's begins with it.
    let log = peter.get("/audit").await.expect(200).json;
    let events = log["events"].as_array().unwrap();
    let first = &events[events.len() - 2..];
    assert_eq!(first[1]["action"], "organisation.made");
    assert_eq!(first[1]["actor"]["kind"], "operator");
    assert_eq!(first[0]["action"], "invitation.made");
    assert_eq!(first[0]["target"]["name"], "peter@initech.example");
    let own = operator.get("/operator/audit").await.expect(200).json;
    assert_eq!(actions(&own), ["invitation.made", "organisation.made"]);
    assert_eq!(own["events"][0]["tenant"], made["id"]);
}

#[tokio::test]
async fn whoever_runs_the_machine_cannot_come_into_an_organisation_in_which_somebody_is() {
    let (world, mut anna) = World::owned().await;
    let tenant = world.cell_of(&mut anna).await.tenant;
    let mut operator = world.operator(true).await;
    let invite = format!("/operator/tenants/{tenant}/owner");
    let me = json!({"email": "operator@machine.example"});
    operator.post(&invite, me.clone()).await.refused(409, "inhabited");

    // Nor when they put everybody out first.
    let suspend = format!("/operator/tenants/{tenant}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    operator
        .post(&invite, me.clone())
        .await
        .refused(409, "tenant_suspended");
    let restore = format!("/operator/tenants/{tenant}/restore");
    operator.post(&restore, json!({})).await.expect(204);
    operator.post(&invite, me).await.refused(409, "inhabited");
    assert!(world.mails.files().is_empty());
}

#[tokio::test]
async fn an_owner_who_did_not_come_is_invited_again_and_the_link_of_before_is_void() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    let made = made(&mut operator, "Initech", "petre@initech.example").await;
    let wrong = token(&world.mails.next().await, "join");
    let again = operator
        .post(&at(&made, "/owner"), json!({"email": "peter@initech.example"}))
        .await
        .expect(200)
        .json;
    assert_eq!(again["email"], "peter@initech.example");
    let right = token(&world.mails.next().await, "join");
    let mut browser = world.browser();
    browser
        .post("/invitations/accept", json!({"token": wrong, "name": "Somebody"}))
        .await
        .refused(410, "link_invalid");

    world.clock.advance(limits::INVITATION_LIFE);
    let mut operator = world.operator(true).await;
    let whole = operator.get(&at(&made, "")).await.expect(200).json;
    assert_eq!(whole["owner_invited"]["expired"], true);
    browser
        .post("/invitations/accept", json!({"token": right, "name": "Peter"}))
        .await
        .refused(410, "link_invalid");
    operator
        .post(&at(&made, "/owner"), json!({"email": "peter@initech.example"}))
        .await
        .expect(200);
    let last = token(&world.mails.next().await, "join");
    browser
        .post("/invitations/accept", json!({"token": last, "name": "Peter"}))
        .await
        .expect(200);
    operator
        .post(&at(&made, "/owner"), json!({"email": "other@initech.example"}))
        .await
        .refused(409, "inhabited");
}

#[tokio::test]
async fn what_is_not_filled_in_right_makes_nothing() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    for (name, email, field) in [
        ("", "peter@initech.example", "name"),
        ("  ", "peter@initech.example", "name"),
        ("Initech", "peter", "email"),
    ] {
        let answer = operator
            .post("/operator/tenants", json!({"name": name, "email": email}))
            .await
            .refused(422, "invalid_field");
        assert_eq!(answer.json["field"], field);
    }
    operator
        .post(
            "/operator/tenants",
            json!({"name": "ACME", "email": "peter@initech.example"}),
        )
        .await
        .refused(409, "organisation_known");
    let tenants = operator.get("/operator/tenants").await.expect(200).json;
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1);
    assert!(world.mails.files().is_empty());
    let log = operator.get("/operator/audit").await.expect(200).json;
    assert!(actions(&log).is_empty(), "{log}");
}

#[tokio::test]
async fn a_suspended_organisation_waits_for_its_owner_until_it_is_let_back_in() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    let made = made(&mut operator, "Initech", "peter@initech.example").await;
    let link = token(&world.mails.next().await, "join");
    operator.post(&at(&made, "/suspend"), json!({})).await.expect(200);
    let mut peter = world.browser();
    let accept = json!({"token": link, "name": "Peter"});
    peter
        .post("/invitations/accept", accept.clone())
        .await
        .refused(403, "organisation_suspended");
    operator
        .post(&at(&made, "/owner"), json!({"email": "peter@initech.example"}))
        .await
        .refused(409, "tenant_suspended");
    operator.post(&at(&made, "/restore"), json!({})).await.expect(204);
    peter.post("/invitations/accept", accept).await.expect(200);
}

#[tokio::test]
async fn an_installation_that_nobody_owns_is_set_up_first() {
    let world = World::new().await;
    let mut operator = world.operator(true).await;
    operator
        .post(
            "/operator/tenants",
            json!({"name": "Initech", "email": "peter@initech.example"}),
        )
        .await
        .refused(409, "not_set_up");
    world.set_up().await;
    made(&mut operator, "Initech", "peter@initech.example").await;
}

#[tokio::test]
async fn owners_are_invited_so_many_times_at_most() {
    let (world, _anna) = World::owned().await;
    let mut operator = world.operator(true).await;
    for number in 0..limits::OWNER_INVITATIONS {
        made(
            &mut operator,
            &format!("Organisation {number}"),
            "peter@initech.example",
        )
        .await;
    }
    operator
        .post(
            "/operator/tenants",
            json!({"name": "One more", "email": "peter@initech.example"}),
        )
        .await
        .refused(429, "too_many_requests");
}

#[tokio::test]
async fn the_database_takes_no_invitation_from_outside_where_somebody_is() {
    let (world, mut anna) = World::owned().await;
    let tenant = world.cell_of(&mut anna).await.tenant;
    let refused = sqlx::query(
        "INSERT INTO invitations (id, tenant_id, email, role, token_hash, created_at, expires_at)
         VALUES (gen_random_uuid(), $1, 'operator@machine.example', 'owner', sha256('x'), now(), now() + interval '1 day')",
    )
    .bind(tenant.uuid())
    .execute(&mut world.database.owner().await)
    .await
    .unwrap_err();
    assert!(
        refused.to_string().contains("somebody is in this organisation"),
        "{refused}"
    );
}
