use crate::support::World;

#[tokio::test]
async fn a_page_learns_whether_the_instance_has_an_owner() {
    let world = World::new().await;
    let before = world.browser().get("/instance").await.expect(200).json;
    assert_eq!(before["needs_setup"], true);
    assert_eq!(before["mail"], "outbox");
    world.set_up().await;
    let after = world.browser().get("/instance").await.expect(200).json;
    assert_eq!(after["needs_setup"], false);
    assert!(after.get("demo_model").is_none());
}
