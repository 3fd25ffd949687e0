use management::{CellRef, ChannelSession};
use protocol::GatewayToken;
use serde_json::{Value, json};

use crate::support::{Browser, World};

/// What the keeper is told when this person opens a channel.
async fn told_of(world: &World, browser: &mut Browser) -> ChannelSession {
    let CellRef { cell, tenant, user } = world.cell_of(browser).await;
    let sessions = browser.get("/sessions").await.expect(200).json;
    let own = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|each| each["current"] == true);
    let session = own.unwrap()["id"].as_str().unwrap().parse().unwrap();
    let token = GatewayToken {
        cell,
        tenant,
        user,
        session,
        exp: 0,
    };
    world.management.channel_session(&token).await.unwrap().unwrap()
}

/// For how long agents may work alone, in minutes.
async fn told(world: &World, browser: &mut Browser) -> u32 {
    told_of(world, browser).await.time_alone_minutes()
}

fn hours(hours: i32) -> Value {
    json!({"time_alone_hours": hours})
}

#[tokio::test]
async fn an_organisation_decides_how_long_its_peoples_agents_may_work_alone() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let mut olga = world.second_tenant().await;
    assert_eq!(told(&world, &mut bob).await, 24 * 60);
    bob.put("/policy", hours(48)).await.refused(403, "not_allowed");
    for wrong in [0, -1, 169] {
        let refused = anna.put("/policy", hours(wrong)).await.refused(422, "invalid_field");
        assert!(
            refused.json["detail"].as_str().unwrap().contains("TIME_ALONE_CEILING"),
            "{:?}",
            refused.json
        );
    }
    assert_eq!(told(&world, &mut bob).await, 24 * 60);
    let set = anna.put("/policy", hours(168)).await.expect(200).json;
    assert_eq!(set["time_alone_hours"], 168);
    assert_eq!(told(&world, &mut bob).await, 168 * 60);
    assert_eq!(told(&world, &mut olga).await, 24 * 60);
    let log = anna
        .get("/audit?action=organisation.policy_changed")
        .await
        .expect(200)
        .json;
    assert_eq!(log["events"][0]["details"], json!({"time_alone_hours": "168"}));
    anna.put("/policy", hours(1)).await.expect(200);
    assert_eq!(told(&world, &mut bob).await, 60);
}

#[tokio::test]
async fn an_organisation_demands_a_second_person_of_its_own_people_alone() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let mut olga = world.second_tenant().await;
    assert!(!told_of(&world, &mut bob).await.second_person());
    let demand = json!({"second_person": true});
    bob.put("/policy", demand.clone()).await.refused(403, "not_allowed");
    assert!(!told_of(&world, &mut bob).await.second_person());
    let set = anna.put("/policy", demand).await.expect(200).json;
    assert_eq!(
        (&set["second_person"], &set["time_alone_hours"]),
        (&json!(true), &json!(24))
    );
    assert!(told_of(&world, &mut bob).await.second_person());
    assert!(!told_of(&world, &mut olga).await.second_person());
    let log = anna
        .get("/audit?action=organisation.policy_changed")
        .await
        .expect(200)
        .json;
    assert_eq!(log["events"][0]["details"], json!({"second_person": "true"}));
    anna.put("/policy", json!({"second_person": false})).await.expect(200);
    assert!(!told_of(&world, &mut bob).await.second_person());
}

#[tokio::test]
async fn promise_07_keepers_are_told_at_once_of_a_second_person_who_is_demanded_and_again_where_they_did_not_hear() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    let (annas, olgas) = (world.cell_of(&mut anna).await, world.cell_of(&mut olga).await);
    for browser in [&mut anna, &mut olga] {
        browser.post("/cell/wake", json!({})).await.expect(202);
    }
    world.management.tell_demands().await;
    anna.put("/policy", hours(48)).await.expect(200);
    assert!(world.cells.demands().is_empty(), "nobody demands one");

    anna.put("/policy", json!({"second_person": true})).await.expect(200);
    assert_eq!(world.cells.demands(), [annas.tenant]);
    // A keeper may have been away in that moment, and a server may have ended.
    world.management.tell_demands().await;
    assert_eq!(world.cells.demands(), [annas.tenant]);

    // That it is not demanded any more waits for the next channel: told out of order, it would take away a demand that stands.
    anna.put("/policy", json!({"second_person": false})).await.expect(200);
    world.management.tell_demands().await;
    assert!(world.cells.demands().is_empty());
    assert_ne!(annas.tenant, olgas.tenant);
}
