//! The relay as a process of its own, with a database of its own: it carries what people share, is killed and comes back, and learns
//! nothing of them.

use serde_json::json;
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{meets, opened};
use system_tests::shared::{connect_calendar, received, uses};
use system_tests::{RelayAlone, Settings, now};

const PASSWORD: &str = "correct horse battery staple";
const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn promise_09_a_relay_by_itself_is_killed_and_nothing_is_open_without_it_or_after_it_was_taken_back() {
    let mut relay = RelayAlone::start().await;
    let installation = Settings::default().set("relay.address", &relay.address()).start().await;
    let anna = installation.owner().await;
    let address = Canary::new("bob");
    let email = format!("{}@example.org", address.text);
    let bob = installation.member(&anna, "Bob", &email).await;
    let (with_anna, with_bob) = (opened(&anna, PASSWORD).await, opened(&bob, PASSWORD).await);
    for (person, session) in [(&anna, &with_anna), (&bob, &with_bob)] {
        meets(person, session).await;
    }

    // What is shared crosses it, and is read.
    let key = Canary::new("calendar-key");
    connect_calendar(&installation, &with_anna, &key.text, "A calendar").await;
    let terms =
        json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read"], "until": now() + DAY});
    let given = with_anna.call("share.issue", terms).await;
    let id = given["share"]["id"].clone();
    received(&with_bob, "given").await;
    let (status, words) = uses(&with_bob, &id, "GET").await.expect("Bob may read");
    assert!(status == 200 && words.contains("scripted"), "{status}: {words}");

    // Without it nothing is open; and what is taken back meanwhile is taken back when it is there again.
    relay.kill();
    let refused = uses(&with_bob, &id, "GET").await.expect_err("it cannot be asked for");
    assert_eq!(refused, "relay_unreachable");
    with_anna.call("share.revoke", json!({"id": id})).await;
    relay.run().await;
    received(&with_bob, "stopped").await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("revoked".to_owned()));

    // It has keys of mailboxes, and neither words nor people.
    let named = Canary::of("what is shared", "service/calendar");
    let mut search = Search::new(&[key, address, named]);
    search.folder(relay.data_dir());
    assert!(search.searched() > 1_000_000);
    assert!(search.found().is_empty(), "{:?}", search.found());
}
