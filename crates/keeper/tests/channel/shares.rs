//! What an owner shares: used by its holder through the owner's keeper, within its limits, until it is taken back.

use std::sync::Mutex;

use client::Channel;
use protocol::{UserId, b64};
use serde_json::{Value, json};
use vault::{Capability, Constraints, Identity, NewCapability, Presentation, Resource, Scope, SharedRequest};

use super::agent_side::{Service, ok};
use super::bench::{TestKeeper, password, refused};

const HOUR: i64 = 3_600_000;

struct Sharing {
    keeper: TestKeeper,
    channel: Channel,
    service: Service,
    bob: Identity,
    user: UserId,
}

impl Sharing {
    async fn new() -> Self {
        Self::of(Service::echo().await).await
    }

    async fn of(service: Service) -> Self {
        let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
        keeper.clock.forward(1_700_000_000_000);
        let route = keeper.route_to(&channel, &service, "calendar").await;
        channel.call("route.set", route).await.unwrap();
        let (bob, user) = (Identity::random(), UserId::new());
        let pin = json!({"user": user, "name": "Bob", "bundle": b64::encode(bob.public().encode())});
        channel.call("contact.pin", pin).await.unwrap();
        Self {
            keeper,
            channel,
            service,
            bob,
            user,
        }
    }

    fn now(&self) -> i64 {
        use keeper::clock::Clock as _;
        self.keeper.clock.now()
    }

    async fn issue(&self, scope: &[&str], constraints: Value) -> Capability {
        let terms = json!({"with": self.user, "resource": "service/calendar/work", "scope": scope, "until": self.now() + HOUR,
            "constraints": constraints});
        let given = self.channel.call("share.issue", terms).await.unwrap();
        Capability::parse(&serde_json_canonicalizer::to_vec(&given["capability"]).unwrap()).unwrap()
    }

    fn presented(&self, by: &Identity, chain: &[Capability], method: &str, path: &str) -> Vec<u8> {
        let request = SharedRequest {
            service: "calendar".into(),
            method: method.into(),
            path: path.into(),
            query: String::new(),
            content_type: String::new(),
            body: Vec::new(),
        };
        Presentation::sign(by, chain.to_vec(), request, self.now())
            .unwrap()
            .encode()
    }

    /// What Bob is answered: the status, or the code of the refusal.
    async fn uses(&self, chain: &[Capability], method: &str, path: &str) -> Result<u16, String> {
        self.brings(&self.bob, &self.presented(&self.bob, chain, method, path))
            .await
    }

    async fn brings(&self, from: &Identity, presented: &[u8]) -> Result<u16, String> {
        let answered = self.keeper.shares.answer(&from.public(), presented).await;
        answered
            .map(|answered| answered.status)
            .map_err(|error| error.code().to_owned())
    }
}

fn no(code: &str) -> Result<u16, String> {
    Err(code.to_owned())
}

#[tokio::test]
async fn what_is_shared_is_used_through_its_owners_keeper_which_gives_data_and_no_key() {
    let sharing = Sharing::new().await;
    let share = sharing.issue(&["read"], json!({})).await;
    let presented = sharing.presented(&sharing.bob, std::slice::from_ref(&share), "GET", "/work/today");
    let answered = sharing
        .keeper
        .shares
        .answer(&sharing.bob.public(), &presented)
        .await
        .unwrap();
    let said = String::from_utf8(answered.body).unwrap();
    assert!(answered.status == 200 && said.starts_with("GET /work/today"), "{said}");
    assert!(
        !said.contains("canary") && sharing.service.heard()[0].contains("canary"),
        "{said}"
    );
    let given = sharing.channel.call("share.given", json!({})).await.unwrap();
    assert_eq!(
        (&given["given"][0]["name"], &given["given"][0]["calls"]),
        (&json!("Bob"), &json!(1))
    );
    for (method, path, code) in [
        ("POST", "/work/today", "scope"),
        ("DELETE", "/work", "scope"),
        ("GET", "/private", "other_resource"),
        ("GET", "/work/../private", "path_refused"),
    ] {
        assert_eq!(sharing.uses(std::slice::from_ref(&share), method, path).await, no(code));
    }
    assert_eq!(sharing.service.heard().len(), 1);
}

#[tokio::test]
async fn promise_07_a_presentation_works_once_and_for_its_holder_alone() {
    let sharing = Sharing::new().await;
    let share = sharing.issue(&["read"], json!({})).await;
    let presented = sharing.presented(&sharing.bob, std::slice::from_ref(&share), "GET", "/work");
    let thief = Identity::random();
    assert_eq!(sharing.brings(&thief, &presented).await, no("not_held"));
    assert_eq!(sharing.brings(&sharing.bob, &presented).await, Ok(200));
    assert_eq!(sharing.brings(&sharing.bob, &presented).await, no("replayed"));
    let forged = sharing.presented(&thief, std::slice::from_ref(&share), "GET", "/work");
    for from in [&thief, &sharing.bob] {
        assert_eq!(sharing.brings(from, &forged).await, no("not_held"));
    }
    // Of another keeper, or never issued: made with the right form by somebody else.
    let other = Identity::random();
    let made = NewCapability {
        id: uuid::Uuid::now_v7(),
        holder: sharing.bob.public().signer(),
        resource: Resource::parse("service/calendar").unwrap(),
        scope: [Scope::Read].into(),
        from: sharing.now(),
        until: sharing.now() + HOUR,
        constraints: Constraints::default(),
        cached: None,
    };
    let foreign = Capability::issue(&other, made).unwrap();
    assert_eq!(sharing.uses(&[foreign], "GET", "/work").await, no("wrong_audience"));
    assert_eq!(sharing.service.heard().len(), 1);
}

#[tokio::test]
async fn promise_09_what_was_passed_on_is_refused_while_whoever_did_cannot_be_asked_and_after_its_time() {
    let sharing = Sharing::new().await;
    let share = sharing.issue(&["read", "share"], json!({})).await;
    let carla = Identity::random();
    let link = NewCapability {
        id: uuid::Uuid::now_v7(),
        holder: carla.public().signer(),
        resource: share.resource.clone(),
        scope: [Scope::Read].into(),
        from: share.iat,
        until: share.exp - HOUR / 2,
        constraints: share.constraints,
        cached: None,
    };
    let chain = [share.clone(), Capability::delegate(&sharing.bob, &share, link).unwrap()];
    // There is no relay here.
    let presented = sharing.presented(&carla, &chain, "GET", "/work");
    assert_eq!(sharing.brings(&carla, &presented).await, no("relay_unreachable"));
    assert_eq!(sharing.uses(&chain[..1], "GET", "/work").await, Ok(200));
    sharing.keeper.clock.forward(HOUR / 2);
    let presented = sharing.presented(&carla, &chain, "GET", "/work");
    assert_eq!(sharing.brings(&carla, &presented).await, no("expired"));
    assert_eq!(sharing.uses(&chain[..1], "GET", "/work").await, Ok(200));
    assert_eq!(sharing.service.heard().len(), 2);
}

#[tokio::test]
async fn uses_are_counted_through_a_restart() {
    let mut sharing = Sharing::new().await;
    let rate = json!({"max_calls": 3, "rate": {"calls": 2, "per_ms": HOUR / 4}});
    let share = sharing.issue(&["read"], rate).await;
    let own = std::slice::from_ref(&share);
    let presented = sharing.presented(&sharing.bob, own, "GET", "/work");
    assert_eq!(sharing.brings(&sharing.bob, &presented).await, Ok(200));
    assert_eq!(sharing.uses(own, "GET", "/work").await, Ok(200));
    assert_eq!(sharing.uses(own, "GET", "/work").await, no("too_often"));
    sharing.keeper.clock.forward(HOUR / 4);
    let Sharing { keeper, channel, .. } = sharing;
    drop(channel);
    let keeper = keeper.restarted().await;
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    keeper.named.set([sharing.service.at.to_string()]);
    (sharing.keeper, sharing.channel) = (keeper, channel);
    let own = std::slice::from_ref(&share);
    assert_eq!(sharing.brings(&sharing.bob, &presented).await, no("stale"));
    assert_eq!(sharing.uses(own, "GET", "/work").await, Ok(200));
    assert_eq!(sharing.uses(own, "GET", "/work").await, no("used_up"));
}

#[tokio::test]
async fn promise_09_what_was_taken_back_is_refused_at_once_also_after_a_restart() {
    let sharing = Sharing::new().await;
    let share = sharing.issue(&["read"], json!({})).await;
    let chain = std::slice::from_ref(&share);
    assert_eq!(sharing.uses(chain, "GET", "/work").await, Ok(200));
    let waiting = sharing.presented(&sharing.bob, chain, "GET", "/work");
    sharing
        .channel
        .call("share.revoke", json!({"id": share.jti}))
        .await
        .unwrap();
    assert_eq!(sharing.brings(&sharing.bob, &waiting).await, no("revoked"));
    let given = sharing.channel.call("share.given", json!({})).await.unwrap();
    assert_eq!(given["given"][0]["state"], "stopped");
    let error = refused(
        sharing
            .channel
            .call("share.revoke", json!({"id": uuid::Uuid::now_v7()}))
            .await,
    );
    assert_eq!(error.code(), Some("unknown_capability"));

    let presented = sharing.presented(&sharing.bob, chain, "GET", "/work");
    let Sharing {
        keeper,
        channel,
        service,
        bob,
        ..
    } = sharing;
    let bob = bob.public();
    drop(channel);
    let keeper = keeper.restarted().await;
    let locked = keeper.shares.answer(&bob, &presented).await.unwrap_err();
    assert_eq!(locked.code(), "vault_locked");
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(
        keeper.shares.answer(&bob, &presented).await.unwrap_err().code(),
        "revoked"
    );
    assert_eq!(service.heard().len(), 1);
}

/// The service waits in a thread of its own runtime.
#[tokio::test(flavor = "multi_thread")]
async fn promise_09_what_is_taken_back_while_the_service_answers_is_not_told() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let (go, may_go) = std::sync::mpsc::channel();
    let may_go = Mutex::new(may_go);
    let service = Service::new(move |request| {
        asked.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        ok(&[], request)
    });
    let sharing = Sharing::of(service.await).await;
    let share = sharing.issue(&["read"], json!({})).await;
    let presented = sharing.presented(&sharing.bob, std::slice::from_ref(&share), "GET", "/work");
    let (answered, ()) = tokio::join!(sharing.brings(&sharing.bob, &presented), async {
        was_asked.recv().await.unwrap();
        let stop = json!({"id": share.jti});
        sharing.channel.call("share.revoke", stop).await.unwrap();
        go.send(()).unwrap();
    });
    assert_eq!(answered, no("revoked"));
    assert_eq!(sharing.service.heard().len(), 1);
}

#[tokio::test]
async fn only_what_is_there_is_shared_and_only_with_somebody_who_is_known() {
    let sharing = Sharing::new().await;
    let terms = |with: UserId, resource: &str, until: i64| json!({"with": with, "resource": resource, "scope": ["read"], "until": until});
    let until = sharing.now() + HOUR;
    for (terms, code) in [
        (terms(UserId::new(), "service/calendar", until), "unknown_contact"),
        (terms(sharing.user, "service/mail", until), "unknown_route"),
        (terms(sharing.user, "service/calendar/../x", until), "malformed"),
        (terms(sharing.user, "service/calendar", sharing.now()), "bad_terms"),
        (
            terms(sharing.user, "service/calendar", sharing.now() + 400 * 24 * HOUR),
            "bad_terms",
        ),
    ] {
        let error = refused(sharing.channel.call("share.issue", terms).await);
        assert_eq!(error.code(), Some(code));
    }
    let given = sharing.channel.call("share.given", json!({})).await.unwrap();
    assert_eq!(given["given"], json!([]));
}

#[tokio::test]
async fn promise_07_while_a_second_person_is_needed_a_page_shares_nothing_without_a_fresh_proof() {
    let sharing = Sharing::new().await;
    let terms =
        json!({"with": sharing.user, "resource": "service/calendar", "scope": ["read"], "until": sharing.now() + HOUR});
    let grant = json!({"resource": uuid::Uuid::now_v7(), "with": sharing.user, "scope": ["read"], "until": sharing.now() + HOUR});
    let calls = async |method: &str, params: &Value| {
        let called = sharing.channel.call(method, params.clone()).await;
        called.map(|_| ()).map_err(|error| error.code().unwrap().to_owned())
    };
    // Its client came in long ago.
    assert_eq!(calls("share.issue", &terms).await, Ok(()));
    sharing.keeper.approvals.set_second_demanded(Some(true));
    let pass_on =
        json!({"id": uuid::Uuid::now_v7(), "with": sharing.user, "scope": ["read"], "until": sharing.now() + HOUR});
    let manage = json!({"id": uuid::Uuid::now_v7(), "request": {"act": "end", "user": sharing.user}});
    for (method, params) in [
        ("share.issue", &terms),
        ("share.grant", &grant),
        ("share.pass_on", &pass_on),
        ("share.manage", &manage),
    ] {
        assert_eq!(calls(method, params).await, Err("proof_needed".to_owned()), "{method}");
    }
    let slot = sharing.keeper.vault.slots()[0].id;
    sharing.channel.prove(slot, &password()).await.unwrap();
    assert_eq!(calls("share.issue", &terms).await, Ok(()));
    let nothing = Err("unknown_group_resource".to_owned());
    assert_eq!(calls("share.grant", &grant).await, nothing);
    for (method, params) in [("share.pass_on", &pass_on), ("share.manage", &manage)] {
        assert_eq!(calls(method, params).await, Err("not_received".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn what_may_be_read_while_its_owner_sleeps_is_said_and_renewed_by_hand() {
    let sharing = Sharing::new().await;
    let terms = |cached: Value, constraints: Value| {
        json!({"with": sharing.user, "resource": "service/calendar/work", "scope": ["read"], "until": sharing.now() + HOUR,
            "constraints": constraints, "cached": cached})
    };
    for (cached, constraints) in [
        (json!({"path": "/private"}), json!({})),
        (json!({"query": "max=10"}), json!({"max_calls": 3})),
    ] {
        let error = refused(sharing.channel.call("share.issue", terms(cached, constraints)).await);
        assert_eq!(error.code(), Some("bad_terms"));
    }
    let given = sharing
        .channel
        .call("share.issue", terms(json!({"query": "max=10"}), json!({})))
        .await
        .unwrap();
    let (share, id) = (&given["share"], json!({"id": given["share"]["id"]}));
    assert_eq!(
        (&share["cached"]["path"], &share["cached"]["query"]),
        (&json!("/work"), &json!("max=10"))
    );
    assert_eq!(share["cached"], given["capability"]["cached"]);
    let none = json!({"as_of": null, "bytes": null, "on_its_way": false, "problem": null});
    assert_eq!(share["copy"], none);
    sharing.channel.call("share.refresh", id).await.unwrap();
    assert!(sharing.service.heard()[0].starts_with("GET /work?max=10"));
    let given = sharing.channel.call("share.given", json!({})).await.unwrap();
    assert_eq!(given["given"][0]["copy"]["on_its_way"], true);
    assert_eq!(given["given"][0]["calls"], 0);
    let noted = sharing.channel.call("activity.list", json!({})).await.unwrap();
    assert!(noted.to_string().contains("share_copied"), "{noted}");
    // What is shared otherwise has none.
    let plain = sharing.issue(&["read"], json!({})).await;
    let error = refused(sharing.channel.call("share.refresh", json!({"id": plain.jti})).await);
    assert_eq!(error.code(), Some("no_copy"));
}
