//! `kill -9` of keepers, server and PostgreSQL in the middle of sharing something and of taking it back: what was acknowledged is there
//! once, on both sides; what was not is there whole, or not at all, and may be asked for again.

use serde_json::{Value, json};
use system_tests::contacts::acquainted;
use system_tests::shared::{connect_calendar, listed, uses};
use system_tests::{Installation, Person, Session, now, wait_until};

use crate::kills::Victim::{self, Keeper, Postgres, Server};
use crate::kills::{Hits, PASSWORD, SOON, get_in, struck};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Whose keeper is killed, where it is a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Giver,
    Receiver,
}

use Side::{Giver, Receiver};

/// Anna shares, and Bob receives.
struct Trial {
    installation: Installation,
    anna: Person,
    bob: Person,
    with_anna: Session,
    with_bob: Session,
    sharing: Hits,
    stopping: Hits,
}

impl Trial {
    async fn new() -> Self {
        let installation = Installation::start().await;
        let [(anna, with_anna), (bob, with_bob)] = acquainted(&installation, PASSWORD).await;
        connect_calendar(&installation, &with_anna, "a-key-of-16-bytes", "A calendar").await;
        Self {
            installation,
            anna,
            bob,
            with_anna,
            with_bob,
            sharing: Hits::default(),
            stopping: Hits::default(),
        }
    }

    /// Asks for it, and kills so many milliseconds later. Both people are in again when this returns: what was answered, and whether the kill
    /// came before the answer.
    async fn struck(
        &mut self,
        (side, victim, after): (Side, Victim, u64),
        method: &str,
        params: Value,
    ) -> (Option<Value>, bool) {
        let whose = match side {
            Giver => &self.anna,
            Receiver => &self.bob,
        };
        let aim = victim.aim(&self.installation, whose).expect("it runs");
        let asked = self.with_anna.channel.call(method, params);
        let (answer, hit) = struck(asked, after, aim.strike(&mut self.installation)).await;
        (self.with_anna, self.with_bob) = tokio::join!(get_in(&self.anna), get_in(&self.bob));
        (answer.ok(), hit)
    }

    /// What Anna has given so far.
    async fn given(&self) -> Vec<Value> {
        let given = listed(&self.with_anna, "share.given").await;
        given.iter().map(|each| each["id"].clone()).collect()
    }

    /// The kill comes while Anna shares her calendar; what she shares in the end.
    async fn killed_in_sharing(&mut self, kill: (Side, Victim, u64)) -> Value {
        let what = format!("a kill of {kill:?} in sharing");
        let before = self.given().await;
        let terms = json!({"with": self.bob.me["user"]["id"], "resource": "service/calendar", "scope": ["read"],
            "until": now() + DAY});
        let (told, hit) = self.struck(kill, "share.issue", terms.clone()).await;
        self.sharing.count(hit);
        let mut given = self.given().await;
        given.retain(|id| !before.contains(id));
        if let Some(told) = told {
            assert_eq!(given, [told["share"]["id"].clone()], "after {what}");
        }
        // She was not told, and it is not there: she asks again.
        if given.is_empty() {
            let again = self.with_anna.call("share.issue", terms).await;
            given.push(again["share"]["id"].clone());
        }
        assert_eq!(given.len(), 1, "after {what}: {given:?}");
        let id = given.remove(0);
        self.agree(&id, "given", &what).await;
        assert_eq!(self.used(&id).await, Ok(json!(200)), "after {what}");
        id
    }

    /// The kill comes while Anna takes it back.
    async fn killed_in_stopping(&mut self, id: &Value, kill: (Side, Victim, u64)) {
        let what = format!("a kill of {kill:?} in taking back");
        let (told, hit) = self.struck(kill, "share.revoke", json!({ "id": id })).await;
        self.stopping.count(hit);
        let given = listed(&self.with_anna, "share.given").await;
        let state = given.iter().find(|each| each["id"] == *id).expect("it is remembered")["state"].clone();
        if told.is_some() {
            assert_eq!(state, "stopped", "after {what}");
        } else if state == "given" {
            // She was not told, and it was not done: it is Bob's as before, and she asks again.
            assert_eq!(self.used(id).await, Ok(json!(200)), "after {what}");
            self.with_anna.call("share.revoke", json!({ "id": id })).await;
        }
        assert_eq!(self.used(id).await, Err("revoked".to_owned()), "after {what}");
        self.agree(id, "stopped", &what).await;
    }

    /// What comes of Bob's using it, by the word of one of the two keepers.
    async fn used(&self, id: &Value) -> Result<Value, String> {
        uses(&self.with_bob, id, "GET").await.map(|(status, _)| status)
    }

    /// Both sides come to say this of it, which each has once.
    async fn agree(&self, id: &Value, state: &str, what: &str) {
        wait_until(&format!("both say {state:?} after {what}"), SOON, async || {
            let given = listed(&self.with_anna, "share.given").await;
            let received = listed(&self.with_bob, "share.received").await;
            let (given, received) = (one(&given, id)?, one(&received, id)?);
            let arrived = given["arrived"].is_i64();
            (arrived && given["state"] == state && received["state"] == state).then_some(())
        })
        .await;
    }
}

/// What is listed of it, which is listed at most once.
fn one<'a>(list: &'a [Value], id: &Value) -> Option<&'a Value> {
    let mut found = list.iter().filter(|each| each["id"] == *id);
    let first = found.next();
    assert_eq!(found.next(), None, "{list:#?}");
    first
}

#[tokio::test]
async fn promise_05_kills_while_something_is_shared_and_taken_back_leave_both_sides_with_the_same_of_it_once() {
    let mut trial = Trial::new().await;
    let steps = [
        ((Giver, Keeper, 1), (Giver, Keeper, 1)),
        ((Giver, Keeper, 4), (Giver, Keeper, 4)),
        ((Giver, Keeper, 12), (Giver, Keeper, 12)),
        ((Receiver, Keeper, 20), (Receiver, Keeper, 20)),
        ((Giver, Server, 2), (Giver, Server, 8)),
        ((Giver, Postgres, 2), (Giver, Postgres, 8)),
    ];
    let mut ids = Vec::new();
    for (sharing, stopping) in steps {
        let id = trial.killed_in_sharing(sharing).await;
        trial.killed_in_stopping(&id, stopping).await;
        ids.push(id);
    }
    trial.sharing.prove("sharing");
    trial.stopping.prove("taking back");

    // Nothing came twice, or by itself, and all of it is stopped on both sides.
    for (session, method) in [(&trial.with_anna, "share.given"), (&trial.with_bob, "share.received")] {
        let list = listed(session, method).await;
        for id in &ids {
            assert_eq!(
                one(&list, id).expect("it is remembered")["state"],
                "stopped",
                "{method}"
            );
        }
        assert_eq!(list.len(), ids.len(), "{method}: {list:#?}");
    }
}
