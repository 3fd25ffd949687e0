//! Three keepers and a relay between them: what Anna shares with Bob, Bob passes on to Carol, whom Anna does not know.

use serde_json::{Value, json};
use uuid::Uuid;
use vault::{CAPABILITY_LINKS, Capability, Constraints, NewCapability, Presentation, Resource, Scope, SharedRequest};

use super::group_tests::Management;
use super::passed_on::Through;
use super::received::Received;
use super::tests::{HOUR, KEY, Sharer, calendar, two};
use super::{Given, PassOn, ShareError, Standing, Terms, Tie, UseReceived};
use crate::approvals::Action;
use crate::broker::tests::provider::Provider;
use crate::clock::{Clock as _, SystemClock};
use crate::limits;
use crate::relay::tests::liar::{Liar, Lie};
use crate::relay::{Held, Revocations as _};

struct Three {
    relay: Liar,
    service: Provider,
    anna: Sharer,
    bob: Sharer,
    carol: Sharer,
    /// What Bob has of Anna.
    root: Capability,
}

fn allows(scope: &[Scope]) -> std::collections::BTreeSet<Scope> {
    scope.iter().copied().collect()
}

fn at_most(max_calls: u64) -> Constraints {
    Constraints {
        max_calls: Some(max_calls),
        rate: None,
    }
}

impl Three {
    async fn with(scope: &[Scope], constraints: Constraints) -> Self {
        let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
        let (anna, bob) = two(&relay, &service).await;
        let carol = Sharer::at(&relay).await;
        bob.knows(&carol, "Carol").await;
        carol.knows(&bob, "Bob").await;
        let terms = Terms {
            with: bob.user,
            resource: Resource::parse("service/calendar/work").unwrap(),
            scope: allows(scope),
            until: SystemClock.now() + HOUR,
            constraints,
            place: None,
            cached: None,
        };
        let root = anna.shares.issue(terms).await.unwrap().capability;
        bob.gets(root.jti).await;
        Self {
            relay,
            service,
            anna,
            bob,
            carol,
            root,
        }
    }

    async fn new() -> Self {
        Self::with(&[Scope::Read, Scope::List, Scope::Share], Constraints::default()).await
    }

    fn terms(&self, id: Uuid, to: &Sharer, scope: &[Scope]) -> PassOn {
        PassOn {
            id,
            with: to.user,
            resource: None,
            scope: allows(scope),
            until: self.root.exp,
            constraints: self.root.constraints,
        }
    }

    /// Bob's to Carol, once she has it and Anna knows.
    async fn passed_on(&self, scope: &[Scope]) -> Capability {
        let terms = self.terms(self.root.jti, &self.carol, scope);
        let link = self.bob.shares.pass_on(terms).await.unwrap().capability;
        self.carol.gets(link.jti).await;
        self.anna.until(|shares| shares.link(link.jti).unwrap().is_some()).await;
        link
    }

    async fn refused_to_pass_on(&self, terms: PassOn) -> String {
        let refused: Result<Given, ShareError> = self.bob.shares.pass_on(terms).await;
        refused.unwrap_err().code().to_owned()
    }

    /// How Anna sees to whom it was passed on.
    fn seen_by_anna(&self) -> Vec<Value> {
        let shown = self.anna.shares.shown(&self.anna.shares.given().unwrap()[0]).unwrap();
        shown["passed_on"].as_array().cloned().unwrap_or_default()
    }

    async fn anna_sees_it_stopped(&self) {
        let stopped = || self.seen_by_anna()[0]["state"] == "stopped";
        self.anna.until(|_| stopped()).await;
    }

    async fn stands(&self, who: &Sharer, id: Uuid, standing: Standing) {
        who.until(|shares| shares.standing(&shares.one_received(id).unwrap()).unwrap() == standing)
            .await;
    }

    /// A link by hand, from something that Bob says he holds.
    async fn by_hand(&self, parent: &Capability, holder: &Sharer) -> Capability {
        self.by_hand_with_id(Uuid::now_v7(), parent, holder).await
    }

    async fn by_hand_with_id(&self, id: Uuid, parent: &Capability, holder: &Sharer) -> Capability {
        let new = NewCapability {
            id,
            holder: holder.person.identity.signer(),
            resource: parent.resource.clone(),
            scope: parent.scope.clone(),
            from: parent.iat,
            until: parent.exp,
            constraints: parent.constraints,
            cached: None,
        };
        Capability::delegate(&self.bob.person.vault.identity().await.unwrap(), parent, new).unwrap()
    }

    /// What Anna's keeper says to a chain that Carol presents.
    async fn presented(&self, chain: &[Capability]) -> Result<u16, String> {
        let request = SharedRequest {
            service: "calendar".into(),
            method: "GET".into(),
            path: "/work/today".into(),
            query: String::new(),
            content_type: String::new(),
            body: Vec::new(),
        };
        let carol = self.carol.person.vault.identity().await.unwrap();
        let text = Presentation::sign(&carol, chain.to_vec(), request, SystemClock.now())
            .unwrap()
            .encode();
        let answered = self.anna.shares.answer(&self.carol.person.identity, &text).await;
        answered
            .map(|answered| answered.status)
            .map_err(|error| error.code().to_owned())
    }
}

#[tokio::test]
async fn what_is_passed_on_is_used_through_its_owners_keeper_by_somebody_whom_they_do_not_know() {
    let three = Three::new().await;
    let mut terms = three.terms(three.root.jti, &three.carol, &[Scope::Read]);
    terms.resource = Some(Resource::parse("service/calendar/work/team").unwrap());
    let given = three.bob.shares.pass_on(terms).await.unwrap();
    let id = given.capability.jti;
    three.carol.gets(id).await;
    three
        .bob
        .until(|shares| shares.was_given(id).unwrap().unwrap().arrived.is_some())
        .await;
    // Anna is told before it is used, with the digits of whoever has it.
    three.anna.until(|shares| shares.link(id).unwrap().is_some()).await;
    let seen = three.seen_by_anna();
    assert_eq!(
        (&seen[0]["by"]["name"], &seen[0]["to"]["name"]),
        (&json!("Bob"), &Value::Null)
    );
    assert_eq!(seen[0]["to"]["fingerprint"], three.carol.person.identity.fingerprint());
    // Carol: from whom it came, and whose it is.
    let received = three.carol.shares.one_received(id).unwrap();
    let shown = three.carol.shares.shown_received(&received).unwrap();
    assert_eq!(
        (&shown["name"], &shown["passed_on"]["name"]),
        (&json!("Bob"), &Value::Null)
    );
    assert_eq!(
        shown["passed_on"]["fingerprint"],
        three.anna.person.identity.fingerprint()
    );
    let of = three.bob.shares.shown(&given).unwrap();
    assert_eq!(of["of"]["name"], "Anna");

    let said = three.carol.uses(id, "GET", "/work/team/today").await.unwrap();
    assert!(
        said.starts_with("GET /work/team/today with ") && !said.contains(KEY),
        "{said}"
    );
    assert_eq!(three.service.asked()[0].headers["x-api-key"], KEY);
    assert_eq!(three.carol.refused(id, "GET", "/work/today").await, "other_resource");
    assert_eq!(three.carol.refused(id, "POST", "/work/team").await, "scope");
    let shown = three.anna.shares.shown(&three.anna.shares.given().unwrap()[0]).unwrap();
    assert_eq!(
        (&shown["calls"], &shown["passed_on"][0]["calls"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(shown["passed_on"][0]["state"], "given");
    // The name, where Carol knows whose it is.
    three.carol.knows(&three.anna, "Anna").await;
    let shown = three.carol.shares.shown_received(&received).unwrap();
    assert_eq!(shown["passed_on"]["name"], "Anna");
}

#[tokio::test]
async fn promise_07_what_is_passed_on_is_no_wider_than_what_is_held() {
    let three = Three::with(&[Scope::Read, Scope::Share], at_most(3)).await;
    let narrow = || three.terms(three.root.jti, &three.carol, &[Scope::Read]);
    let wider = [
        PassOn {
            scope: allows(&[Scope::Read, Scope::Write]),
            ..narrow()
        },
        PassOn {
            resource: Some(Resource::parse("service/calendar").unwrap()),
            ..narrow()
        },
        PassOn {
            until: three.root.exp + 1,
            ..narrow()
        },
        PassOn {
            constraints: at_most(4),
            ..narrow()
        },
        PassOn {
            constraints: Constraints::default(),
            ..narrow()
        },
    ];
    for terms in wider {
        assert_eq!(three.refused_to_pass_on(terms).await, "wider");
    }
    let mut to_anna = narrow();
    to_anna.with = three.anna.user;
    assert_eq!(three.refused_to_pass_on(to_anna).await, "own_resource");
    // Widened by hand: the link, what it hangs on, or a link of something else than what was given.
    let link = three.by_hand(&three.root, &three.carol).await;
    let wide = |capability: &Capability| {
        let mut wide = capability.clone();
        wide.scope.insert(Scope::Delete);
        wide
    };
    let chain = [three.root.clone(), wide(&link)];
    assert_eq!(three.presented(&chain).await, Err("bad_signature".to_owned()));
    let of_wide = three.by_hand(&wide(&three.root), &three.carol).await;
    let chain = [wide(&three.root), of_wide.clone()];
    assert_eq!(three.presented(&chain).await, Err("bad_signature".to_owned()));
    let chain = [three.root.clone(), of_wide];
    assert_eq!(three.presented(&chain).await, Err("broken_chain".to_owned()));
    assert_eq!(
        three.presented(std::slice::from_ref(&three.root)).await,
        Err("not_held".to_owned())
    );
    assert!(three.service.asked().is_empty() && three.seen_by_anna().is_empty());
    assert_eq!(three.presented(&[three.root.clone(), link]).await, Ok(200));
    // Used before it was told: Anna sees it since.
    assert_eq!(three.seen_by_anna().len(), 1);
}

#[tokio::test]
async fn promise_07_a_call_of_what_was_passed_on_is_asked_about_as_its_owners() {
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read]).await;
    let carols = &three.carol.shares;
    let call = UseReceived {
        id: link.jti,
        method: "GET".to_owned(),
        path: None,
        query: String::new(),
        content_type: String::new(),
        body: String::new(),
        live: false,
    };
    let received = carols.one_received(link.jti).unwrap();
    let asked = || match carols.asked_call(&received, &call).unwrap() {
        Action::CallShared { owner, name, of, .. } => (owner, name, of.unwrap()),
        other => panic!("{other:?}"),
    };
    let (by, name, of) = asked();
    assert_eq!((by, name.as_str()), (three.bob.user, "Bob"));
    let anna = &three.anna.person.identity;
    assert_eq!(
        (of.keys, of.name, of.fingerprint),
        (anna.encode(), None, anna.fingerprint())
    );
    three.carol.knows(&three.anna, "Aunt Anna").await;
    assert_eq!(asked().2.name.as_deref(), Some("Aunt Anna"));
    // What Bob shares himself is his.
    let direct = three.bob.shares.one_received(three.root.jti).unwrap();
    let its_own = UseReceived {
        id: three.root.jti,
        ..call.clone()
    };
    let action = three.bob.shares.asked_call(&direct, &its_own).unwrap();
    assert!(matches!(action, Action::CallShared { of: None, .. }));
    // Something else under its id, after the answer, is not called.
    assert_eq!(
        carols
            .use_as_asked(&received, call.clone())
            .await
            .unwrap()
            .answer
            .status,
        200
    );
    let used = three.service.asked().len();
    let other = three.by_hand_with_id(link.jti, &three.root, &three.carol).await;
    let mut exchanged = received.clone();
    exchanged.capability = other;
    let (record, value) = exchanged.record();
    three
        .carol
        .person
        .vault
        .put_records(vec![(record, value)])
        .await
        .unwrap();
    let refused = carols.use_as_asked(&received, call).await;
    assert!(matches!(refused, Err(ShareError::Exchanged)));
    assert_eq!(three.service.asked().len(), used);
}

#[tokio::test]
async fn promise_07_what_may_not_be_passed_on_is_not() {
    let three = Three::with(&[Scope::Read], Constraints::default()).await;
    let terms = three.terms(three.root.jti, &three.carol, &[Scope::Read]);
    assert_eq!(three.refused_to_pass_on(terms).await, "may_not_share");
    let mut says_it_may = three.root.clone();
    says_it_may.scope.insert(Scope::Share);
    let link = three.by_hand(&says_it_may, &three.carol).await;
    let chain = [three.root.clone(), link];
    assert_eq!(three.presented(&chain).await, Err("broken_chain".to_owned()));
    assert!(three.service.asked().is_empty());
    // Nor further than whoever passed it on allowed.
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read]).await;
    three.carol.knows(&three.anna, "Anna").await;
    let on = three.terms(link.jti, &three.bob, &[Scope::Read]);
    let refused = three.carol.shares.pass_on(on).await.unwrap_err();
    assert_eq!(refused.code(), "may_not_share");
}

#[tokio::test]
async fn promise_09_what_its_owner_takes_back_ends_for_all_to_whom_it_was_passed_on() {
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read, Scope::Share]).await;
    let dora = Sharer::at(&three.relay).await;
    three.carol.knows(&dora, "Dora").await;
    dora.knows(&three.carol, "Carol").await;
    let on = three.terms(link.jti, &dora, &[Scope::Read]);
    let last = three.carol.shares.pass_on(on).await.unwrap().capability.jti;
    dora.gets(last).await;
    assert!(dora.uses(last, "GET", "/work/today").await.is_ok());
    assert_eq!(three.seen_by_anna().len(), 2);

    three.anna.shares.revoke(three.root.jti).await.unwrap();
    assert_eq!(
        three.presented(&[three.root.clone(), link.clone()]).await,
        Err("revoked".to_owned())
    );
    for (who, id) in [(&three.bob, three.root.jti), (&three.carol, link.jti), (&dora, last)] {
        three.stands(who, id, Standing::Stopped).await;
        assert_eq!(who.refused(id, "GET", "/work/today").await, "revoked");
    }
    let given = three.bob.shares.given().unwrap();
    assert_eq!(three.bob.shares.shown(&given[0]).unwrap()["state"], "stopped");
    assert!(three.seen_by_anna().iter().all(|link| link["state"] == "stopped"));
    assert_eq!(three.service.asked().len(), 1);
    dora.shares.forget_received(last).await.unwrap();
    assert!(dora.shares.received().unwrap().is_empty());
}

#[tokio::test]
async fn promise_09_whoever_passed_it_on_takes_their_link_back_and_keeps_what_they_have() {
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read]).await;
    assert!(three.carol.uses(link.jti, "GET", "/work/today").await.is_ok());
    three.bob.shares.revoke(link.jti).await.unwrap();
    three.stands(&three.carol, link.jti, Standing::Stopped).await;
    three.anna_sees_it_stopped().await;
    let chain = [three.root.clone(), link];
    assert_eq!(three.presented(&chain).await, Err("revoked".to_owned()));
    assert!(three.bob.uses(three.root.jti, "GET", "/work/today").await.is_ok());
    assert_eq!(three.service.asked().len(), 2);
}

#[tokio::test]
async fn promise_09_the_relay_is_asked_whether_each_link_stands_also_where_nothing_was_told() {
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read]).await;
    three.anna.person.relay.follow(Held::new()).await.unwrap();
    three.bob.shares.revoke(link.jti).await.unwrap();
    three.stands(&three.carol, link.jti, Standing::Stopped).await;
    let chain = [three.root.clone(), link];
    assert_eq!(three.presented(&chain).await, Err("revoked".to_owned()));
    // And where it keeps back what it has, the answer is no.
    three.relay.now(Lie::NoneRevoked);
    let other = three.by_hand(&three.root, &three.carol).await;
    let chain = [three.root.clone(), other];
    assert_eq!(three.presented(&chain).await, Err("revocations_unknown".to_owned()));
    assert!(three.service.asked().is_empty());
}

#[tokio::test]
async fn promise_09_the_owner_ends_one_link_and_nothing_beside_it() {
    let three = Three::new().await;
    let link = three.passed_on(&[Scope::Read]).await;
    three.anna.shares.revoke(link.jti).await.unwrap();
    let chain = [three.root.clone(), link.clone()];
    assert_eq!(three.presented(&chain).await, Err("revoked".to_owned()));
    three.stands(&three.carol, link.jti, Standing::Stopped).await;
    three.anna_sees_it_stopped().await;
    assert!(three.bob.uses(three.root.jti, "GET", "/work/today").await.is_ok());
    let unknown = three.anna.shares.revoke(Uuid::now_v7()).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_capability");
}

#[tokio::test]
async fn promise_09_who_is_suspended_uses_nothing_and_nothing_is_used_through_them_until_they_are_let_back_in() {
    let three = Three::new().await;
    let platform = Management::of(&three.anna);
    let link = three.passed_on(&[Scope::Read]).await;
    let chain = [three.root.clone(), link];
    let refused = |code: &str| Err(code.to_owned());
    assert_eq!(three.presented(&chain).await, Ok(200));
    // Only the platform is told.
    platform.suspends(&three.bob);
    assert_eq!(three.presented(&chain).await, refused("person_gone"));
    assert_eq!(
        three.bob.refused(three.root.jti, "GET", "/work/today").await,
        "person_gone"
    );
    let noted = json!(three.anna.shares.activity.entries(None).unwrap()).to_string();
    assert!(noted.contains("person_gone"), "{noted}");
    // Nothing was revoked.
    platform.lets_back_in(&three.bob);
    assert_eq!(three.presented(&chain).await, Ok(200));
    platform.suspends(&three.carol);
    assert_eq!(three.presented(&chain).await, refused("person_gone"));
    assert!(three.bob.uses(three.root.jti, "GET", "/work/today").await.is_ok());
    platform.lets_back_in(&three.carol);
    // What cannot be looked up is refused.
    platform.says(Tie::Unknown);
    assert_eq!(three.presented(&chain).await, refused("person_unknown"));
    assert_eq!(three.service.asked().len(), 3);
}

#[tokio::test]
async fn promise_12_what_is_passed_on_is_counted_with_what_it_was_made_from() {
    let three = Three::with(&[Scope::Read, Scope::Share], at_most(3)).await;
    let mut terms = three.terms(three.root.jti, &three.carol, &[Scope::Read]);
    (terms.constraints, terms.until) = (at_most(2), three.root.exp - HOUR / 2);
    let link = three.bob.shares.pass_on(terms).await.unwrap().capability;
    let id = link.jti;
    three.carol.gets(id).await;
    for _ in 0..2 {
        assert!(three.carol.uses(id, "GET", "/work/today").await.is_ok());
    }
    assert_eq!(three.carol.refused(id, "GET", "/work/today").await, "used_up");
    // A link that ends earlier takes nothing with it of what was counted before it.
    let over = three.anna.shares.counts_over(link.exp + 1).unwrap();
    assert_eq!(over, [(format!("share/use/{id}"), None)]);
    assert!(three.bob.uses(three.root.jti, "GET", "/work/today").await.is_ok());
    assert_eq!(three.bob.refused(three.root.jti, "GET", "/work/today").await, "used_up");
    // Another link of it has nothing left, either.
    let other = three.by_hand(&three.root, &three.carol).await;
    assert_eq!(
        three.presented(&[three.root.clone(), other]).await,
        Err("used_up".to_owned())
    );
    assert_eq!(three.service.asked().len(), 3);
}

#[tokio::test]
async fn promise_12_a_chain_has_so_many_links_and_a_share_so_many_below_it() {
    let three = Three::new().await;
    // Bob to himself, as often as a chain may be long.
    let mut chain = vec![three.root.clone()];
    while chain.len() < CAPABILITY_LINKS {
        chain.push(three.by_hand(chain.last().unwrap(), &three.bob).await);
    }
    let through = Through {
        above: chain[..CAPABILITY_LINKS - 1].to_vec(),
        owner: three.anna.person.identity.encode(),
    };
    let last = chain.last().unwrap().clone();
    // As if Carol had brought it.
    let from = &three.carol.person.identity;
    let held = Received::new(from, last.clone(), SystemClock.now(), None, Some(through));
    three.bob.person.vault.put_records(vec![held.record()]).await.unwrap();
    let terms = three.terms(last.jti, &three.carol, &[Scope::Read]);
    let refused = three.bob.shares.pass_on(terms).await.unwrap_err();
    assert_eq!(refused.code(), "chain");
    assert!(refused.to_string().contains("CAPABILITY_LINKS"), "{refused}");

    let (from, to) = (&three.bob.person.identity, &three.carol.person.identity);
    for _ in 0..limits::SHARE_LINKS {
        let link = three.by_hand(&three.root, &three.carol).await;
        let told = [three.root.clone(), link];
        let records = three.anna.shares.take_link(from, &told, &to.encode()).await.unwrap();
        three.anna.person.vault.put_records(records).await.unwrap();
    }
    let chain = [three.root.clone(), three.by_hand(&three.root, &three.carol).await];
    assert_eq!(three.presented(&chain).await, Err("too_many_links".to_owned()));
    assert!(three.service.asked().is_empty());
}

#[tokio::test]
async fn promise_07_nobody_is_told_or_offered_what_is_not_the_senders_to_pass_on() {
    let three = Three::new().await;
    let link = three.by_hand(&three.root, &three.carol).await;
    let chain = vec![three.root.clone(), link.clone()];
    let [anna, bob, carol] = [&three.anna, &three.bob, &three.carol].map(|who| &who.person.identity);
    let code = |taken: Result<Vec<_>, ShareError>| taken.unwrap_err().code().to_owned();
    // Brought to Carol by somebody else, with another owner's keys, without what it hangs on; or to another than its holder.
    let carols = &three.carol.shares;
    let taken = carols.take_passed_on(anna, chain.clone(), &anna.encode()).await;
    assert_eq!(code(taken), "not_held");
    let taken = carols.take_passed_on(bob, chain.clone(), &bob.encode()).await;
    assert_eq!(code(taken), "not_issued_here");
    let taken = carols.take_passed_on(bob, vec![link.clone()], &anna.encode()).await;
    assert_eq!(code(taken), "not_issued_here");
    let taken = three
        .bob
        .shares
        .take_passed_on(bob, chain.clone(), &anna.encode())
        .await;
    assert_eq!(code(taken), "not_held");
    assert_eq!(
        carols
            .take_passed_on(bob, chain.clone(), &anna.encode())
            .await
            .unwrap()
            .len(),
        1
    );
    // Told to Anna by whoever holds it, of somebody else, or of nothing of hers.
    let annas = &three.anna.shares;
    assert_eq!(code(annas.take_link(carol, &chain, &carol.encode()).await), "not_held");
    assert_eq!(code(annas.take_link(bob, &chain, &bob.encode()).await), "not_held");
    assert_eq!(
        code(carols.take_link(bob, &chain, &carol.encode()).await),
        "not_issued_here"
    );
    assert_eq!(annas.take_link(bob, &chain, &carol.encode()).await.unwrap().len(), 1);
    // Under the id of something else that she has given, whose uses it would take.
    let other = three.anna.shares_with(&three.bob, &[Scope::Read]).await.jti;
    let link = three.by_hand_with_id(other, &three.root, &three.carol).await;
    let chain = [three.root.clone(), link];
    assert_eq!(
        code(annas.take_link(bob, &chain, &carol.encode()).await),
        "unknown_capability"
    );
    assert_eq!(three.presented(&chain).await, Err("unknown_capability".to_owned()));
}

#[tokio::test]
async fn promise_12_a_stranger_has_no_place_but_that_of_whoever_was_given_what_they_show() {
    let three = Three::new().await;
    let link = three.by_hand(&three.root, &three.carol).await;
    let request = SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: "/work".into(),
        query: String::new(),
        content_type: String::new(),
        body: Vec::new(),
    };
    let carol = three.carol.person.vault.identity().await.unwrap();
    let text = |chain: Vec<Capability>| {
        Presentation::sign(&carol, chain, request.clone(), SystemClock.now())
            .unwrap()
            .encode()
    };
    let place = |of: &Sharer, text: &[u8]| three.anna.shares.whose_place(&of.person.identity, text).unwrap();
    let bobs = Some(three.bob.person.identity.signer());
    assert_eq!(place(&three.carol, &text(vec![three.root.clone(), link.clone()])), bobs);
    assert_eq!(place(&three.carol, &text(vec![link.clone()])), None);
    // Of what others hold, and of a link that nobody has signed.
    assert_eq!(place(&three.carol, &text(vec![three.root.clone()])), None);
    let mut forged = link;
    forged.exp -= 1;
    assert_eq!(place(&three.carol, &text(vec![three.root.clone(), forged])), None);
    assert_eq!(place(&three.carol, b"anything"), None);
    assert_eq!(place(&three.bob, b"anything"), bobs);
}

#[tokio::test]
async fn promise_07_who_was_passed_something_is_refused_under_the_name_of_whom_it_was_given_to() {
    let three = Three::new().await;
    let chain = [three.root.clone(), three.passed_on(&[Scope::Read]).await];
    three.anna.shares.revoke(three.root.jti).await.unwrap();
    assert_eq!(three.presented(&chain).await, Err("revoked".to_owned()));
    let entries = json!(three.anna.shares.activity.entries(None).unwrap());
    let mut refused = entries.as_array().unwrap().iter();
    let refused = refused.find(|entry| entry["what"] == "share_refused").unwrap();
    assert_eq!(refused["to"], "Bob");
}
