//! Two keepers and a relay between them: what the one shares, the other uses, until it is taken back.

use std::future::pending;
use std::sync::Arc;

use futures::FutureExt as _;
use protocol::{SecretId, UserId};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;
use vault::{Capability, Constraints, Resource, Scope};

use super::message::Message;
use super::{ShareError, Shares, Standing, Terms, UseReceived};
use crate::activity::{Deed, What};
use crate::broker::tests::provider::{Provider, whole};
use crate::clock::{Clock as _, SystemClock};
use crate::contacts::Contacts;
use crate::egress::NamedAddresses;
use crate::limits;
use crate::relay::Courier as _;
use crate::relay::tests::liar::{Liar, Lie};
use crate::relay::tests::person::Person;
use crate::secrets::{AgentMay, Secret, SecretKind};
use crate::services::Services;
use crate::vault_service::VaultError;

pub(super) const HOUR: i64 = 3_600_000;
pub(super) const KEY: &str = "canary-0123456789";

pub(super) struct Sharer {
    pub person: Person,
    pub user: UserId,
    pub shares: Shares,
    contacts: Contacts,
    pub named: NamedAddresses,
    carrying: JoinHandle<()>,
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Sharer {
    pub async fn at(relay: &Liar) -> Self {
        let person = Person::at(&relay.socket).await;
        let (named, clock) = (NamedAddresses::default(), Arc::new(SystemClock));
        let services = Services::new(
            &person.vault,
            clock.clone(),
            &named,
            named.clone(),
            person.relay.clone(),
        );
        let shares = services.shares;
        Self {
            carrying: tokio::spawn(shares.carry()),
            user: UserId::new(),
            contacts: Contacts::new(person.vault.clone(), clock),
            shares,
            named,
            person,
        }
    }

    pub async fn knows(&self, other: &Self, name: &str) {
        let bundle = other.person.identity.encode();
        self.contacts.pin(other.user, name, &bundle).await.unwrap();
    }

    /// Connects a service under the name `calendar`.
    pub async fn connects(&self, service: &Provider) {
        self.named.set([service.at.to_string()]);
        let secret = Secret {
            id: SecretId::new(),
            name: "Key".to_owned(),
            kind: SecretKind::ApiKey,
            agent: AgentMay::Use,
            username: String::new(),
            url: String::new(),
            value: SecretString::from(KEY),
            changed: 0,
        };
        let inject = json!({"as": "header", "name": "x-api-key", "prefix": ""});
        let route = json!({"base_url": format!("http://{}", service.at), "secret": secret.id, "inject": inject});
        let route = [&[1], route.to_string().as_bytes()].concat();
        let records = vec![
            (Secret::record(secret.id), Some(secret.encode())),
            ("route/calendar".to_owned(), Some(route)),
        ];
        self.person.vault.put_records(records).await.unwrap();
    }

    /// Connects a server of tools, of which these may be called; or the same address as a plain service, with null.
    pub async fn connects_tools(&self, name: &str, at: std::net::SocketAddr, tools: Value) {
        self.named.set([at.to_string()]);
        let id = format!("{:?}", self.person.vault.list_records("secret/").unwrap());
        let id: SecretId = id
            .trim_matches(['[', ']', '"'])
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let inject = json!({"as": "header", "name": "x-api-key", "prefix": ""});
        let route = json!({"base_url": format!("http://{at}/mcp"), "secret": id, "inject": inject, "tools": tools});
        let version: u8 = if tools.is_null() { 1 } else { 2 };
        let route = [&[version], route.to_string().as_bytes()].concat();
        self.person
            .vault
            .put_record(&format!("route/{name}"), &route)
            .await
            .unwrap();
    }

    pub fn terms(&self, other: &Self, scope: &[Scope]) -> Terms {
        Terms {
            with: other.user,
            resource: Resource::parse("service/calendar/work").unwrap(),
            scope: scope.iter().copied().collect(),
            until: SystemClock.now() + HOUR,
            constraints: Constraints::default(),
            place: None,
            cached: None,
        }
    }

    pub async fn shares_with(&self, other: &Self, scope: &[Scope]) -> Capability {
        let terms = self.terms(other, scope);
        self.shares.issue(terms).await.unwrap().capability
    }

    /// Nothing here hears what comes: the vault is locked, or its cell asleep.
    pub fn falls_asleep(&self) {
        self.carrying.abort();
    }

    /// As at the next unlock, or after the keeper was killed.
    pub fn opens_again(&mut self) {
        self.carrying.abort();
        self.carrying = tokio::spawn(self.shares.carry());
    }

    /// A record, as it is in the vault.
    fn written(&self, record: &str) -> String {
        let record = self.person.vault.get_record(record).unwrap().unwrap();
        String::from_utf8(record[1..].to_vec()).unwrap()
    }

    /// What did not arrive, as the activity says it: with whom, why, and how often.
    fn undelivered(&self) -> Vec<Value> {
        let entries = json!(self.shares.activity.entries(None).unwrap());
        let lost = entries.as_array().unwrap().iter();
        lost.filter(|entry| entry["what"] == "not_delivered")
            .map(|entry| json!([entry["to"], entry["why"], entry["count"]]))
            .collect()
    }

    /// Waits until something about what is shared makes this true.
    pub async fn until(&self, what: impl Fn(&Shares) -> bool) {
        let mut changes = self.shares.changes();
        while !what(&self.shares) {
            changes.changed().await.unwrap();
        }
    }

    pub async fn gets(&self, id: Uuid) {
        self.until(|shares| shares.one_received(id).is_ok()).await;
    }

    pub async fn uses(&self, id: Uuid, method: &str, path: &str) -> Result<String, ShareError> {
        let call = UseReceived {
            id,
            method: method.to_owned(),
            path: Some(path.to_owned()),
            query: String::new(),
            content_type: String::new(),
            body: String::new(),
            live: false,
        };
        let answered = self.shares.use_received(call).await?;
        Ok(String::from_utf8(answered.answer.body).unwrap())
    }

    /// The code of the refusal.
    pub async fn refused(&self, id: Uuid, method: &str, path: &str) -> String {
        match self.uses(id, method, path).await {
            Ok(said) => panic!("answered: {said}"),
            Err(error) => error.code().to_owned(),
        }
    }

    fn shown(&self) -> Value {
        let given = self.shares.given().unwrap();
        self.shares.shown(&given[0]).unwrap()
    }
}

pub(super) async fn calendar() -> Provider {
    Provider::start(|asked| {
        let key = asked.headers.get("x-api-key").and_then(|key| key.to_str().ok());
        let said = format!("{} with {}", asked.line, key.unwrap_or("no key"));
        Box::pin(async move { whole(200, said) })
    })
    .await
}

/// Anna, who has a calendar, and Bob, who know each other.
pub(super) async fn two(relay: &Liar, service: &Provider) -> (Sharer, Sharer) {
    let (anna, bob) = (Sharer::at(relay).await, Sharer::at(relay).await);
    anna.connects(service).await;
    anna.knows(&bob, "Bob").await;
    bob.knows(&anna, "Anna").await;
    (anna, bob)
}

#[tokio::test]
async fn promise_09_what_is_shared_is_read_through_its_owners_keeper_until_it_is_taken_back() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    anna.until(|shares| shares.given().unwrap()[0].arrived.is_some()).await;
    let said = bob.uses(id, "GET", "/work/today").await.unwrap();
    assert!(
        said.starts_with("GET /work/today with ") && !said.contains(KEY),
        "{said}"
    );
    assert_eq!(service.asked()[0].headers["x-api-key"], KEY);
    assert_eq!(
        (&anna.shown()["calls"], &anna.shown()["state"]),
        (&json!(1), &json!("given"))
    );

    assert_eq!(bob.refused(id, "POST", "/work/today").await, "scope");
    assert_eq!(bob.refused(id, "GET", "/private").await, "other_resource");
    assert_eq!(bob.refused(Uuid::now_v7(), "GET", "/work").await, "not_received");

    anna.shares.revoke(id).await.unwrap();
    assert_eq!(bob.refused(id, "GET", "/work/today").await, "revoked");
    // And Bob's own vault is told, so that he need not try.
    let stopped = |shares: &Shares| {
        let received = shares.one_received(id).unwrap();
        shares.standing(&received).unwrap() == Standing::Stopped
    };
    bob.until(stopped).await;
    assert_eq!(anna.shown()["state"], "stopped");
    assert_eq!(service.asked().len(), 1);
    bob.shares.forget_received(id).await.unwrap();
    assert!(bob.shares.received().unwrap().is_empty());
}

#[tokio::test]
async fn whoever_is_known_may_ask_for_something_in_words() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let stranger = Sharer::at(&relay).await;
    stranger.knows(&anna, "Anna").await;
    stranger.shares.ask(anna.user, "Everything, please.").await.unwrap();
    bob.shares.ask(anna.user, "Your calendar until Friday?").await.unwrap();
    assert!(matches!(bob.shares.ask(anna.user, " ").await, Err(ShareError::Words)));
    anna.until(|shares| !shares.asked().unwrap().is_empty()).await;
    let asked = anna.shares.asked().unwrap();
    assert_eq!(
        asked
            .iter()
            .map(|each| (each.name.as_str(), each.words.as_str()))
            .collect::<Vec<_>>(),
        [("Bob", "Your calendar until Friday?")]
    );
    anna.shares.dismiss(asked[0].id).await.unwrap();
    assert!(anna.shares.asked().unwrap().is_empty());
}

#[tokio::test]
async fn promise_07_somebody_else_with_the_same_capability_is_refused() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let carol = Sharer::at(&relay).await;
    anna.knows(&carol, "Carol").await;
    carol.knows(&anna, "Anna").await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    // Bob gives his record away, byte for byte.
    let record = format!("share/received/{id}");
    let stolen = bob.person.vault.get_record(&record).unwrap().unwrap();
    carol.person.vault.put_record(&record, &stolen).await.unwrap();
    assert_eq!(carol.refused(id, "GET", "/work").await, "not_held");
    assert!(service.asked().is_empty());
    assert!(bob.uses(id, "GET", "/work").await.is_ok());
}

#[tokio::test]
async fn the_activity_says_what_was_shared_and_used_and_who_was_refused_by_their_names() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let carol = Sharer::at(&relay).await;
    anna.knows(&carol, "Carol").await;
    carol.knows(&anna, "Anna").await;
    let given = anna.shares_with(&bob, &[Scope::Read]).await;
    let record = format!("share/received/{}", given.jti);
    bob.gets(given.jti).await;
    bob.uses(given.jti, "GET", "/work").await.unwrap();
    let stolen = bob.person.vault.get_record(&record).unwrap().unwrap();
    carol.person.vault.put_record(&record, &stolen).await.unwrap();
    assert_eq!(carol.refused(given.jti, "GET", "/work").await, "not_held");

    let entries = json!(anna.shares.activity.entries(None).unwrap());
    let of = |what: What| {
        let mut of_it = entries.as_array().unwrap().iter();
        of_it.find(|entry| entry["what"] == json!(what)).unwrap()
    };
    let shared = of(What::Shared);
    assert_eq!(shared["to"], "Bob");
    assert_eq!(
        shared["asked"],
        json!({"kind": "share", "service": "calendar", "scope": ["read"], "until": given.exp})
    );
    assert_eq!(
        (&of(What::ShareUsed)["to"], &of(What::ShareUsed)["why"]),
        (&json!("Bob"), &json!("calendar"))
    );
    let refused = of(What::ShareRefused);
    assert_eq!((&refused["to"], &refused["why"]), (&json!("Carol"), &json!("not_held")));
}

#[tokio::test]
async fn promise_07_an_offer_of_what_is_not_the_senders_or_not_for_this_vault_is_not_kept() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let mallory = Sharer::at(&relay).await;
    let real = anna.shares_with(&bob, &[Scope::Read]).await;
    bob.gets(real.jti).await;
    bob.shares.forget_received(real.jti).await.unwrap();
    // Anna's, brought by Mallory; and Bob's, brought to Mallory. Then something that shows that both were heard.
    for (from, to) in [(&mallory, &bob), (&anna, &mallory)] {
        let capability = Box::new(real.clone());
        let offer = Message::Offer {
            capability,
            group: None,
        };
        let offer = offer.to(&to.person.identity, Vec::new());
        from.person.relay.send(offer).await.unwrap();
        mallory.connects(&service).await;
        from.knows(to, "Somebody").await;
        let heard = from.shares_with(to, &[Scope::Read]).await.jti;
        to.gets(heard).await;
        assert!(to.shares.one_received(real.jti).is_err());
    }
    // What a stranger offers is there and cannot be used before Bob knows them.
    let theirs = bob.shares.received().unwrap().remove(0);
    assert_eq!(bob.shares.standing(&theirs).unwrap(), Standing::UnknownOwner);
    assert_eq!(
        bob.refused(theirs.capability.jti, "GET", "/work").await,
        "unknown_contact"
    );
}

#[tokio::test]
async fn promise_05_an_offer_that_was_lost_is_made_again() {
    let (relay, service) = (Liar::start(Lie::Refuse(1)), calendar().await);
    let (mut anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    anna.until(|shares| shares.given().unwrap()[0].lost).await;
    assert_eq!(anna.shown()["lost"], true);
    assert_eq!(anna.undelivered(), [json!(["Bob", "mailbox_full", 1])]);
    anna.opens_again();
    bob.gets(id).await;
    assert!(bob.uses(id, "GET", "/work").await.is_ok());
    assert!(anna.shown().get("lost").is_none());
}

#[tokio::test]
async fn who_asks_in_words_is_told_that_they_did_not_arrive() {
    let (relay, service) = (Liar::start(Lie::Refuse(1)), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    bob.shares.ask(anna.user, "Your calendar until Friday?").await.unwrap();
    bob.until(|_| bob.undelivered() == [json!(["Anna", "mailbox_full", 1])])
        .await;
    assert!(bob.person.vault.list_records("relay/lost/").unwrap().is_empty());
    assert!(anna.shares.asked().unwrap().is_empty());
}

#[tokio::test]
async fn promise_05_what_was_lost_while_nobody_heard_of_it_is_seen_to_when_it_begins_again() {
    let (relay, service) = (Liar::start(Lie::Refuse(1)), calendar().await);
    let (mut anna, bob) = two(&relay, &service).await;
    // The keeper ends in the moment in which it has written that nothing is under way any more.
    anna.falls_asleep();
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    while !anna.person.vault.list_records("relay/out/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!anna.shares.given().unwrap()[0].lost && anna.undelivered().is_empty());
    anna.opens_again();
    bob.gets(id).await;
    assert_eq!(anna.undelivered(), [json!(["Bob", "mailbox_full", 1])]);
    assert!(anna.person.vault.list_records("relay/lost/").unwrap().is_empty());
}

#[tokio::test]
async fn promise_05_an_offer_of_which_nothing_was_heard_for_a_week_is_made_again_once() {
    let (relay, service) = (Liar::start(Lie::Drop(1)), calendar().await);
    let (mut anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    while !anna.person.vault.list_records("relay/out/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // Not before its time.
    let now = SystemClock.now();
    let mut given = anna.shares.given().unwrap().remove(0);
    assert!(!given.is_to_be_offered(now));
    given.offered = Some(now - 7 * 24 * HOUR);
    assert!(given.is_to_be_offered(now));
    anna.person.vault.put_records(vec![given.record()]).await.unwrap();
    anna.opens_again();
    bob.gets(id).await;
    assert!(!anna.shares.given().unwrap()[0].is_to_be_offered(now));
}

#[tokio::test]
async fn promise_09_what_broke_off_after_something_was_kept_is_done_at_the_next_unlock() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, mut bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    anna.until(|shares| shares.given().unwrap()[0].arrived.is_some()).await;
    let mut there = bob.shares.one_received(id).unwrap();
    assert!(!there.unsaid);
    // As the write leaves it in which it is kept: Anna is not followed, and does not know that it has arrived.
    bob.shares.forget_received(id).await.unwrap();
    let offered = bob
        .shares
        .take_offer(&anna.person.identity, &there.capability, None)
        .await;
    let (name, kept) = offered.unwrap().remove(0);
    bob.person.vault.put_record(&name, &kept.unwrap()).await.unwrap();
    there.unsaid = true;
    assert!(bob.shares.one_received(id).unwrap().is_the_same(&there) && bob.shares.one_received(id).unwrap().unsaid);
    assert!(bob.person.vault.list_records("relay/issuer/").unwrap().is_empty());
    let mut given = anna.shares.given().unwrap().remove(0);
    given.arrived = None;
    anna.person.vault.put_records(vec![given.record()]).await.unwrap();
    bob.carrying.abort();
    bob.carrying = tokio::spawn(bob.shares.carry());
    anna.until(|shares| shares.given().unwrap()[0].arrived.is_some()).await;
    assert_eq!(bob.person.vault.list_records("relay/issuer/").unwrap().len(), 1);
    assert!(!bob.shares.one_received(id).unwrap().unsaid);
}

#[tokio::test]
async fn promise_12_nobody_is_followed_of_whom_nothing_is_left() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let mallory = Sharer::at(&relay).await;
    mallory.connects(&service).await;
    mallory.knows(&bob, "Bob").await;
    let theirs = mallory.shares_with(&bob, &[Scope::Read]).await.jti;
    let kept = |shares: &Shares| shares.given().unwrap()[0].arrived.is_some();
    mallory.until(kept).await;
    // It ended long ago, and goes when something else comes.
    let mut old = bob.shares.one_received(theirs).unwrap();
    old.capability.exp = 0;
    bob.person.vault.put_records(vec![old.record()]).await.unwrap();
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    anna.until(kept).await;
    assert!(bob.shares.one_received(id).is_ok() && bob.shares.one_received(theirs).is_err());
    assert_eq!(bob.person.vault.list_records("relay/issuer/").unwrap().len(), 1);
}

#[tokio::test]
async fn promise_02_that_the_relay_lies_stands_in_the_activity() {
    let noted = |shares: &Shares, what: &str| {
        let entries = json!(shares.activity.entries(None).unwrap());
        let entries = entries.as_array().unwrap().clone();
        entries
            .iter()
            .any(|entry| entry["what"] == what && entry["to"] == "Anna" && entry["why"].is_null())
    };
    let (relay, service) = (Liar::start(Lie::Twice), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let held = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(held).await;
    bob.until(|shares| noted(shares, "relay_wrong")).await;
    // An epoch of Anna's is kept back: what she has taken back is not known for certain.
    relay.now(Lie::Skip(2));
    for _ in 0..3 {
        let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
        bob.gets(id).await;
        anna.shares.revoke(id).await.unwrap();
    }
    bob.until(|shares| noted(shares, "revocations_unknown")).await;
    // Until it is, nothing of hers can be used, and nothing is thrown away.
    let held = bob.shares.one_received(held).unwrap();
    assert_eq!(bob.shares.standing(&held).unwrap(), Standing::Stopped);
    assert!(!bob.shares.has_ended_for_good(&held).unwrap());
}

#[tokio::test]
async fn what_is_shared_and_taken_back_is_counted_for_the_audit_log_in_the_write_that_notes_it() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let counted = || anna.written("activity/untold");
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    assert_eq!(counted(), r#"{"shared":1}"#);
    anna.shares.revoke(id).await.unwrap();
    assert_eq!(counted(), r#"{"shared":1,"unshared":1}"#);
}

#[tokio::test]
async fn what_could_not_be_offered_is_not_said_to_be_shared() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    anna.shares_with(&bob, &[Scope::Read]).await;
    anna.until(|shares| shares.given().unwrap()[0].arrived.is_some()).await;
    // As a later version might write it: nothing is sent to Bob by this one.
    let to = anna.person.vault.list_records("relay/to/").unwrap().remove(0);
    anna.person.vault.put_record(&to, br#"{"v":9}"#).await.unwrap();
    let refused = anna.shares.issue(anna.terms(&bob, &[Scope::Read])).await;
    assert!(matches!(refused, Err(ShareError::Relay(_))));
    assert_eq!(anna.shares.given().unwrap().len(), 1);
    // Whatever is noted next is written with all that was.
    let next = Deed::new(What::RuleRemoved, "");
    anna.shares.activity.note_first(next).await.unwrap();
    let written = anna.written("activity/person");
    assert!(
        written.contains(r#""what":"shared""#) && !written.contains(r#""count":2"#),
        "{written}"
    );
    assert_eq!(anna.written("activity/untold"), r#"{"shared":1}"#);
}

#[tokio::test]
async fn what_was_noted_for_a_write_that_was_given_up_is_written_with_the_next() {
    let anna = Sharer::at(&Liar::start(Lie::Honest)).await;
    let activity = &anna.shares.activity;
    let never = |_| pending::<Result<(), VaultError>>();
    let noting = activity.note_through(vec![Deed::new(What::ShareUsed, "Bob")], never);
    assert!(noting.now_or_never().is_none());
    // Of another class, which is another record.
    activity.note_first(Deed::new(What::RuleRemoved, "")).await.unwrap();
    assert!(anna.written("activity/agent").contains("share_used"));
}

#[tokio::test]
async fn promise_05_what_is_taken_back_is_in_the_activity_whatever_stops_in_that_moment() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    let record = format!("share/revoked/{id}");
    let revoked = async {
        while anna.person.vault.get_record(&record).unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = revoked => {}
        ended = anna.shares.revoke(id) => ended.unwrap(),
    }
    let written = anna.written("activity/person");
    assert!(written.contains("share_stopped"), "{written}");
    assert_eq!(anna.written("activity/untold"), r#"{"shared":1,"unshared":1}"#);
}

#[tokio::test]
async fn promise_09_what_the_relay_keeps_no_more_of_is_refused_at_once_and_its_owner_is_told() {
    let (relay, service) = (Liar::start(Lie::Full), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let id = anna.shares_with(&bob, &[Scope::Read]).await.jti;
    bob.gets(id).await;
    anna.shares.revoke(id).await.unwrap();
    assert_eq!(bob.refused(id, "GET", "/work").await, "revoked");
    let noted = |shares: &Shares| {
        json!(shares.activity.entries(None).unwrap())
            .to_string()
            .contains("revocations_wait")
    };
    anna.until(noted).await;
    assert!(!noted(&bob.shares));
}

#[tokio::test]
async fn what_anybody_may_have_made_is_not_said_of_the_relay() {
    let (relay, service) = (Liar::start(Lie::Invent), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    anna.shares_with(&bob, &[Scope::Read]).await;
    let noted = |shares: &Shares, what: &str| json!(shares.activity.entries(None).unwrap()).to_string().contains(what);
    bob.until(|shares| noted(shares, "relay_odd")).await;
    assert!(!noted(&bob.shares, "relay_wrong"));
}

#[tokio::test]
async fn what_ended_a_month_ago_takes_no_place_among_what_is_remembered() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let terms = anna.terms(&bob, &[Scope::Read]);
    let mut ended = vec![anna.shares.issue(terms.clone()).await.unwrap()];
    anna.falls_asleep();
    for _ in 1..limits::SHARES_REMEMBERED {
        let mut another = ended[0].clone();
        another.capability.jti = Uuid::now_v7();
        ended.push(another);
    }
    let over_since = async |long: i64| {
        let over = ended.iter().map(|given| {
            let mut given = given.clone();
            given.capability.exp = SystemClock.now() - long;
            given.record()
        });
        anna.person.vault.put_records(over.collect()).await.unwrap();
    };
    over_since(HOUR).await;
    let refused = anna.shares.issue(terms.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "too_many_shares");
    over_since(super::millis(limits::SHARES_KEPT) + HOUR).await;
    let given = anna.shares.issue(terms).await.unwrap();
    assert_eq!(
        anna.shares.given().unwrap(),
        [given],
        "what is not kept any longer is gone"
    );
}

#[tokio::test]
async fn what_would_be_worth_nothing_is_not_shared() {
    let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
    let (anna, bob) = two(&relay, &service).await;
    let refused = async |scope: &[Scope]| {
        let outcome = anna.shares.issue(anna.terms(&bob, scope)).await;
        outcome.unwrap_err().code().to_owned()
    };
    assert_eq!(refused(&[Scope::Read, Scope::Admin]).await, "group_only");
    let mut route: Value = serde_json::from_str(&anna.written("route/calendar")).unwrap();
    route["read_only"] = json!(true);
    let route = [&[1], route.to_string().as_bytes()].concat();
    anna.person.vault.put_record("route/calendar", &route).await.unwrap();
    for scope in [Scope::Write, Scope::Delete] {
        assert_eq!(refused(&[Scope::Read, scope]).await, "method_refused");
    }
    assert!(anna.shares.given().unwrap().is_empty());
    anna.shares_with(&bob, &[Scope::Read, Scope::List, Scope::Share]).await;
}
