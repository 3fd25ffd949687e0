use serde_json::json;

use crate::support::World;

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
