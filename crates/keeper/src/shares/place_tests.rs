//! What is shared is one service, and not whatever has its name.

use serde_json::{Value, json};
use uuid::Uuid;
use vault::Scope;

use super::tests::{Sharer, calendar, two};
use super::{ShareError, Terms};
use crate::relay::tests::liar::{Liar, Lie};

impl Sharer {
    /// Changes what is written down of a record that is `0x01 || JSON`.
    pub(super) async fn rewrites(&self, record: &str, change: impl FnOnce(&mut Value)) {
        let bytes = self.person.vault.get_record(record).unwrap().unwrap();
        let mut value = serde_json::from_slice(&bytes[1..]).unwrap();
        change(&mut value);
        let bytes = [&[1], value.to_string().as_bytes()].concat();
        self.person.vault.put_record(record, &bytes).await.unwrap();
    }

    fn is_elsewhere(&self, id: Uuid) -> bool {
        let given = self.shares.was_given(id).unwrap().unwrap();
        self.shares.shown(&given).unwrap()["elsewhere"] == true
    }
}

#[tokio::test]
async fn promise_07_another_service_of_the_same_name_is_not_what_was_shared() {
    let (relay, service, other) = (Liar::start(Lie::Honest), calendar().await, calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    assert!(bob.uses(id, "GET", "/work").await.is_ok());
    let before = anna.person.vault.get_record("route/calendar").unwrap().unwrap();

    // Another secret, another address, and another service after the first was deleted.
    anna.rewrites("route/calendar", |route| {
        route["secret"] = json!("0198a2c4-0000-7000-8000-000000000001");
    })
    .await;
    assert_eq!(bob.refused(id, "GET", "/work").await, "other_kind");
    anna.person.vault.put_record("route/calendar", &before).await.unwrap();
    anna.rewrites("route/calendar", |route| {
        route["base_url"] = json!(format!("http://{}", other.at));
    })
    .await;
    assert_eq!(bob.refused(id, "GET", "/work").await, "other_kind");
    anna.person.vault.delete_record("route/calendar").await.unwrap();
    assert!(anna.is_elsewhere(id));
    anna.connects(&other).await;
    assert_eq!(bob.refused(id, "GET", "/work").await, "other_kind");
    assert!(anna.is_elsewhere(id) && other.asked().is_empty());

    // What is not of which service it is stays: how it is asked about, and what it is for.
    anna.named.set([service.at.to_string()]);
    anna.person.vault.put_record("route/calendar", &before).await.unwrap();
    anna.rewrites("route/calendar", |route| {
        route["about"] = json!("Dates");
    })
    .await;
    assert!(bob.uses(id, "GET", "/work").await.is_ok());
    assert!(!anna.is_elsewhere(id));
}

#[tokio::test]
async fn promise_07_what_an_earlier_version_shared_is_of_the_service_that_is_there_when_the_vault_opens() {
    let (relay, service, other) = (Liar::start(Lie::Honest), calendar().await, calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let unbound = async |id: Uuid| {
        let forget = |given: &mut Value| {
            given.as_object_mut().unwrap().remove("place");
        };
        anna.rewrites(&format!("share/given/{id}"), forget).await;
    };
    let used = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    let kept = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(used).await;
    bob.gets(kept).await;
    unbound(used).await;
    assert!(bob.uses(used, "GET", "/work").await.is_ok());
    unbound(kept).await;
    anna.shares.offer_again().await;
    anna.connects(&other).await;
    for id in [used, kept] {
        assert_eq!(bob.refused(id, "GET", "/work").await, "other_kind");
    }
    // Nothing had the name when the vault opened: nothing that comes is it.
    let gone = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(gone).await;
    unbound(gone).await;
    anna.person.vault.delete_record("route/calendar").await.unwrap();
    anna.shares.offer_again().await;
    anna.connects(&other).await;
    assert_eq!(bob.refused(gone, "GET", "/work").await, "other_kind");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn promise_07_a_yes_to_share_one_service_shares_no_other_one() {
    let (relay, service, other) = (Liar::start(Lie::Honest), calendar().await, calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let place = Some(anna.shares.routes.get("calendar").unwrap().place());
    anna.connects(&other).await;
    let terms = Terms {
        place,
        ..anna.terms(&bob, &[Scope::Read])
    };
    let refused = anna.shares.issue(terms).await;
    assert!(matches!(refused, Err(ShareError::OtherKind)));
    assert!(anna.shares.given().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_that_a_newer_version_wrote_hides_nothing_else_that_is_shared() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    let newer = b"\xff{}";
    anna.person.vault.put_record("route/calendar", newer).await.unwrap();
    let given = anna.shares.given().unwrap();
    assert_eq!(anna.shares.shown(&given[0]).unwrap()["state"], "given");
    anna.shares.bind_all().await.unwrap();
    assert_eq!(bob.refused(id, "GET", "/work").await, "newer");
}
