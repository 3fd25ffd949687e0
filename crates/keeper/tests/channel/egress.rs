//! The policy of the egress proxy, set through the channel and met by the agent.

use serde_json::json;

use super::agent_side::Service;
use super::bench::{TestKeeper, password, refused};

#[tokio::test]
async fn promise_04_the_owner_decides_where_the_agent_connects_and_sees_what_was_refused() {
    let service = Service::echo().await;
    let at = service.at.to_string();
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([at.clone()]);
    assert_eq!(
        channel.call("egress.get", json!({})).await.unwrap(),
        json!({"mode": "open", "hosts": []})
    );
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 200"));
    let list = json!({"mode": "allow_list", "hosts": ["*.example.org"]});
    channel.call("egress.set", list.clone()).await.unwrap();
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 403"));
    // On the list, and leading to this machine all the same.
    assert!(
        keeper
            .agent
            .tunnel("www.example.org:443")
            .await
            .starts_with("HTTP/1.1 403")
    );
    let told = channel
        .call("activity.list", json!({"class": "refused"}))
        .await
        .unwrap();
    let whys: Vec<_> = told["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["to"].clone(), entry["why"].clone()))
        .collect();
    assert_eq!(
        whys[0],
        (json!("www.example.org:443"), json!("127.0.0.1 is a loopback address"))
    );
    assert_eq!(whys[1], (json!(at), json!("not on the list")));

    // It outlives a restart; until it is known, nothing leaves.
    let keeper = keeper.restarted().await;
    keeper.named.set([at.clone()]);
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 503"));
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(channel.call("egress.get", json!({})).await.unwrap(), list);
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 403"));
    channel.call("egress.set", json!({"mode": "none"})).await.unwrap();
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 403"));
    channel.call("egress.set", json!({"mode": "open"})).await.unwrap();
    assert!(keeper.agent.tunnel(&at).await.starts_with("HTTP/1.1 200"));
    assert!(service.heard().is_empty());
}

#[tokio::test]
async fn promise_11_a_policy_that_is_none_is_refused() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let many: Vec<_> = (0..=keeper::limits::EGRESS_HOSTS)
        .map(|n| format!("h{n}.example"))
        .collect();
    for (policy, code) in [
        (json!({}), "malformed"),
        (json!({"mode": "all"}), "malformed"),
        (json!({"mode": "allow_list", "hosts": "example.org"}), "malformed"),
        (
            json!({"mode": "allow_list", "hosts": ["https://example.org"]}),
            "egress_invalid",
        ),
        (json!({"mode": "allow_list", "hosts": [many]}), "malformed"),
        (json!({"mode": "allow_list", "hosts": many}), "egress_invalid"),
    ] {
        assert_eq!(refused(channel.call("egress.set", policy).await).code(), Some(code));
    }
}
