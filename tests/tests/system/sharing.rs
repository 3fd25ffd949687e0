//! Two people share a service through two real cells and the real relay: read, not written, stopped, and by nobody else.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{acquainted, meets, opened};
use system_tests::shared::{connect_calendar, received, uses};
use system_tests::{Installation, Person, Session, now, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(60);
const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn promise_09_a_service_is_shared_for_reading_until_it_is_stopped_and_with_nobody_else() {
    let installation = Installation::start().await;
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let carol = installation.member(&anna, "Carol", "carol@example.org").await;
    let (with_anna, with_bob, with_carol) = (
        opened(&anna, PASSWORD).await,
        opened(&bob, PASSWORD).await,
        opened(&carol, PASSWORD).await,
    );
    for (person, session) in [(&anna, &with_anna), (&bob, &with_bob), (&carol, &with_carol)] {
        meets(person, session).await;
    }

    let (key, purpose) = (Canary::new("calendar-key"), Canary::new("calendar-purpose"));
    connect_calendar(&installation, &with_anna, &key.text, &purpose.text).await;
    let until = now() + 3 * DAY;
    let terms = json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read", "list"], "until": until});
    let given = with_anna.call("share.issue", terms).await;
    let id = given["share"]["id"].clone();

    // Bob has it, from Anna and by her key, and reads; what he gets is data.
    let shown = received(&with_bob, "given").await;
    assert_eq!((&shown["id"], &shown["name"]), (&id, &anna.me["user"]["name"]));
    let (status, words) = uses(&with_bob, &id, "GET").await.expect("Bob may read");
    assert!(status == 200 && words.contains("scripted"), "{status}: {words}");
    assert!(!words.contains(&key.text), "{words}");
    for method in ["POST", "DELETE"] {
        assert_eq!(uses(&with_bob, &id, method).await, Err("scope".to_owned()), "{method}");
    }

    // Carol, whom Anna knows as well, has nothing of it.
    let offered = with_carol.call("share.received", json!({})).await;
    assert_eq!(offered["received"], json!([]), "it was offered to Bob alone");
    assert_eq!(uses(&with_carol, &id, "GET").await, Err("not_received".to_owned()));

    // Bob's agent finds it and reads by itself; to change something it asks Bob, and Anna's keeper still refuses.
    with_bob
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    with_bob.ready().await;
    let conversation = with_bob.conversation().await;
    let tool = |name: &str, arguments: Value| format!("[[tool: holdfast__{name} {arguments}]]");
    let listing = tool("list_capabilities", json!({}));
    let reading = tool("call_shared", json!({"id": id, "path": "/models"}));
    let turn = with_bob
        .ask(&conversation, &format!("{listing} {reading} [[say: read]]"))
        .await;
    let told = json!(turn.events).to_string();
    assert!(
        told.contains("service/calendar") && told.contains("\\\"status\\\":200"),
        "{told}"
    );
    let changing = tool(
        "call_shared",
        json!({"id": id, "method": "POST", "path": "/models", "body": "{}"}),
    );
    let turn = with_bob
        .send(&conversation, &format!("{changing} [[say: tried]]"))
        .await;
    let asked = with_bob.asked().await;
    assert_eq!(asked["action"]["kind"], "call_shared", "{asked:#}");
    with_bob.decide(&asked, json!({"answer": "once"})).await;
    with_bob.turn_event(&turn, "saved").await;
    let told = json!(with_bob.turn(&turn).events).to_string();
    assert!(told.contains("scope: "), "{told}");

    // Anna stops it: the next use is refused by her keeper, and Bob's is told.
    let used = with_anna.call("share.given", json!({})).await["given"][0]["calls"].clone();
    assert_eq!(used, 2, "what was refused was not counted");
    with_anna.call("share.revoke", json!({"id": id})).await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("revoked".to_owned()));
    received(&with_bob, "stopped").await;

    // What Bob passes on is used by Carol, while he is let in: the server alone is told that he is not.
    let terms = json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read", "share"], "until": until});
    let again = with_anna.call("share.issue", terms).await["share"]["id"].clone();
    assert_eq!(received(&with_bob, "given").await["id"], again);
    let on = json!({"id": again, "with": carol.me["user"]["id"], "scope": ["read"], "until": until});
    let link = with_bob.call("share.pass_on", on).await["share"]["id"].clone();
    assert_eq!(received(&with_carol, "given").await["id"], link);
    let carol_reads = async || uses(&with_carol, &link, "GET").await.map(|(status, _)| status);
    assert_eq!(carol_reads().await, Ok(json!(200)));
    let bobs = format!("/api/v1/people/{}", bob.me["user"]["id"].as_str().expect("an id"));
    anna.post(&format!("{bobs}/suspend"), &json!({})).await.ok();
    assert_eq!(carol_reads().await, Err("person_gone".to_owned()));
    anna.post(&format!("{bobs}/restore"), &json!({})).await.ok();
    assert_eq!(carol_reads().await, Ok(json!(200)));
    anna.delete(&bobs).await.ok();
    assert_eq!(carol_reads().await, Err("person_gone".to_owned()));

    // Nothing of it is where the platform writes.
    let named = Canary::of("what is shared", "service/calendar");
    let mut search = Search::new(&[key, purpose, named]);
    search.folder(installation.data_dir());
    assert!(search.searched() > 1_000_000);
    assert!(search.found().is_empty(), "{:?}", search.found());
}

#[tokio::test]
async fn who_asks_a_vault_that_is_locked_is_told_so_and_its_owner_is_told_to_unlock_it() {
    let installation = Installation::start().await;
    let [(anna, with_anna), (bob, with_bob)] = acquainted(&installation, PASSWORD).await;
    connect_calendar(&installation, &with_anna, "canary-0123456789", "A calendar").await;
    let until = now() + DAY;
    let terms =
        json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read"], "until": until});
    let id = with_anna.call("share.issue", terms).await["share"]["id"].clone();
    received(&with_bob, "given").await;
    with_anna.call("vault.lock", json!({})).await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("no_answer".to_owned()));

    // Anna learns on the page that unlocks, and by mail, that something waits: not what, nor from whom.
    let waits = async |person: &Person| person.get("/api/v1/cell").await.ok()["something_waits"] == true;
    wait_until("Anna is told", SOON, async || waits(&anna).await.then_some(())).await;
    assert!(!waits(&bob).await);
    let address = anna.me["user"]["email"].as_str().expect("an address");
    let mail = installation.letter(address, "Something waits for your vault").await;
    for secret in ["Bob", "bob@example.org", "calendar"] {
        assert!(!mail.contains(secret), "{secret} in {mail}");
    }
    assert_eq!(
        anna.get("/api/v1/cell").await.ok()["state"],
        "asleep",
        "nothing was started"
    );

    // She unlocks: what waited is fetched and not done any more. She reads who has asked for what, and Bob that he may ask again.
    let with_anna = anna.unlock(PASSWORD).await;
    wait_until("nothing waits any more", SOON, async || {
        (!waits(&anna).await).then_some(())
    })
    .await;
    let missed = async || with_anna.call("share.given", json!({})).await["given"][0]["missed"].clone();
    noted(&with_anna, "share_missed", "Bob", "calendar").await;
    assert!(missed().await.is_i64(), "who has asked stands beside what is shared");
    let name = anna.me["user"]["name"].as_str().expect("a name");
    noted(&with_bob, "owner_back", name, "").await;
    let (status, _) = uses(&with_bob, &id, "GET").await.expect("Anna's vault is open");
    assert_eq!(status, 200);
    assert!(missed().await.is_null(), "it was used since");
}

/// Waits until it stands in somebody's activity.
async fn noted(session: &Session, what: &str, to: &str, why: &str) {
    wait_until(what, SOON, async || {
        let listed = session.call("activity.list", json!({})).await;
        let is_it = |entry: &Value| {
            entry["what"] == what && entry["to"] == to && entry["why"].as_str().unwrap_or_default() == why
        };
        listed["entries"].as_array()?.iter().any(is_it).then_some(())
    })
    .await;
}
