//! Two installations on one machine do not touch each other.

use std::time::Duration;

use system_tests::docker::{containers, networks, volumes};
use system_tests::{Installation, wait_until};

#[tokio::test]
async fn what_one_installation_does_leaves_the_cells_of_another_alone() {
    let mut first = Installation::start().await;
    let second = Installation::start().await;
    let owners = [first.owner().await, second.owner().await];
    let (claim, other) = tokio::join!(owners[0].claim(), owners[1].claim());
    assert_ne!(claim, other);
    let before = containers(&second.id());
    assert!(!before.is_empty(), "the second installation has a cell");

    // A session of one is nobody in the other.
    let stranger = system_tests::http()
        .get(format!("{}/api/v1/me", second.url()))
        .header("cookie", owners[0].cookie())
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), reqwest::StatusCode::UNAUTHORIZED);

    // A kill and a restart reap leftovers of their own installation alone; going down removes its own alone.
    first.kill();
    first.run().await;
    assert_eq!(containers(&second.id()), before);
    first.down().await;
    wait_until(
        "the first installation's containers are gone",
        Duration::from_secs(60),
        async || containers(&first.id()).is_empty().then_some(()),
    )
    .await;
    assert_eq!(containers(&second.id()), before);
    assert_eq!(networks(&second.id()).len(), 1);
    assert!(!volumes(&first.id()).is_empty(), "what is sealed stays");
    assert_eq!(owners[1].get("/api/v1/cell").await.ok()["state"], "awake");
}
