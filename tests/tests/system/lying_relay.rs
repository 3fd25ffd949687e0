//! A relay in the hands of somebody who lies, between real cells of two organisations: it opens nothing, has nothing done twice or for
//! another, is named for what it does, and can neither take back what was given nor bring back what was taken back.

use std::time::Duration;

use protocol::relay::MailboxKey;
use protocol::{CapabilityId, b64};
use serde_json::{Value, json};
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{meets, opened};
use system_tests::shared::{connect_calendar, received, uses};
use system_tests::{Deed, Liar, Lie, Person, RelayAlone, Session, Settings, now, wait_until};
use vault::PublicIdentity;

const PASSWORD: &str = "correct horse battery staple";
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Until everybody has found their way back to the relay, on a busy machine.
const SOON: Duration = Duration::from_secs(120);

async fn keys(session: &Session) -> PublicIdentity {
    let identity = session.call("identity.get", json!({})).await;
    let bundle = b64::decode(identity["bundle"].as_str().expect("text")).expect("base64url");
    PublicIdentity::decode(&bundle).expect("public keys")
}

async fn mailbox(session: &Session) -> MailboxKey {
    MailboxKey(keys(session).await.signing_key())
}

/// How often this stands in somebody's activity.
async fn noted(session: &Session, what: &str) -> u64 {
    let activity = session.call("activity.list", json!({"class": "person"})).await;
    let entries = activity["entries"].as_array().expect("a list");
    let counts = entries.iter().filter(|entry| entry["what"] == what);
    counts.filter_map(|entry| entry["count"].as_u64()).sum()
}

/// Until this stands there more often than `before`.
async fn is_noted(session: &Session, what: &str, before: u64) {
    wait_until(what, SOON, async || (noted(session, what).await > before).then_some(())).await;
}

/// Anna's calendar, for Bob to read and to pass on.
async fn shares(anna: &Session, bob: &Person) -> Value {
    let terms = json!({"with": bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read", "share"],
        "until": now() + DAY});
    anna.call("share.issue", terms).await["share"]["id"].clone()
}

/// How often something that was given was used.
async fn calls(anna: &Session, id: &Value) -> Value {
    let given = anna.call("share.given", json!({})).await;
    let shares = given["given"].as_array().expect("a list");
    let share = shares.iter().find(|share| share["id"] == *id).expect("it was given");
    share["calls"].clone()
}

/// As it stands with whoever received it.
async fn stands(session: &Session, id: &Value) -> Value {
    let list = session.call("share.received", json!({})).await;
    let received = list["received"].as_array().expect("a list");
    let one = received.iter().find(|one| one["id"] == *id).expect("it was received");
    one["state"].clone()
}

async fn reads(session: &Session, id: &Value) {
    let (status, words) = uses(session, id, "GET").await.expect("it may be read");
    assert!(status == 200 && words.contains("scripted"), "{status}: {words}");
}

/// Until it is answered again.
async fn reads_again(session: &Session, id: &Value) {
    wait_until("it is answered", SOON, async || uses(session, id, "GET").await.ok()).await;
}

#[tokio::test]
async fn promise_09_a_relay_that_lies_opens_nothing_and_brings_back_nothing() {
    let (mut relay, other) = tokio::join!(RelayAlone::start(), RelayAlone::start());
    let liar = Liar::before(&relay.address()).await;
    let installation = Settings::default().set("relay.address", liar.address()).start().await;
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let carol = installation.member(&anna, "Carol", "carol@example.org").await;
    let dave = installation.organisation("Elsewhere", "Dave", "dave@example.org").await;
    let (with_anna, with_bob, with_carol) = (
        opened(&anna, PASSWORD).await,
        opened(&bob, PASSWORD).await,
        opened(&carol, PASSWORD).await,
    );
    let with_dave = opened(&dave, PASSWORD).await;
    for (person, session) in [(&anna, &with_anna), (&bob, &with_bob), (&carol, &with_carol)] {
        meets(person, session).await;
    }
    let (key, purpose) = (Canary::new("calendar-key"), Canary::new("calendar-purpose"));
    connect_calendar(&installation, &with_anna, &key.text, &purpose.text).await;
    let id = shares(&with_anna, &bob).await;
    received(&with_bob, "given").await;
    reads(&with_bob, &id).await;

    envelopes_repeated_delayed_kept_back_and_misdirected(&liar, &with_anna, &with_bob, &with_dave, &id).await;
    nothing_is_open_where_nothing_goes_through(&liar, &mut relay, &with_bob, &id).await;
    what_was_brought_before_is_done_no_second_time(&liar, &with_anna, &with_bob, &id).await;
    let (taken_back, passed_on) = revocations_hidden(&liar, (&with_bob, &with_carol), &carol, &id).await;

    // It takes back nothing that others have given, and what Anna takes back is refused by her keeper, whatever Bob's is told.
    let brief = shares(&with_anna, &bob).await;
    wait_until("Bob has it", SOON, async || {
        (received(&with_bob, "given").await["id"] == brief).then_some(())
    })
    .await;
    let wrong = noted(&with_bob, "relay_wrong").await;
    let invented: CapabilityId = serde_json::from_value(id.clone()).expect("an id");
    liar.lies(Lie::Invent(invented));
    with_anna.call("share.revoke", json!({"id": brief})).await;
    is_noted(&with_bob, "relay_wrong", wrong).await;
    assert_eq!(
        stands(&with_bob, &id).await,
        "given",
        "nobody has signed that it is taken back"
    );
    assert_eq!(stands(&with_bob, &brief).await, "given", "Bob's keeper was not told");
    assert_eq!(uses(&with_bob, &brief, "GET").await, Err("revoked".to_owned()));
    reads(&with_bob, &id).await;
    reads(&with_carol, &passed_on).await;
    liar.lies(Lie::None);

    // Another relay in its place, with nothing of the first: it is named, learns what was taken back, and carries on.
    let odd = noted(&with_bob, "relay_odd").await;
    liar.leads_to(&other.address());
    reads_again(&with_bob, &id).await;
    is_noted(&with_bob, "relay_odd", odd).await;
    wait_until("Bob's keeper learns it", SOON, async || {
        (stands(&with_bob, &brief).await == "stopped").then_some(())
    })
    .await;
    reads_again(&with_carol, &passed_on).await;
    assert_eq!(uses(&with_carol, &taken_back, "GET").await, Err("revoked".to_owned()));

    // Whatever went through, it could read nothing of it.
    let read = tempfile::tempdir().expect("a folder");
    liar.write_down(&read.path().join("heard"));
    let named = Canary::of("what is shared", "service/calendar");
    let mut search = Search::new(&[key, purpose, named]);
    search.folder(read.path());
    assert!(search.searched() > 10_000, "{}", search.searched());
    for relay in [&relay, &other] {
        search.folder(relay.data_dir());
    }
    assert!(search.found().is_empty(), "{:?}", search.found());
}

async fn envelopes_repeated_delayed_kept_back_and_misdirected(
    liar: &Liar,
    with_anna: &Session,
    with_bob: &Session,
    with_dave: &Session,
    id: &Value,
) {
    let (bob, dave) = (mailbox(with_bob).await, mailbox(with_dave).await);

    // Everything twice: it is done once, and the relay is named.
    let wrong = noted(with_anna, "relay_wrong").await;
    liar.lies(Lie::Twice);
    reads(with_bob, id).await;
    is_noted(with_anna, "relay_wrong", wrong).await;
    liar.lies(Lie::None);
    assert_eq!(calls(with_anna, id).await, 2, "once before, and once now");

    // Out of order: named, and put in order.
    let odd = noted(with_anna, "relay_odd").await;
    liar.will(bob, &[Deed::Late]);
    tokio::join!(reads(with_bob, id), reads(with_bob, id));
    assert_eq!(liar.left_to_do(), 0);
    is_noted(with_anna, "relay_odd", odd).await;
    assert_eq!(calls(with_anna, id).await, 4);

    // One kept back, one brought to somebody of another organisation, who cannot open it, and one in whose place the relay speaks under
    // keys of its own, which are nobody's: what follows is answered all the same.
    let (odd, daves) = (noted(with_anna, "relay_odd").await, noted(with_dave, "relay_odd").await);
    let annas = *keys(with_anna).await.agreement();
    liar.will(bob, &[Deed::Drop, Deed::To(dave), Deed::Reseal(annas)]);
    let use_it = || uses(with_bob, id, "GET");
    let (one, two, three, four) = tokio::join!(use_it(), use_it(), use_it(), use_it());
    let refused: Vec<_> = [one, two, three, four].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, ["no_answer", "no_answer", "no_answer"]);
    assert_eq!(with_anna.call("share.asked", json!({})).await["asked"], json!([]));
    assert_eq!(liar.left_to_do(), 0);
    is_noted(with_anna, "relay_odd", odd).await;
    is_noted(with_dave, "relay_odd", daves).await;
    assert_eq!(calls(with_anna, id).await, 5);
    let daves = with_dave.call("share.received", json!({})).await;
    assert_eq!(daves["received"], json!([]));
    assert_eq!(uses(with_dave, id, "GET").await, Err("not_received".to_owned()));
}

/// As when the network is cut between, and as when the relay is killed.
async fn nothing_is_open_where_nothing_goes_through(
    liar: &Liar,
    relay: &mut RelayAlone,
    with_bob: &Session,
    id: &Value,
) {
    let is_refused = async || {
        let refused = uses(with_bob, id, "GET").await.expect_err("nothing goes through");
        assert!(["no_answer", "relay_unreachable"].contains(&&*refused), "{refused}");
    };
    liar.lies(Lie::Silence);
    is_refused().await;
    liar.lies(Lie::None);
    reads_again(with_bob, id).await;
    relay.kill();
    is_refused().await;
    relay.run().await;
    reads_again(with_bob, id).await;
}

/// Also not on another connection, whose numbers nobody there has seen.
async fn what_was_brought_before_is_done_no_second_time(
    liar: &Liar,
    with_anna: &Session,
    with_bob: &Session,
    id: &Value,
) {
    liar.hangs_up();
    reads_again(with_bob, id).await;
    let before = calls(with_anna, id).await.as_u64().expect("a number");
    let again = liar.brought_again();
    liar.lies(Lie::Old);
    reads(with_bob, id).await;
    liar.lies(Lie::None);
    assert!(liar.brought_again() > again + 2, "to Anna, and to Bob");
    assert_eq!(calls(with_anna, id).await, before + 1);
    assert_eq!(
        with_anna.call("share.given", json!({})).await["given"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

/// What Bob passed on to Carol and took back, and what he passed on after it: the relay can hide neither that there is something
/// nor what it is.
async fn revocations_hidden(
    liar: &Liar,
    (with_bob, with_carol): (&Session, &Session),
    carol: &Person,
    id: &Value,
) -> (Value, Value) {
    let pass_on = async || {
        let terms = json!({"id": id, "with": carol.me["user"]["id"], "scope": ["read"], "until": now() + DAY / 2});
        let link = with_bob.call("share.pass_on", terms).await["share"]["id"].clone();
        wait_until("Carol has it", SOON, async || {
            (received(with_carol, "given").await["id"] == link).then_some(())
        })
        .await;
        reads(with_carol, &link).await;
        link
    };
    let taken_back = pass_on().await;
    with_bob.call("share.revoke", json!({"id": taken_back})).await;
    assert_eq!(uses(with_carol, &taken_back, "GET").await, Err("revoked".to_owned()));

    let passed_on = pass_on().await;
    liar.lies(Lie::Hide);
    let refused = uses(with_carol, &passed_on, "GET").await;
    assert_eq!(refused, Err("revocations_unknown".to_owned()));
    liar.lies(Lie::None);
    reads(with_carol, &passed_on).await;
    (taken_back, passed_on)
}
