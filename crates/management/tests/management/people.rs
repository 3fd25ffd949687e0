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
