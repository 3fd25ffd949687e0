//! Recovery by contacts, the whole ceremony: real keepers, each with its own vault; what lies between them is played by the test,
//! in good faith or not.

use client::{Channel, Events};
use protocol::recovery::ContactList;
use protocol::relay::MailboxKey;
use protocol::{SlotId, UserId, b64};
use serde_json::{Value, json};
use vault::{
    AgreementSecret, PublicIdentity, RELEASE_PURPOSE, RecoveryRequest, RecoveryShare, join_shares, open_sealed_to,
    social_secret,
};

use super::bench::{TestKeeper, end_of, refused};

const DAY: i64 = 24 * 60 * 60 * 1000;

struct Person {
    user: UserId,
    name: &'static str,
    keeper: TestKeeper,
    channel: Channel,
    _events: Events,
}

impl Person {
    async fn new(name: &'static str) -> Self {
        let (keeper, _, channel, events) = TestKeeper::with_vault().await;
        Self {
            user: UserId::new(),
            name,
            keeper,
            channel,
            _events: events,
        }
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        self.channel
            .call(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The code of a refusal.
    async fn refused(&self, method: &str, params: Value) -> String {
        let error = refused(self.channel.call(method, params).await);
        error.code().unwrap_or_default().to_owned()
    }

    async fn pins(&self, other: &Self) {
        let bundle = other.call("identity.get", json!({})).await["bundle"].clone();
        self.call(
            "contact.pin",
            json!({"user": other.user, "name": other.name, "bundle": bundle}),
        )
        .await;
    }
}

/// Ada and her contacts, who hold shares.
async fn ceremony(threshold: u8, wait_ms: u64, names: &[&'static str]) -> (Person, SlotId, Vec<Person>) {
    let ada = Person::new("Ada").await;
    let mut contacts = Vec::new();
    for name in names {
        let contact = Person::new(name).await;
        ada.pins(&contact).await;
        contacts.push(contact);
    }
    let users: Vec<UserId> = contacts.iter().map(|contact| contact.user).collect();
    let slot = ada.channel.set_recovery(threshold, wait_ms, &users).await.unwrap();
    deliver(&ada, &contacts).await;
    (ada, slot, contacts)
}

/// Carries Ada's letters to whom they are for.
async fn deliver(ada: &Person, contacts: &[Person]) {
    let letters = ada.call("post.outbox", json!({})).await;
    for letter in letters["letters"].as_array().unwrap() {
        let to = contacts
            .iter()
            .find(|contact| letter["to"] == json!(contact.user))
            .unwrap();
        let take = json!({"from": ada.user, "name": ada.name, "sealed": letter["sealed"]});
        to.call("post.take", take.clone()).await;
        // It may come twice.
        to.call("post.take", take).await;
        ada.call("post.sent", json!({"ids": [letter["id"]]})).await;
    }
    assert_eq!(ada.call("post.outbox", json!({})).await, json!({"letters": []}));
}

/// What the browser of somebody who is locked out makes.
struct Asking {
    key: AgreementSecret,
    request: RecoveryRequest,
}

impl Asking {
    fn new(ada: &Person, slot: SlotId) -> Self {
        let key = AgreementSecret::random();
        let request = RecoveryRequest {
            cell: ada.keeper.cell.uuid(),
            slot: slot.uuid(),
            key: key.public(),
            made: 0,
        };
        Self { key, request }
    }

    fn see(&self, ada: &Person) -> Value {
        json!({"user": ada.user, "request": b64::encode(self.request.encode())})
    }

    fn id(&self) -> Value {
        json!({"id": self.request.id()})
    }

    fn approve(&self) -> Value {
        json!({"id": self.request.id(), "code": self.request.code()})
    }

    fn open(&self, released: &Value) -> RecoveryShare {
        let sealed = b64::decode(released["sealed"].as_str().unwrap()).unwrap();
        let opened = open_sealed_to(&self.key, RELEASE_PURPOSE, &self.request.encode(), &sealed).unwrap();
        RecoveryShare::decode(&opened.message).unwrap()
    }
}

#[tokio::test]
async fn promise_08_three_of_five_contacts_open_a_vault_whose_password_is_lost() {
    let (ada, slot, contacts) = ceremony(3, DAY as u64, &["Bob", "Carol", "Dan", "Eve", "Frank"]).await;
    let record = ada.call("recovery.get", json!({})).await;
    assert_eq!(record["own"]["contacts"].as_array().unwrap().len(), 5);
    let Person { keeper, user, name, .. } = ada;
    // Ada's keeper starts again, locked: nobody there knows anything.
    let keeper = keeper.restarted().await;
    let asking = {
        let key = AgreementSecret::random();
        let request = RecoveryRequest {
            cell: keeper.cell.uuid(),
            slot: slot.uuid(),
            key: key.public(),
            made: 0,
        };
        Asking { key, request }
    };
    let see = json!({"user": user, "request": b64::encode(asking.request.encode())});
    let mut shares = Vec::new();
    for contact in &contacts[1..4] {
        let seen = contact.call("recovery.see", see.clone()).await;
        assert_eq!(
            (&seen["answer"], &seen["releases_at"], &seen["name"]),
            (&json!("open"), &json!(DAY), &json!(name))
        );
        contact.call("recovery.approve", asking.approve()).await;
        contact.keeper.clock.forward(DAY);
        shares.push(asking.open(&contact.call("recovery.release", asking.id()).await));
    }
    assert!(join_shares(&shares[..2]).is_err(), "two are too few");
    let joined = join_shares(&shares).unwrap();
    let secret = social_secret(&joined.secret);
    let (channel, _events) = keeper.login(slot, &secret, None).await.unwrap();
    channel.unlock().await.unwrap();
    // And a new password is set, in place of the forgotten one.
    let slots = channel.call("vault.status", json!({})).await.unwrap()["slots"].clone();
    let old = slots
        .as_array()
        .unwrap()
        .iter()
        .find(|slot| slot["kind"] == "password")
        .unwrap()["id"]
        .clone();
    let password = client::password_secret("a new password that is remembered").unwrap();
    let new = client::NewSlot {
        kind: protocol::channel::SlotKind::Password,
        name: None,
        passkey: None,
        secret: &password,
        replaces: Some(serde_json::from_value(old).unwrap()),
    };
    let slot = channel.add_slot(new).await.unwrap();
    let (channel, _events) = keeper.login(slot, &password, None).await.unwrap();
    channel.unlock().await.unwrap();
}

#[tokio::test]
async fn promise_02_the_waiting_time_is_kept_by_the_contacts_keepers_and_nothing_is_released_before_it() {
    let (ada, slot, contacts) = ceremony(2, DAY as u64, &["Bob", "Carol"]).await;
    let asking = Asking::new(&ada, slot);
    let bob = &contacts[0];
    // A platform that leaves steps out, or does them all at once, gets nothing.
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "unknown_request");
    bob.call("recovery.see", asking.see(&ada)).await;
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "not_approved");
    bob.call("recovery.approve", asking.approve()).await;
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "too_early");
    bob.keeper.clock.forward(DAY - 1);
    // Showing it again does not start, and does not shorten, the time.
    let seen = bob.call("recovery.see", asking.see(&ada)).await;
    assert_eq!(seen["releases_at"], DAY);
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "too_early");
    bob.keeper.clock.forward(1);
    bob.call("recovery.release", asking.id()).await;
}

#[tokio::test]
async fn promise_02_a_platform_that_swaps_the_key_of_a_request_gets_no_share() {
    let (ada, slot, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let bob = &contacts[0];
    let honest = Asking::new(&ada, slot);
    let swapped = Asking::new(&ada, slot);
    // The contact is shown another request than the one whose digits Ada reads out.
    bob.call("recovery.see", swapped.see(&ada)).await;
    let typed = json!({"id": swapped.request.id(), "code": honest.request.code()});
    assert_eq!(bob.refused("recovery.approve", typed).await, "code_differs");
    assert_eq!(bob.refused("recovery.release", swapped.id()).await, "not_approved");
    // Nor under the name of somebody else, or for another slot.
    let other = json!({"user": UserId::new(), "request": b64::encode(honest.request.encode())});
    assert_eq!(bob.refused("recovery.see", other).await, "not_held");
    let elsewhere = Asking::new(&ada, SlotId::new());
    assert_eq!(bob.refused("recovery.see", elsewhere.see(&ada)).await, "not_held");
}

#[tokio::test]
async fn promise_02_an_old_request_that_is_brought_up_again_is_refused() {
    let (ada, slot, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let asking = Asking::new(&ada, slot);
    let (bob, carol) = (&contacts[0], &contacts[1]);
    bob.call("recovery.see", asking.see(&ada)).await;
    bob.call("recovery.approve", asking.approve()).await;
    for keeper in [&bob.keeper, &carol.keeper] {
        keeper.clock.forward(7 * DAY + 1);
    }
    bob.call("vault.status", json!({})).await;
    // To one who has seen it before, and to one who has not.
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "request_expired");
    assert_eq!(carol.refused("recovery.see", asking.see(&ada)).await, "request_expired");
}

#[tokio::test]
async fn promise_09_what_the_owner_has_stopped_is_never_released() {
    let (ada, slot, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let asking = Asking::new(&ada, slot);
    let (bob, carol) = (&contacts[0], &contacts[1]);
    bob.call("recovery.see", asking.see(&ada)).await;
    bob.call("recovery.approve", asking.approve()).await;
    ada.call("recovery.stop", asking.id()).await;
    deliver(&ada, &contacts).await;
    assert_eq!(bob.refused("recovery.release", asking.id()).await, "request_stopped");
    // Carol hears of the stop first, and of the request from a platform that does not care.
    let seen = carol.call("recovery.see", asking.see(&ada)).await;
    assert_eq!(seen["answer"], "stopped");
    assert_eq!(
        carol.refused("recovery.approve", asking.approve()).await,
        "request_stopped"
    );
    assert_eq!(carol.refused("recovery.release", asking.id()).await, "request_stopped");
}

#[tokio::test]
async fn contacts_are_told_of_a_stop_once_however_often_a_browser_passes_it_on() {
    let (ada, slot, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let (first, second) = (Asking::new(&ada, slot), Asking::new(&ada, slot));
    for _ in 0..3 {
        ada.call("recovery.stop", first.id()).await;
    }
    let letters = async || {
        ada.call("post.outbox", json!({})).await["letters"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(letters().await, 2);
    deliver(&ada, &contacts).await;
    ada.call("recovery.stop", first.id()).await;
    assert_eq!(letters().await, 0);
    // Of another request they are told, too.
    ada.call("recovery.stop", second.id()).await;
    assert_eq!(letters().await, 2);
}

#[tokio::test]
async fn promise_08_the_list_of_contacts_is_signed_by_the_vault_and_a_later_one_is_known_by_its_time() {
    let (ada, _, contacts) = ceremony(2, 5, &["Bob", "Carol"]).await;
    let bundle = ada.call("identity.get", json!({})).await["bundle"].clone();
    let bundle = b64::decode(bundle.as_str().unwrap()).unwrap();
    let key = MailboxKey(PublicIdentity::decode(&bundle).unwrap().signing_key());
    let told = |own: &Value| ContactList {
        cell: ada.keeper.cell,
        slot: serde_json::from_value(own["slot"].clone()).unwrap(),
        made: own["made"].as_i64().unwrap(),
        threshold: 2,
        wait_ms: 5,
        contacts: contacts.iter().map(|contact| contact.user).collect(),
    };
    let signature = |own: &Value| {
        let bytes = b64::decode(own["signature"].as_str().unwrap()).unwrap();
        <[u8; 64]>::try_from(bytes).unwrap()
    };
    let first = ada.call("recovery.get", json!({})).await["own"].clone();
    assert!(told(&first).is_signed(key, &signature(&first)));
    let mut other = told(&first);
    other.contacts.pop();
    assert!(!other.is_signed(key, &signature(&first)));
    // The clock of this test stands.
    let users: Vec<UserId> = contacts.iter().map(|contact| contact.user).collect();
    ada.channel.set_recovery(2, 5, &users).await.unwrap();
    let second = ada.call("recovery.get", json!({})).await["own"].clone();
    assert!(told(&second).is_signed(key, &signature(&second)));
    assert!(told(&second).made > told(&first).made);
}

#[tokio::test]
async fn a_recovery_that_is_ended_leaves_nobody_to_ask_and_nothing_to_hold() {
    let (ada, slot, contacts) = ceremony(2, 5, &["Bob", "Carol"]).await;
    let set_up = ada.call("recovery.get", json!({})).await;
    assert_eq!(set_up["ended"], json!(null));
    ada.channel.remove_slot(slot).await.unwrap();
    let after = ada.call("recovery.get", json!({})).await;
    assert_eq!(after["own"], json!(null));
    // An empty list, later than the one before, and signed as that was.
    let ended = &after["ended"];
    assert_eq!((&ended["contacts"], &ended["threshold"]), (&json!([]), &json!(0)));
    assert!(ended["made"].as_i64() > set_up["own"]["made"].as_i64());
    let bundle = ada.call("identity.get", json!({})).await["bundle"].clone();
    let bundle = b64::decode(bundle.as_str().unwrap()).unwrap();
    let key = MailboxKey(PublicIdentity::decode(&bundle).unwrap().signing_key());
    let list = ContactList {
        cell: ada.keeper.cell,
        slot,
        made: ended["made"].as_i64().unwrap(),
        threshold: 0,
        wait_ms: 0,
        contacts: Vec::new(),
    };
    let signature = b64::decode(ended["signature"].as_str().unwrap()).unwrap();
    assert!(list.is_signed(key, &signature.try_into().unwrap()));
    deliver(&ada, &contacts).await;
    for contact in &contacts {
        assert_eq!(contact.call("recovery.get", json!({})).await["held"], json!([]));
    }
    // Another one is later than both.
    ada.channel
        .set_recovery(2, 5, &[contacts[0].user, contacts[1].user])
        .await
        .unwrap();
    let again = ada.call("recovery.get", json!({})).await;
    assert!(again["own"]["made"].as_i64() > ended["made"].as_i64());
    assert_eq!(again["ended"], json!(null));
    deliver(&ada, &contacts).await;
    assert_eq!(
        contacts[0].call("recovery.get", json!({})).await["held"][0]["user"],
        json!(ada.user)
    );
}

#[tokio::test]
async fn promise_08_a_replaced_recovery_is_worth_nothing() {
    let (ada, old_slot, contacts) = ceremony(2, 0, &["Bob", "Carol", "Dan"]).await;
    let before = Asking::new(&ada, old_slot);
    let (bob, carol, dan) = (&contacts[0], &contacts[1], &contacts[2]);
    for contact in [bob, carol] {
        contact.call("recovery.see", before.see(&ada)).await;
        contact.call("recovery.approve", before.approve()).await;
    }
    let early = vec![before.open(&bob.call("recovery.release", before.id()).await)];
    // Dan is not asked again.
    let slot = ada.channel.set_recovery(2, 0, &[bob.user, carol.user]).await.unwrap();
    deliver(&ada, &contacts).await;
    assert_eq!(carol.refused("recovery.release", before.id()).await, "not_held");
    assert_eq!(dan.call("recovery.get", json!({})).await["held"], json!([]));
    let after = Asking::new(&ada, slot);
    let mut shares = early;
    for contact in [bob, carol] {
        contact.call("recovery.see", after.see(&ada)).await;
        contact.call("recovery.approve", after.approve()).await;
        shares.push(after.open(&contact.call("recovery.release", after.id()).await));
    }
    let joined = join_shares(&shares).unwrap();
    assert_eq!(joined.wrong, [0], "the share of the replaced recovery is named");
    // The old slot is gone with its shares.
    assert!(
        ada.keeper
            .login(old_slot, &social_secret(&joined.secret), None)
            .await
            .is_err()
    );
    ada.keeper
        .login(slot, &social_secret(&joined.secret), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn promise_09_who_came_in_through_a_recovery_that_is_replaced_has_to_leave_but_for_who_replaces_it() {
    let (ada, slot, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let users = [contacts[0].user, contacts[1].user];
    let asking = Asking::new(&ada, slot);
    let mut shares = Vec::new();
    for contact in &contacts {
        contact.call("recovery.see", asking.see(&ada)).await;
        contact.call("recovery.approve", asking.approve()).await;
        shares.push(asking.open(&contact.call("recovery.release", asking.id()).await));
    }
    let secret = social_secret(&join_shares(&shares).unwrap().secret);
    let (one, mut events_of_one) = ada.keeper.login(slot, &secret, None).await.unwrap();
    let (other, mut events_of_other) = ada.keeper.login(slot, &secret, None).await.unwrap();
    one.unlock().await.unwrap();
    let stale = [one.ticket().unwrap(), other.ticket().unwrap()];

    one.set_recovery(2, 0, &users).await.unwrap();
    let end = end_of(&mut events_of_other).await;
    assert!(end.to_string().contains("replaced"), "{end}");
    // Who replaced it goes on, with a ticket of the new way in.
    let ready = async { while events_of_one.next().await.unwrap().unwrap().event != "ready" {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), ready)
        .await
        .unwrap();
    one.call("vault.status", json!({})).await.unwrap();
    for ticket in &stale {
        let error = refused(ada.keeper.handshake(None).await.resume(ticket).await);
        assert_eq!(error.code(), Some("ticket_unknown"));
    }
    let (_resumed, _events) = ada
        .keeper
        .handshake(None)
        .await
        .resume(&one.ticket().unwrap())
        .await
        .unwrap();
    // And who came in another way and replaces it ends them all.
    ada.channel.set_recovery(2, 0, &users).await.unwrap();
    let end = end_of(&mut events_of_one).await;
    assert!(end.to_string().contains("replaced"), "{end}");
}

#[tokio::test]
async fn promise_02_letters_are_taken_from_the_keys_that_are_known_and_from_no_others() {
    let (ada, _, contacts) = ceremony(2, 0, &["Bob", "Carol"]).await;
    let (bob, carol) = (&contacts[0], &contacts[1]);
    let held = bob.call("recovery.get", json!({})).await["held"].clone();
    // Mallory is somebody of the organisation, and the platform says that his letter is Ada's.
    let mallory = Person::new("Mallory").await;
    for contact in [bob, carol] {
        mallory.pins(contact).await;
    }
    mallory
        .channel
        .set_recovery(2, 0, &[bob.user, carol.user])
        .await
        .unwrap();
    let letters = mallory.call("post.outbox", json!({})).await["letters"].clone();
    let to_bob = letters
        .as_array()
        .unwrap()
        .iter()
        .find(|letter| letter["to"] == json!(bob.user))
        .unwrap();
    let forged = json!({"from": ada.user, "name": "Ada", "sealed": to_bob["sealed"]});
    assert_eq!(bob.refused("post.take", forged).await, "identity_changed");
    // A letter for Bob is nothing to Carol.
    let misdelivered = json!({"from": mallory.user, "name": "Mallory", "sealed": to_bob["sealed"]});
    assert_eq!(carol.refused("post.take", misdelivered).await, "message_refused");
    assert_eq!(bob.call("recovery.get", json!({})).await["held"], held);
}

#[tokio::test]
async fn promise_02_a_contact_whose_keys_were_swapped_is_not_given_a_share() {
    let ada = Person::new("Ada").await;
    let (bob, carol, mallory) = (
        Person::new("Bob").await,
        Person::new("Carol").await,
        Person::new("Mallory").await,
    );
    ada.pins(&bob).await;
    ada.pins(&carol).await;
    // The platform hands out Mallory's keys as Bob's: the ones that Ada has pinned count.
    let bundle = mallory.call("identity.get", json!({})).await["bundle"].clone();
    let swapped = json!({"user": bob.user, "name": "Bob", "bundle": bundle});
    assert_eq!(ada.refused("contact.pin", swapped).await, "identity_changed");
    ada.channel.set_recovery(2, 0, &[bob.user, carol.user]).await.unwrap();
    let letters = ada.call("post.outbox", json!({})).await["letters"].clone();
    let to_bob = letters
        .as_array()
        .unwrap()
        .iter()
        .find(|letter| letter["to"] == json!(bob.user))
        .unwrap();
    let taken = json!({"from": ada.user, "name": "Ada", "sealed": to_bob["sealed"]});
    assert_eq!(mallory.refused("post.take", taken.clone()).await, "message_refused");
    bob.call("post.take", taken).await;
    // Nobody who is not pinned can be asked at all, and nobody twice.
    let unknown = refused(ada.channel.set_recovery(2, 0, &[bob.user, UserId::new()]).await);
    assert_eq!(unknown.code(), Some("unknown_contact"));
    let twice = refused(ada.channel.set_recovery(2, 0, &[bob.user, bob.user]).await);
    assert_eq!(twice.code(), Some("recovery_invalid"));
    let too_many = refused(ada.channel.set_recovery(3, 0, &[bob.user, carol.user]).await);
    assert_eq!(too_many.code(), Some("recovery_invalid"));
}
