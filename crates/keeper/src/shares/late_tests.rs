//! Calls that come after their time: not carried out, seen by whoever shares it, and told to whoever has asked.

use serde_json::{Value, json};
use uuid::Uuid;
use vault::{PresentationOf, Rate, Scope, SharedRequest};

use super::message::{Call, Message};
use super::tests::{Sharer, calendar, two};
use super::{ShareError, Shares};
use crate::clock::{Clock as _, SystemClock};
use crate::relay::Courier as _;
use crate::relay::tests::liar::{Liar, Lie};

impl Sharer {
    /// Asks for what somebody shares, of which Bob's record is shown, after its time.
    async fn asks_late(&self, bob: &Self, id: Uuid, of: &Self) {
        self.asks(bob, id, of, -1).await;
    }

    /// The same, while it waits for so many more milliseconds.
    async fn asks(&self, bob: &Self, id: Uuid, of: &Self, left: i64) {
        let received = bob.shares.one_received(id).unwrap();
        let request = SharedRequest {
            service: "calendar".to_owned(),
            method: "GET".to_owned(),
            path: "/work".to_owned(),
            query: String::new(),
            content_type: String::new(),
            body: Vec::new(),
        };
        let (identity, now) = (self.person.vault.identity().await.unwrap(), SystemClock.now());
        let presentation = PresentationOf::sign(&identity, received.chain(), request, now)
            .unwrap()
            .encode();
        let call = Message::Use(Call {
            id: Uuid::now_v7(),
            until: now + left,
            presentation,
        });
        let call = call.to(&of.person.identity, Vec::new());
        self.person.relay.send(call).await.unwrap();
    }

    /// What stands of a kind in the activity.
    fn noted(&self, what: &str) -> Vec<Value> {
        noted(&self.shares, what)
    }
}

fn noted(shares: &Shares, what: &str) -> Vec<Value> {
    let entries = json!(shares.activity.entries(None).unwrap());
    let entries = entries.as_array().unwrap().iter();
    entries.filter(|entry| entry["what"] == what).cloned().collect()
}

#[tokio::test]
async fn what_is_asked_for_too_late_is_not_done_and_both_sides_learn_of_it() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    for _ in 0..2 {
        bob.asks_late(&bob, id, &anna).await;
    }
    // Bob learns each time that Anna is there again; she reads once who has asked, until she has seen it.
    let came_back = async |times| {
        let is_so = |shares: &Shares| noted(shares, "owner_back").iter().any(|back| back["count"] == times);
        bob.until(is_so).await;
    };
    came_back(2).await;
    assert_eq!(bob.noted("owner_back")[0]["to"], "Anna");
    let missed = anna.noted("share_missed");
    assert_eq!(missed.len(), 1, "{missed:?}");
    assert_eq!(
        (&missed[0]["to"], &missed[0]["why"], &missed[0]["count"]),
        (&json!("Bob"), &json!("calendar"), &json!(1))
    );
    let shown = |shares: &Shares| shares.shown(&shares.given().unwrap()[0]).unwrap()["missed"].clone();
    assert_eq!(shown(&anna.shares), 1, "when the relay took it");
    assert!(service.asked().is_empty(), "nothing is done late");
    anna.shares.seen_missed(id).await.unwrap();
    assert!(shown(&anna.shares).is_null());

    // One more is told anew, and what is then used is not missed any more.
    bob.asks_late(&bob, id, &anna).await;
    came_back(3).await;
    assert!(!shown(&anna.shares).is_null());
    assert_eq!(anna.noted("share_missed")[0]["count"], 2);
    bob.uses(id, "GET", "/work").await.unwrap();
    assert!(shown(&anna.shares).is_null());
}

#[tokio::test]
async fn a_rate_of_more_calls_than_are_remembered_is_refused() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let mut terms = anna.terms(&bob, &[Scope::Read]);
    for (calls, is_shared) in [(1001, false), (1000, true)] {
        terms.constraints.rate = Some(Rate { calls, per_ms: 60_000 });
        let shared = anna.shares.issue(terms.clone()).await;
        assert_eq!(shared.is_ok(), is_shared, "{calls}");
        assert!(shared.is_ok() || matches!(shared, Err(ShareError::RateTooHigh)));
    }
}

#[tokio::test]
async fn a_stranger_who_asks_late_with_what_somebody_else_holds_is_not_told_of() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let mallory = Sharer::at(&relay).await;
    mallory.knows(&anna, "Anna").await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    mallory.asks_late(&bob, id, &anna).await;
    // Then something that shows that it was heard.
    mallory.connects(&service).await;
    let offered = mallory.shares_with(&anna, &[Scope::Read]).await.jti;
    anna.gets(offered).await;
    assert!(anna.noted("share_missed").is_empty());
    assert!(mallory.noted("owner_back").is_empty());
    assert!(matches!(
        anna.shares.seen_missed(Uuid::now_v7()).await,
        Err(ShareError::Unknown)
    ));
}

#[tokio::test]
async fn promise_12_a_stranger_who_shows_what_somebody_else_holds_hears_nothing_and_leaves_nothing() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let mallory = Sharer::at(&relay).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    let answered = |anna: &Sharer| anna.person.vault.list_records("relay/to/").unwrap().len();
    let before = answered(&anna);
    for _ in 0..2 {
        mallory.asks(&bob, id, &anna, 20_000).await;
    }
    while relay.waiting(anna.person.key()) > 0 || !mallory.person.vault.list_records("relay/out/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // A refusal would have been on its way before this answer.
    bob.uses(id, "GET", "/work").await.unwrap();
    assert!(anna.noted("share_refused").is_empty());
    assert_eq!(answered(&anna), before);
    assert_eq!(service.asked().len(), 1);
}
