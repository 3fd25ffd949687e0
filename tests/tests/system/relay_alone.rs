//! The relay as a process of its own, with a database of its own: it carries what people share, is killed and comes back, and learns
//! nothing of them. The platform asks it whose locked vault something waits for, and takes the way to it from who is sent away.

use std::fs;
use std::time::Duration;

use serde_json::json;
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{acquainted, meets, opened};
use system_tests::docker::{Part, process};
use system_tests::shared::{connect_calendar, received, uses};
use system_tests::{Person, RelayAlone, Settings, Still, now, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(90);
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

#[tokio::test]
async fn promise_09_a_relay_by_itself_tells_for_whom_something_waits_and_is_closed_to_who_is_suspended() {
    let mut relay = RelayAlone::start().await;
    let file = relay.news_token_file();
    let installation = Settings::default()
        .set("relay.address", &relay.address())
        .set("relay.news_token_file", &file.display().to_string())
        .start()
        .await;
    let [(anna, with_anna), (bob, with_bob)] = acquainted(&installation, PASSWORD).await;
    connect_calendar(&installation, &with_anna, "canary-0123456789", "A calendar").await;
    let terms =
        json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read"], "until": now() + DAY});
    let id = with_anna.call("share.issue", terms).await["share"]["id"].clone();
    received(&with_bob, "given").await;

    // It is asked again when it has ended and comes back.
    relay.kill();
    relay.run().await;
    wait_until("both have reached it again", SOON, async || {
        uses(&with_bob, &id, "GET").await.ok()
    })
    .await;
    with_anna.call("vault.lock", json!({})).await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("no_answer".to_owned()));
    let waits = async |person: &Person| person.get("/api/v1/cell").await.ok()["something_waits"] == true;
    wait_until("Anna is told", SOON, async || waits(&anna).await.then_some(())).await;
    assert!(!waits(&bob).await);
    let address = anna.me["user"]["email"].as_str().expect("an address");
    installation.letter(address, "Something waits for your vault").await;
    let _with_anna = anna.unlock(PASSWORD).await;
    wait_until("nothing waits any more", SOON, async || {
        (!waits(&anna).await).then_some(())
    })
    .await;

    // Bob is suspended. His keeper stands still and lets go of nothing: the platform does.
    let left = || relay.log().lines().filter(|line| line.contains(" gone ")).count();
    let before = left();
    let keeper = Still::hold(process(bob.cell(), Part::Keeper).expect("Bob's keeper runs"));
    let bobs = format!("/api/v1/people/{}", bob.me["user"]["id"].as_str().expect("an id"));
    anna.post(&format!("{bobs}/suspend"), &json!({})).await.ok();
    wait_until("his connection has ended", Duration::from_secs(3), async || {
        (left() > before).then_some(())
    })
    .await;
    drop(keeper);

    // What both have to be let in with is in no log.
    let token = fs::read_to_string(&file).expect("the relay has made it");
    assert!(!relay.log().contains(&token) && !installation.log().contains(&token));
}
