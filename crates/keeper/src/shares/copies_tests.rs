//! What Anna shares with Bob and lets him read while she is away: a copy lies in his vault, until she stops.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};
use uuid::Uuid;
use vault::{Capability, Constraints, PublicIdentity, Resource, Scope};

use super::group_tests::Management;
use super::message::Message;
use super::present::Answered;
use super::tests::{HOUR, KEY, Sharer, two};
use super::{CopyOf, ShareError, Shares, Standing, Terms, Tie, UseReceived, Used};
use crate::broker::tests::provider::{Provider, whole};
use crate::clock::{Clock as _, SystemClock};
use crate::limits;
use crate::rates::By;
use crate::relay::Courier as _;
use crate::relay::tests::liar::{Liar, Lie};

/// What the service says to everything.
#[derive(Clone)]
struct Says(Arc<Mutex<(u16, String)>>);

impl Says {
    fn now(&self, status: u16, words: &str) {
        *self.0.lock().unwrap() = (status, words.to_owned());
    }
}

struct Copied {
    relay: Liar,
    service: Provider,
    says: Says,
    anna: Sharer,
    bob: Sharer,
    capability: Capability,
}

fn of_all() -> Option<CopyOf> {
    Some(CopyOf {
        path: None,
        query: "from=today".to_owned(),
        body: String::new(),
    })
}

fn terms(with: &Sharer, scope: &[Scope], cached: Option<CopyOf>) -> Terms {
    Terms {
        with: with.user,
        resource: Resource::parse("service/calendar/work").unwrap(),
        scope: scope.iter().copied().collect(),
        until: SystemClock.now() + HOUR,
        constraints: Constraints::default(),
        place: None,
        cached,
    }
}

/// A call without a word of what, so of what there is a copy of.
fn call(id: Uuid) -> UseReceived {
    serde_json::from_value(json!({"id": id})).unwrap()
}

fn an_answer(bytes: usize) -> Answered {
    Answered {
        status: 200,
        content_type: String::new(),
        body: vec![b'x'; bytes],
        cut: false,
    }
}

fn code<T>(outcome: Result<T, ShareError>) -> String {
    match outcome {
        Ok(_) => "nothing wrong".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

fn words(used: &Used) -> String {
    String::from_utf8(used.answer.body.clone()).unwrap()
}

fn held(shares: &Shares, id: Uuid) -> Value {
    shares.shown_held(id).unwrap()
}

impl Copied {
    /// Anna's calendar says "lunch", and a copy of that is with Bob.
    async fn new() -> Self {
        let says = Says(Arc::new(Mutex::new((200, "lunch".to_owned()))));
        let answers = says.clone();
        let service = Provider::start(move |_| {
            let (status, words) = answers.0.lock().unwrap().clone();
            Box::pin(async move { whole(status, words) })
        })
        .await;
        let relay = Liar::start(Lie::Honest);
        let (anna, bob) = two(&relay, &service).await;
        let terms = terms(&bob, &[Scope::Read], of_all());
        let capability = anna.shares.issue(terms).await.unwrap().capability;
        let copied = Self {
            relay,
            service,
            says,
            anna,
            bob,
            capability,
        };
        copied.anna_knows_of_one().await;
        copied
    }

    fn id(&self) -> Uuid {
        self.capability.jti
    }

    /// Waits until Bob's keeper has said that it has the last one.
    async fn anna_knows_of_one(&self) {
        let there = |shown: &Value| shown["as_of"].is_i64() && shown["on_its_way"] == false;
        self.anna.until(|_| there(&self.seen_by_anna())).await;
    }

    fn seen_by_anna(&self) -> Value {
        let given = self.anna.shares.was_given(self.id()).unwrap().unwrap();
        self.anna.shares.shown(&given).unwrap()["copy"].clone()
    }

    async fn bob_has_none(&self) {
        self.bob.until(|shares| held(shares, self.id()).is_null()).await;
    }

    fn number(&self) -> Value {
        let record = self.bob.person.vault.get_record(&format!("share/copy/{}", self.id()));
        let record: Value = serde_json::from_slice(&record.unwrap().unwrap()[1..]).unwrap();
        record["number"].clone()
    }

    /// The last one that Anna's keeper has sent.
    fn sent(&self) -> Value {
        let record = self
            .anna
            .person
            .vault
            .get_record(&format!("share/copied/{}", self.id()));
        let record: Value = serde_json::from_slice(&record.unwrap().unwrap()[1..]).unwrap();
        record["sent"].clone()
    }

    async fn read_copy(&self) -> Result<Option<Used>, ShareError> {
        self.bob.shares.read_copy(self.id()).await
    }
}

#[tokio::test]
async fn what_may_be_copied_is_read_while_its_owner_sleeps_and_says_how_old_it_is() {
    let copied = Copied::new().await;
    // While Anna is there, she is asked, and just what is signed.
    copied.says.now(200, "dinner");
    let used = copied.bob.shares.use_received(call(copied.id())).await.unwrap();
    assert_eq!((words(&used).as_str(), used.copy), ("dinner", None));
    let lines: Vec<_> = copied.service.asked().iter().map(|asked| asked.line.clone()).collect();
    assert_eq!(lines, ["GET /work?from=today", "GET /work?from=today"]);

    copied.anna.falls_asleep();
    let used = copied.bob.shares.use_received(call(copied.id())).await.unwrap();
    let copy = used.copy.clone().unwrap();
    assert_eq!((words(&used).as_str(), copy.owner.as_str()), ("lunch", "Anna"));
    assert!(
        copy.words
            .contains("as of less than a minute ago, while Anna's agent sleeps"),
        "{copy:?}"
    );
    assert_eq!(
        json!(used)["copy"]["as_of"],
        held(&copied.bob.shares, copied.id())["as_of"]
    );
    // Nothing else is answered from it, and not who wants to hear Anna herself.
    let live = UseReceived {
        live: true,
        ..call(copied.id())
    };
    let other = UseReceived {
        path: Some("/work/tomorrow".to_owned()),
        ..call(copied.id())
    };
    for call in [live, other] {
        let waits = timeout(Duration::from_secs(1), copied.bob.shares.use_received(call)).await;
        assert!(waits.is_err(), "{waits:?}");
    }
    assert_eq!(copied.service.asked().len(), 2);
}

#[tokio::test]
async fn promise_09_what_is_taken_back_is_destroyed_where_a_copy_lies() {
    let copied = Copied::new().await;
    copied.anna.shares.revoke(copied.id()).await.unwrap();
    copied.bob_has_none().await;
    assert_eq!(code(copied.read_copy().await), "revoked");
    assert_eq!(code(copied.anna.shares.refresh_copy(copied.id()).await), "revoked");
    // One that comes all the same is not kept.
    let taken = copied
        .bob
        .shares
        .take_copy(&copied.anna.person.identity, copied.id(), u64::MAX, 0, an_answer(1));
    assert_eq!(code(taken), "revoked");
}

#[tokio::test]
async fn promise_09_a_copy_goes_with_what_was_removed_from_the_list() {
    let copied = Copied::new().await;
    copied.bob.shares.forget_received(copied.id()).await.unwrap();
    assert!(held(&copied.bob.shares, copied.id()).is_null());
    assert_eq!(code(copied.read_copy().await), "not_received");
}

#[tokio::test]
async fn promise_09_no_copy_stays_of_whom_it_is_not_known_what_they_have_taken_back() {
    let copied = Copied::new().await;
    copied.bob.shares.sweep_copies(None).await;
    assert!(!held(&copied.bob.shares, copied.id()).is_null());
    // The relay keeps an epoch back, and Bob's keeper sees the gap.
    copied.relay.now(Lie::Skip(1));
    for _ in 0..2 {
        let other = copied.anna.shares_with(&copied.bob, &[Scope::Read]).await.jti;
        copied.anna.shares.revoke(other).await.unwrap();
    }
    copied.bob_has_none().await;
}

#[tokio::test]
async fn promise_09_a_copy_is_not_given_while_nobody_can_say_that_it_was_not_taken_back() {
    let mut copied = Copied::new().await;
    let other = copied.anna.shares_with(&copied.bob, &[Scope::Read]).await.jti;
    copied.bob.gets(other).await;
    copied.anna.shares.revoke(other).await.unwrap();
    let stopped = |shares: &Shares| {
        let received = shares.one_received(other).unwrap();
        shares.standing(&received).unwrap() == Standing::Stopped
    };
    copied.bob.until(stopped).await;
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "lunch");
    copied.relay.now(Lie::NoneRevoked);
    assert_eq!(code(copied.read_copy().await), "revocations_unknown");
    copied.relay.now(Lie::Honest);
    let nowhere = copied.relay.socket.with_file_name("nowhere.sock");
    copied.bob.person.restart(&nowhere).await;
    assert_eq!(code(copied.read_copy().await), "relay_unreachable");
}

#[tokio::test]
async fn promise_09_a_copy_is_not_read_of_who_is_suspended_nor_made_for_them() {
    let copied = Copied::new().await;
    let (for_anna, for_bob) = (Management::of(&copied.anna), Management::of(&copied.bob));
    for_bob.suspends(&copied.anna);
    assert_eq!(code(copied.read_copy().await), "person_gone");
    for_bob.says(Tie::Unknown);
    for_bob.lets_back_in(&copied.anna);
    assert_eq!(code(copied.read_copy().await), "person_unknown");
    for_bob.says(Tie::Stands);
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "lunch");
    for_anna.suspends(&copied.bob);
    assert_eq!(code(copied.anna.shares.refresh_copy(copied.id()).await), "person_gone");
}

#[tokio::test]
async fn promise_07_a_copy_is_kept_only_of_what_its_sender_shares_so_and_never_in_the_place_of_a_newer_one() {
    let copied = Copied::new().await;
    let (anna, bob) = (&copied.anna, &copied.bob);
    let mallory = Sharer::at(&copied.relay).await;
    bob.knows(&mallory, "Mallory").await;
    let number = copied.number().as_u64().unwrap();
    let from_anna = &anna.person.identity;
    let take =
        |from: &PublicIdentity, id, number, bytes| code(bob.shares.take_copy(from, id, number, 0, an_answer(bytes)));
    assert_eq!(
        take(&mallory.person.identity, copied.id(), number + 1, 1),
        "not_received"
    );
    assert_eq!(take(from_anna, copied.id(), number, 1), "older_copy");
    assert_eq!(take(from_anna, copied.id(), 1, 1), "older_copy");
    assert_eq!(take(from_anna, copied.id(), number + 1, 1), "nothing wrong");
    assert_eq!(
        take(from_anna, copied.id(), number + 1, limits::SHARE_COPY_BYTES + 1),
        "copy_too_large"
    );
    let plain = anna.shares_with(bob, &[Scope::Read]).await.jti;
    bob.gets(plain).await;
    assert_eq!(take(from_anna, plain, 1, 1), "no_copy");
    assert_eq!(code(anna.shares.refresh_copy(plain).await), "no_copy");
    // Nor beyond what there is place for.
    let other = format!("share/copy/{}", Uuid::now_v7());
    let large = vec![1; limits::SHARE_COPIES_BYTES];
    bob.person.vault.put_record(&other, &large).await.unwrap();
    assert_eq!(take(from_anna, copied.id(), number + 1, 1), "too_many_copies");
    bob.person.vault.delete_record(&other).await.unwrap();

    // The same over the relay: what Mallory and Anna send is let go, what comes after it is taken.
    for (from, number) in [(&mallory, number + 5), (anna, number)] {
        let (id, answer) = (copied.id(), an_answer(3));
        let message = Message::Copy {
            id,
            number,
            at: 0,
            answer,
        };
        let message = message.to(&bob.person.identity, Vec::new());
        from.person.relay.send(message).await.unwrap();
        from.knows(bob, "Bob").await;
        from.shares.ask(bob.user, "Did you get it?").await.unwrap();
        let asked = |shares: &Shares| !shares.asked().unwrap().is_empty();
        bob.until(asked).await;
        bob.shares.dismiss(bob.shares.asked().unwrap()[0].id).await.unwrap();
        assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "lunch");
    }
}

#[tokio::test]
async fn a_copy_goes_again_when_it_has_changed_and_not_before() {
    let copied = Copied::new().await;
    let first = copied.number();
    copied.anna.shares.refresh_copies(true).await.unwrap();
    assert_eq!(copied.seen_by_anna()["on_its_way"], false);
    copied.says.now(200, "dinner");
    copied.anna.shares.refresh_copies(false).await.unwrap();
    assert_eq!(copied.service.asked().len(), 2);
    copied.anna.shares.refresh_copies(true).await.unwrap();
    copied.anna_knows_of_one().await;
    let second = copied.number();
    assert!(second.as_u64() > first.as_u64(), "{first} {second}");
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "dinner");
    // By hand it goes in any case.
    copied.anna.shares.refresh_copy(copied.id()).await.unwrap();
    copied.anna_knows_of_one().await;
    assert!(copied.number().as_u64() > second.as_u64());
    // Its number is higher than the last one also where that is ahead of the clock.
    let (name, ahead) = (format!("share/copied/{}", copied.id()), SystemClock.now() + HOUR);
    let record = copied.anna.person.vault.get_record(&name).unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&record[1..]).unwrap();
    record["sent"]["number"] = json!(ahead);
    let record = [&[1], record.to_string().as_bytes()].concat();
    copied.anna.person.vault.put_record(&name, &record).await.unwrap();
    copied.anna.shares.refresh_copy(copied.id()).await.unwrap();
    assert_eq!(copied.sent()["number"], ahead + 1);
}

#[tokio::test]
async fn one_that_has_not_arrived_is_not_followed_by_another() {
    let copied = Copied::new().await;
    copied.bob.falls_asleep();
    for words in ["breakfast", "dinner"] {
        copied.says.now(200, words);
        copied.anna.shares.refresh_copies(true).await.unwrap();
    }
    assert_eq!(copied.seen_by_anna()["on_its_way"], true);
    assert_eq!(copied.service.asked().len(), 3);
    assert_eq!(copied.sent()["bytes"], "breakfast".len());
}

/// So much time has gone by since this was so, of what Anna remembers of the copy.
async fn earlier(copied: &Copied, of: &str, when: &str, by: Duration) {
    let name = format!("share/copied/{}", copied.id());
    let vault = &copied.anna.person.vault;
    let record = vault.get_record(&name).unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&record[1..]).unwrap();
    let at = record[of][when].as_i64().unwrap();
    record[of][when] = json!(at - i64::try_from(by.as_millis()).unwrap());
    let record = [&[1], record.to_string().as_bytes()].concat();
    vault.put_record(&name, &record).await.unwrap();
}

#[tokio::test]
async fn one_of_which_nobody_says_that_it_arrived_goes_again_each_time_later() {
    let copied = Copied::new().await;
    copied.bob.falls_asleep();
    copied.says.now(200, "dinner");
    copied.anna.shares.refresh_copies(true).await.unwrap();
    let mut last = copied.sent()["number"].clone();
    for wait in [1, 4, 16] {
        let wait = limits::SHARE_COPY_RETRY * wait;
        earlier(&copied, "sent", "at", wait / 2).await;
        copied.anna.shares.refresh_copies(false).await.unwrap();
        assert_eq!(copied.sent()["number"], last, "not yet, after {wait:?}");
        earlier(&copied, "sent", "at", wait / 2).await;
        copied.anna.shares.refresh_copies(false).await.unwrap();
        let next = copied.sent()["number"].clone();
        assert!(next.as_u64() > last.as_u64(), "{next} {last}");
        last = next;
    }
}

#[tokio::test]
async fn one_that_could_not_be_made_is_tried_again_soon_and_its_owner_sees_why_not_now() {
    let copied = Copied::new().await;
    copied.says.now(500, "broken");
    copied.anna.shares.refresh_copies(true).await.unwrap();
    assert!(copied.seen_by_anna()["problem"]["words"].to_string().contains("500"));
    copied.says.now(503, "still");
    copied.anna.shares.refresh_copies(false).await.unwrap();
    assert!(copied.seen_by_anna()["problem"]["words"].to_string().contains("500"));
    earlier(&copied, "problem", "tried", limits::SHARE_COPY_RETRY).await;
    copied.anna.shares.refresh_copies(false).await.unwrap();
    assert!(copied.seen_by_anna()["problem"]["words"].to_string().contains("503"));
    // The second time four times as long after.
    copied.says.now(200, "dinner");
    let asked = copied.service.asked().len();
    earlier(&copied, "problem", "tried", limits::SHARE_COPY_RETRY * 3).await;
    copied.anna.shares.refresh_copies(false).await.unwrap();
    assert_eq!(copied.service.asked().len(), asked);
    earlier(&copied, "problem", "tried", limits::SHARE_COPY_RETRY).await;
    copied.anna.shares.refresh_copies(false).await.unwrap();
    copied.anna_knows_of_one().await;
    assert!(copied.seen_by_anna()["problem"].is_null());
}

#[tokio::test]
async fn promise_09_one_that_comes_before_its_owner_is_known_lies_here_unread_and_goes_with_who_is_known_no_more() {
    let copied = Copied::new().await;
    let (anna, bob) = (&copied.anna, &copied.bob);
    let contacts = crate::contacts::Contacts::new(bob.person.vault.clone(), Arc::new(SystemClock));
    contacts.forget(anna.user).await.unwrap();
    // What came while she was known does not stay.
    bob.shares.sweep_copies(None).await;
    assert!(held(&bob.shares, copied.id()).is_null());
    anna.shares.refresh_copy(copied.id()).await.unwrap();
    copied.anna_knows_of_one().await;
    bob.shares.sweep_copies(None).await;
    assert!(!held(&bob.shares, copied.id()).is_null());
    assert_eq!(code(copied.read_copy().await), "unknown_contact");
    bob.knows(anna, "Anna").await;
    bob.shares.sweep_copies(None).await;
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "lunch");
    contacts.forget(anna.user).await.unwrap();
    bob.shares.sweep_copies(None).await;
    assert!(held(&bob.shares, copied.id()).is_null());
}

#[tokio::test]
async fn promise_12_one_person_fills_no_more_than_their_part_and_not_without_end() {
    let copied = Copied::new().await;
    let (anna, bob) = (&copied.anna, &copied.bob);
    let from = &anna.person.identity;
    let vault = &bob.person.vault;
    let contacts = crate::contacts::Contacts::new(vault.clone(), Arc::new(SystemClock));
    // Nobody answers for it, so that nothing comes but this.
    anna.falls_asleep();
    vault
        .delete_record(&format!("share/copy/{}", copied.id()))
        .await
        .unwrap();
    let mut kept = Vec::new();
    for known in [false, true] {
        let mut taken = Ok(());
        while taken.is_ok() {
            let terms = terms(bob, &[Scope::Read], of_all());
            let id = anna.shares.issue(terms).await.unwrap().capability.jti;
            bob.until(|shares| shares.one_received(id).is_ok()).await;
            match known {
                true => bob.knows(anna, "Anna").await,
                false => contacts.forget(anna.user).await.unwrap(),
            }
            let record = bob
                .shares
                .take_copy(from, id, 1, 0, an_answer(limits::SHARE_COPY_BYTES / 2));
            if let Ok((name, Some(record))) = &record {
                vault.put_record(name, record).await.unwrap();
                kept.push((known, record.len()));
            }
            taken = record.map(|_| ());
        }
        assert_eq!(code(taken), "too_many_copies");
    }
    let bytes = |of: &[bool]| -> usize {
        let of_them = kept.iter().filter(|(known, _)| of.contains(known));
        of_them.map(|(_, bytes)| bytes).sum()
    };
    let one = kept[0].1;
    let fits = |bytes: usize, most: usize| most - one < bytes && bytes <= most;
    assert!(fits(bytes(&[false]), limits::SHARE_COPIES_UNKNOWN_BYTES));
    assert!(fits(bytes(&[false, true]), limits::SHARE_COPIES_OF_ONE_BYTES));
    for name in vault.list_records("share/copy/").unwrap() {
        vault.delete_record(&name).await.unwrap();
    }
    // Again and again, as large as it is.
    let mut last = String::new();
    for number in 0..u64::from(limits::SHARE_COPIES_OF_ONE_AN_HOUR) {
        last = code(bob.shares.take_copy(from, copied.id(), number, 0, an_answer(1)));
    }
    assert_eq!(last, "copies_too_often");
}

#[tokio::test]
async fn what_is_too_large_or_refused_is_not_copied_and_its_owner_sees_why() {
    let copied = Copied::new().await;
    copied.says.now(200, &"x".repeat(limits::SHARE_COPY_BYTES + 1));
    copied.anna.shares.refresh_copies(true).await.unwrap();
    let problem = copied.seen_by_anna()["problem"].clone();
    assert_eq!(problem["code"], "copy_too_large");
    assert!(problem["words"].as_str().unwrap().contains("SHARE_COPY_BYTES"));
    copied.says.now(500, "broken");
    assert_eq!(code(copied.anna.shares.refresh_copy(copied.id()).await), "copy_refused");
    assert_eq!(copied.seen_by_anna()["problem"]["code"], "copy_refused");
    // What was there stays, and is replaced when there is something again.
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "lunch");
    copied.says.now(200, "dinner");
    copied.anna.shares.refresh_copies(true).await.unwrap();
    copied.anna_knows_of_one().await;
    assert!(copied.seen_by_anna()["problem"].is_null());
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), "dinner");
}

#[tokio::test]
async fn promise_04_a_copy_says_no_more_than_its_holder_would_be_told() {
    let copied = Copied::new().await;
    copied.says.now(200, &format!("lunch with {KEY}"));
    copied.anna.shares.refresh_copies(true).await.unwrap();
    copied.anna_knows_of_one().await;
    let told = words(&copied.read_copy().await.unwrap().unwrap());
    assert!(told.starts_with("lunch with ") && !told.contains(KEY), "{told}");
    assert_eq!(copied.service.asked()[1].headers["x-api-key"], KEY);
    // Nothing beside what is shared.
    let beside = CopyOf {
        path: Some("/private".to_owned()),
        query: String::new(),
        body: String::new(),
    };
    let refused = copied
        .anna
        .shares
        .issue(terms(&copied.bob, &[Scope::Read], Some(beside)))
        .await;
    assert_eq!(code(refused), "bad_terms");
    // Who may only list is not told what a tool says.
    let tools = json!({"work": {"does": "read", "seen": "0".repeat(64)}});
    copied.anna.connects_tools("calendar", copied.service.at, tools).await;
    let listing = CopyOf {
        path: None,
        query: String::new(),
        body: String::new(),
    };
    let listing = terms(&copied.bob, &[Scope::List], Some(listing));
    let listed = copied.anna.shares.issue(listing).await.unwrap().capability.jti;
    let asked = copied.service.asked().len();
    assert_eq!(code(copied.anna.shares.refresh_copy(listed).await), "scope");
    assert_eq!(copied.service.asked().len(), asked);
}

#[tokio::test]
async fn promise_12_whose_calls_are_paused_gets_no_copy() {
    let copied = Copied::new().await;
    let by = By::person(copied.bob.user, "Bob");
    while copied.anna.shares.rates.count(by, "calendar", false).await.is_ok() {}
    copied.says.now(200, "dinner");
    let asked = copied.service.asked().len();
    copied.anna.shares.refresh_copies(true).await.unwrap();
    assert_eq!(copied.seen_by_anna()["problem"]["code"], "paused");
    assert_eq!(copied.service.asked().len(), asked);
}

#[tokio::test]
async fn promise_09_what_is_taken_back_while_the_service_answers_does_not_leave() {
    let (asked, answers) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes_on) = (asked.clone(), answers.clone());
    let service = Provider::start(move |_| {
        let (begins, goes_on) = (begins.clone(), goes_on.clone());
        Box::pin(async move {
            begins.add_permits(1);
            goes_on.acquire().await.unwrap().forget();
            whole(200, "lunch".to_owned())
        })
    })
    .await;
    let relay = Liar::start(Lie::Honest);
    let (anna, bob) = two(&relay, &service).await;
    let terms = terms(&bob, &[Scope::Read], of_all());
    anna.falls_asleep();
    let id = anna.shares.issue(terms).await.unwrap().capability.jti;
    let shares = anna.shares.clone();
    let making = tokio::spawn(async move { shares.refresh_copy(id).await });
    asked.acquire().await.unwrap().forget();
    anna.shares.revoke(id).await.unwrap();
    answers.add_permits(1);
    assert_eq!(code(making.await.unwrap()), "revoked");
    assert!(anna.shares.copied(id).unwrap().is_none());
}

#[tokio::test]
async fn promise_01_no_relay_can_read_a_copy() {
    let copied = Copied::new().await;
    let canary = "lunch with somebody at noon; ".repeat(100);
    copied.says.now(200, &canary);
    copied.anna.shares.refresh_copies(true).await.unwrap();
    copied.anna_knows_of_one().await;
    assert_eq!(words(&copied.read_copy().await.unwrap().unwrap()), canary);
    let passed = copied.relay.passed();
    assert!(passed.iter().any(|envelope| envelope.len() > canary.len()));
    let encoded = protocol::b64::encode(&canary);
    for envelope in &passed {
        for part in [&canary.as_bytes()[..16], &encoded.as_bytes()[..16]] {
            assert!(!envelope.windows(part.len()).any(|window| window == part));
        }
    }
}

#[tokio::test]
async fn promise_12_a_vault_has_so_many_shares_with_a_copy() {
    let copied = Copied::new().await;
    let mut outcome = Ok(());
    for _ in 0..limits::SHARE_COPIES {
        let terms = terms(&copied.bob, &[Scope::Read], of_all());
        outcome = copied.anna.shares.issue(terms).await.map(|_| ());
    }
    assert_eq!(code(outcome), "too_many_copies");
    copied.anna.shares.revoke(copied.id()).await.unwrap();
    let terms = terms(&copied.bob, &[Scope::Read], of_all());
    assert!(copied.anna.shares.issue(terms).await.is_ok());
}
