use protocol::{GatewayToken, TokenError};
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn somebody_wakes_their_own_cell_and_no_other() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let annas = world.cell_of(&mut anna).await;
    assert_eq!(
        anna.get("/cell").await.expect(200).json,
        json!({"id": annas.cell.to_string(), "state": "asleep"})
    );
    anna.post("/cell/wake", json!({})).await.expect(202);
    anna.post("/cell/wake", json!({})).await.expect(202);
    assert_eq!(world.cells.awake(), [annas]);
    assert_eq!(anna.get("/cell").await.expect(200).json["state"], "awake");
    assert_eq!(bob.get("/cell").await.expect(200).json["state"], "asleep");
}

#[tokio::test]
async fn the_claim_of_a_new_vault_is_given_to_its_owner_alone() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let bobs = world.cell_of(&mut bob).await;
    world.cells.set_claim(bobs, "bobs-claim");
    for browser in [&mut anna, &mut bob] {
        browser.post("/cell/wake", json!({})).await.expect(202);
    }
    assert_eq!(bob.get("/cell").await.expect(200).json["claim"], "bobs-claim");
    assert!(anna.get("/cell").await.expect(200).json.get("claim").is_none());
    assert!(
        !anna
            .get("/people")
            .await
            .expect(200)
            .json
            .to_string()
            .contains("bobs-claim")
    );
}

#[tokio::test]
async fn a_gateway_token_opens_the_own_cell_for_an_hour() {
    let (world, mut anna) = World::owned().await;
    let cell = world.cell_of(&mut anna).await;
    let answer = anna.post("/cell/token", json!({})).await.expect(200).json;
    let now = u64::try_from(world.clock.seconds()).unwrap();
    assert_eq!(answer["expires_at"], (now + 3600) * 1000);
    let text = answer["token"].as_str().unwrap();
    let token = GatewayToken::verify_at(text, &world.gateway_key, now + 3599).unwrap();
    assert_eq!(
        (token.cell, token.tenant, token.user),
        (cell.cell, cell.tenant, cell.user)
    );
    assert_eq!(
        GatewayToken::verify_at(text, &world.gateway_key, now + 3600),
        Err(TokenError::Expired)
    );
}

#[tokio::test]
async fn a_cell_that_cannot_be_reached_is_said_in_plain_words() {
    let (world, mut anna) = World::owned().await;
    world.cells.break_down();
    let answer = anna.get("/cell").await.refused(503, "cell_unavailable");
    assert!(
        answer.json["detail"]
            .as_str()
            .unwrap()
            .contains("Docker does not answer.")
    );
    assert!(answer.headers.contains_key("retry-after"));
    anna.post("/cell/wake", json!({}))
        .await
        .refused(503, "cell_unavailable");
}
