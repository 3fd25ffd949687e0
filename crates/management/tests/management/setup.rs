use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::World;

fn body(token: &str) -> serde_json::Value {
    json!({"token": token, "organisation": " Acme ", "name": "Anna", "email": "Anna@Acme.example"})
}

#[tokio::test]
async fn the_setup_link_makes_the_first_owner_and_signs_them_in() {
    let world = World::new().await;
    let token = world.setup_token().await;
    let file = world.folder.path().join("setup-url");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let mut anna = world.browser();
    let me = anna.post("/setup", body(&token)).await.expect(200).json;
    assert_eq!(me["user"]["role"], "owner");
    assert_eq!(me["user"]["email"], "anna@acme.example");
    assert_eq!(me["tenant"]["name"], "Acme");
    assert_eq!(anna.get("/me").await.expect(200).json, me);
    assert!(!file.exists(), "the used link is removed");
}

#[tokio::test]
async fn the_setup_link_works_once() {
    let world = World::new().await;
    let token = world.setup_token().await;
    let (mut one, mut two) = (world.browser(), world.browser());
    let (first, second) = tokio::join!(one.post("/setup", body(&token)), two.post("/setup", body(&token)));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [200, 409 | 410]), "{statuses:?}");
    world
        .browser()
        .post("/setup", body(&token))
        .await
        .refused(409, "already_set_up");
    assert!(world.management.publish_setup_link().await.unwrap().is_none());
}

#[tokio::test]
async fn nobody_owns_the_instance_without_the_setup_token() {
    let world = World::new().await;
    let token = world.setup_token().await;
    let mut guess = token.clone().into_bytes();
    guess[0] ^= 1;
    let guess = String::from_utf8(guess).unwrap();
    for wrong in ["", "x", &guess] {
        world
            .browser()
            .post("/setup", body(wrong))
            .await
            .refused(410, "link_invalid");
    }
    assert_eq!(world.browser().get("/instance").await.json["needs_setup"], true);
    world.browser().post("/setup", body(&token)).await.expect(200);
}

#[tokio::test]
async fn a_restart_keeps_the_setup_link_and_a_lost_file_gets_a_new_one() {
    let world = World::new().await;
    let first = world.setup_token().await;
    assert_eq!(world.setup_token().await, first);
    std::fs::remove_file(world.folder.path().join("setup-url")).unwrap();
    let second = world.setup_token().await;
    assert_ne!(second, first);
    world
        .browser()
        .post("/setup", body(&first))
        .await
        .refused(410, "link_invalid");
    world.browser().post("/setup", body(&second)).await.expect(200);
}

#[tokio::test]
async fn what_is_not_filled_in_right_is_named() {
    let world = World::new().await;
    let token = world.setup_token().await;
    for (field, value) in [
        ("organisation", "  ".to_owned()),
        ("organisation", "x".repeat(101)),
        ("name", String::new()),
        ("name", "two\nlines".to_owned()),
        ("email", "anna".to_owned()),
        ("email", format!("{}@acme.example", "a".repeat(300))),
    ] {
        let mut body = body(&token);
        body[field] = value.into();
        let answer = world.browser().post("/setup", body).await.refused(422, "invalid_field");
        assert_eq!(answer.json["field"], field);
    }
    world.browser().post("/setup", body(&token)).await.expect(200);
}
