use super::liar::{Liar, Lie};
use super::person::Person;

async fn two(lie: Lie) -> (Liar, Person, Person) {
    let relay = Liar::start(lie);
    let (ada, bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    // It lies to those who are connected.
    while relay.connections() < 2 {
        tokio::task::yield_now().await;
    }
    (relay, ada, bob)
}

#[tokio::test]
async fn promise_02_a_relay_that_drops_is_named() {
    let (_relay, ada, mut bob) = two(Lie::Drop(2)).await;
    for number in 1..=3 {
        ada.send(&bob, &[number]).await;
    }
    assert_eq!(bob.take().await, [1]);
    assert_eq!(
        bob.odd().await,
        "number 2 is missing before number 3: kept back, lost, or out of order"
    );
}

#[tokio::test]
async fn promise_02_a_relay_that_reorders_is_named_and_the_order_is_kept() {
    let (_relay, ada, mut bob) = two(Lie::Late(2)).await;
    for number in 1..=3 {
        ada.send(&bob, &[number]).await;
    }
    for number in 1..=3 {
        assert_eq!(bob.take().await, [number]);
    }
    assert!(bob.odd().await.contains("number 2 is missing before number 3"));
}

#[tokio::test]
async fn promise_02_a_relay_that_repeats_is_named_and_nothing_is_done_twice() {
    let (_relay, ada, mut bob) = two(Lie::Twice).await;
    for number in 1..=3 {
        ada.send(&bob, &[number]).await;
    }
    for number in 1..=3 {
        assert_eq!(bob.take().await, [number]);
    }
    assert!(bob.wrong().await.contains("again"));
    assert!(bob.arriving.is_empty());
}

#[tokio::test]
async fn promise_02_what_a_relay_invents_is_named_and_not_believed() {
    let (_relay, ada, mut bob) = two(Lie::Invent).await;
    ada.send(&bob, b"true").await;
    assert_eq!(bob.take().await, b"true");
    assert!(bob.odd().await.contains("nobody has sealed"));
    assert!(bob.arriving.is_empty());
}

#[tokio::test]
async fn promise_02_another_relay_in_the_place_of_the_first_is_named() {
    let (relay, _ada, mut bob) = two(Lie::Honest).await;
    let carol = Person::at(&relay.socket).await;
    carol.send(&bob, b"hello").await;
    assert_eq!(bob.take().await, b"hello");
    relay.be_another();
    relay.hang_up(bob.key());
    assert!(bob.odd().await.contains("another relay"));
}
