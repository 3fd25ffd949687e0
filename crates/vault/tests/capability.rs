//! Capabilities: what is issued narrows with each hand, what was changed is refused, and each refusal says why.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::LazyLock;

use proptest::prelude::*;
use uuid::Uuid;
use vault::{
    Capability, CapabilityError, Constraints, Granted, Identity, KnownChains, ManageRequest, Management, NewCapability,
    Presentation, Rate, Resource, Scope, Scopes, SharedRequest, Wider, verify_chain,
};

const NOW: i64 = 1_763_800_000_000;
const HOUR: i64 = 3_600_000;

struct People {
    anna: Identity,
    bob: Identity,
    carla: Identity,
}

static PEOPLE: LazyLock<People> = LazyLock::new(|| People {
    anna: Identity::random(),
    bob: Identity::random(),
    carla: Identity::random(),
});

fn terms(id: u128, holder: &Identity, resource: &str, scope: &[Scope]) -> NewCapability {
    NewCapability {
        id: Uuid::from_u128(id),
        holder: holder.public().signer(),
        resource: Resource::parse(resource).unwrap(),
        scope: scope.iter().copied().collect(),
        from: NOW - HOUR,
        until: NOW + HOUR,
        constraints: Constraints::default(),
        cached: None,
    }
}

fn root() -> Capability {
    let terms = NewCapability {
        constraints: Constraints {
            max_calls: Some(10),
            rate: Some(Rate { calls: 5, per_ms: 1000 }),
        },
        ..terms(
            1,
            &PEOPLE.bob,
            "service/calendar/a",
            &[Scope::Read, Scope::List, Scope::Share],
        )
    };
    Capability::issue(&PEOPLE.anna, terms).unwrap()
}

fn get(path: &str) -> SharedRequest {
    SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: path.into(),
        query: String::new(),
        content_type: String::new(),
        body: Vec::new(),
    }
}

fn verify(chain: &[Capability]) -> Result<Granted, CapabilityError> {
    verify_chain(chain, &PEOPLE.anna.public().signer(), NOW, |_| false)
}

fn present(by: &Identity, chain: Vec<Capability>, request: SharedRequest) -> Result<Granted, CapabilityError> {
    let text = Presentation::sign(by, chain, request, NOW).unwrap().encode();
    Presentation::parse(&text)?.verify(&PEOPLE.anna.public().signer(), NOW, |_| false)
}

#[test]
fn what_was_issued_is_presented_by_its_holder_for_what_it_is_for() {
    let granted = present(&PEOPLE.bob, vec![root()], get("/a/b")).unwrap();
    assert_eq!(granted.until, NOW + HOUR);
    assert_eq!(granted.links.len(), 1);
    assert!(present(&PEOPLE.bob, vec![root()], get("/a")).is_ok());
}

#[test]
fn promise_07_whoever_does_not_hold_a_capability_cannot_present_it() {
    let stolen = present(&PEOPLE.carla, vec![root()], get("/a"));
    assert_eq!(stolen, Err(CapabilityError::NotHeld));
}

#[test]
fn a_presentation_is_for_one_keeper_one_request_and_a_few_minutes() {
    let own = PEOPLE.anna.public().signer();
    let mut presentation = Presentation::sign(&PEOPLE.bob, vec![root()], get("/a"), NOW).unwrap();
    let late = NOW + 5 * 60_000 + 1;
    assert_eq!(presentation.verify(&own, late, |_| false), Err(CapabilityError::Stale));
    let early = NOW - 5 * 60_000 - 1;
    assert_eq!(presentation.verify(&own, early, |_| false), Err(CapabilityError::Stale));
    let other = PEOPLE.carla.public().signer();
    assert_eq!(
        presentation.verify(&other, NOW, |_| false),
        Err(CapabilityError::WrongAudience)
    );
    presentation.request.path = "/a/secret".into();
    assert_eq!(presentation.verify(&own, NOW, |_| false), Err(CapabilityError::NotHeld));
}

/// What Bob is answered who asks to manage what he holds with these rights.
fn manage(held: &[Scope], request: ManageRequest) -> Result<Granted, CapabilityError> {
    let own = PEOPLE.anna.public().signer();
    let held = terms(1, &PEOPLE.bob, "service/calendar/a", held);
    let chain = vec![Capability::issue(&PEOPLE.anna, held).unwrap()];
    let text = Management::sign(&PEOPLE.bob, chain, request, NOW).unwrap().encode();
    Management::parse(&text)?.verify(&own, NOW, |_| false)
}

#[test]
fn promise_07_what_bears_no_signature_is_not_read() {
    let without = |text: Vec<u8>| {
        let mut value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(value.as_object_mut().unwrap().remove("sig").is_some());
        serde_json_canonicalizer::to_vec(&value).unwrap()
    };
    let root = root();
    let presentation = Presentation::sign(&PEOPLE.bob, vec![root.clone()], get("/a"), NOW).unwrap();
    assert_eq!(
        Capability::parse(&without(root.encode())),
        Err(CapabilityError::Malformed)
    );
    let read = Presentation::parse(&without(presentation.encode()));
    assert_eq!(read, Err(CapabilityError::Malformed));
}

#[test]
fn promise_07_who_manages_something_lets_others_do_no_more_than_they_may_themself() {
    let grant = |scope: &[Scope], until| ManageRequest::Grant {
        user: Uuid::from_u128(7),
        scope: scope.iter().copied().collect(),
        until,
    };
    let own = [Scope::Read, Scope::List, Scope::Admin];
    let end = ManageRequest::End {
        user: Uuid::from_u128(7),
    };
    for request in [ManageRequest::Look, end, grant(&[Scope::Read], NOW + HOUR)] {
        assert!(manage(&own, request.clone()).is_ok());
        let refused = manage(&[Scope::Read, Scope::List, Scope::Share], request);
        assert_eq!(refused, Err(CapabilityError::NotAllowed("admin")));
    }
    for scope in [Scope::Write, Scope::Delete, Scope::Share, Scope::Admin] {
        let refused = manage(&own, grant(&[Scope::Read, scope], NOW + HOUR));
        assert_eq!(refused, Err(CapabilityError::MoreThanOwn(Wider::Scope)), "{scope:?}");
    }
    let longer = manage(&own, grant(&[Scope::Read], NOW + HOUR + 1));
    assert_eq!(longer, Err(CapabilityError::MoreThanOwn(Wider::Time)));
}

#[test]
fn promise_07_a_right_to_manage_that_was_passed_on_does_not_count() {
    let rights = [Scope::Read, Scope::Admin, Scope::Share];
    let root = Capability::issue(&PEOPLE.anna, terms(1, &PEOPLE.bob, "service/calendar/a", &rights)).unwrap();
    let link = terms(2, &PEOPLE.carla, "service/calendar/a", &rights);
    let chain = vec![root.clone(), Capability::delegate(&PEOPLE.bob, &root, link).unwrap()];
    let own = PEOPLE.anna.public().signer();
    let asked = Management::sign(&PEOPLE.carla, chain, ManageRequest::Look, NOW).unwrap();
    let refused = asked.verify(&own, NOW, |_| false);
    assert_eq!(refused, Err(CapabilityError::NotAllowed("admin")));
}

#[test]
fn promise_07_a_request_to_manage_is_signed_for_itself_alone() {
    let rights = [Scope::Read, Scope::Admin];
    let root = Capability::issue(&PEOPLE.anna, terms(1, &PEOPLE.bob, "service/calendar/a", &rights)).unwrap();
    let own = PEOPLE.anna.public().signer();
    let grant = ManageRequest::Grant {
        user: Uuid::from_u128(7),
        scope: [Scope::Read].into(),
        until: NOW + HOUR,
    };
    let mut asked = Management::sign(&PEOPLE.bob, vec![root], grant, NOW).unwrap();
    assert!(asked.verify(&own, NOW, |_| false).is_ok());
    let late = NOW + 5 * 60_000 + 1;
    assert_eq!(asked.verify(&own, late, |_| false), Err(CapabilityError::Stale));
    assert!(Presentation::parse(&asked.encode()).is_err());
    asked.request = ManageRequest::End {
        user: Uuid::from_u128(7),
    };
    assert_eq!(asked.verify(&own, NOW, |_| false), Err(CapabilityError::NotHeld));
    // A member beside those that are known, also where none is.
    let look = String::from_utf8(asked.encode()).unwrap();
    let more = look.replace(r#"{"act":"end","#, r#"{"act":"look","#);
    assert!(more != look && Management::parse(more.as_bytes()).is_err());
}

#[test]
fn a_request_for_anything_else_is_refused_and_says_why() {
    let refused = |request| present(&PEOPLE.bob, vec![root()], request).unwrap_err();
    assert_eq!(refused(get("/ab")), CapabilityError::OtherResource);
    assert_eq!(refused(get("")), CapabilityError::OtherResource);
    let mail = SharedRequest {
        service: "mail".into(),
        ..get("/a")
    };
    assert_eq!(refused(mail), CapabilityError::OtherResource);
    for path in [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/%252e./b",
        "/a/..;x/b",
        "/a\\..",
        "/a/x?y",
        "/a/x#y",
        "a",
        "/a/ b",
        "/a%2f..",
    ] {
        assert_eq!(refused(get(path)), CapabilityError::Path, "{path}");
    }
    for (method, error) in [
        ("POST", CapabilityError::NotAllowed("write")),
        ("DELETE", CapabilityError::NotAllowed("delete")),
        ("CONNECT", CapabilityError::Method),
        ("get", CapabilityError::Method),
    ] {
        let request = SharedRequest {
            method: method.into(),
            ..get("/a")
        };
        assert_eq!(refused(request), error, "{method}");
    }
    let list = Capability::issue(
        &PEOPLE.anna,
        terms(2, &PEOPLE.bob, "service/calendar/a", &[Scope::List]),
    )
    .unwrap();
    assert!(present(&PEOPLE.bob, vec![list.clone()], get("/a/")).is_ok());
    assert_eq!(
        present(&PEOPLE.bob, vec![list], get("/a/b")),
        Err(CapabilityError::NotAllowed("read"))
    );
}

#[test]
fn promise_07_a_chain_that_is_known_is_looked_at_for_all_that_changes() {
    let (own, root) = (PEOPLE.anna.public().signer(), root());
    let known = KnownChains::new(8);
    let presented = |by: &Identity, chain: &[Capability], at, revoked: &[Uuid]| {
        let presentation = Presentation::sign(by, chain.to_vec(), get("/a"), at).unwrap();
        let granted = presentation.verify_among(&known, &own, at, |id| revoked.contains(&id));
        granted.map(|granted| granted.links.len())
    };
    let chain = [root.clone()];
    for _ in 0..2 {
        assert_eq!(presented(&PEOPLE.bob, &chain, NOW, &[]), Ok(1));
    }
    let gone = Err(CapabilityError::Revoked(root.jti));
    assert_eq!(presented(&PEOPLE.bob, &chain, NOW, &[root.jti]), gone);
    let over = Err(CapabilityError::Expired(root.jti));
    assert_eq!(presented(&PEOPLE.bob, &chain, NOW + HOUR, &[]), over);
    let stolen = Err(CapabilityError::NotHeld);
    assert_eq!(presented(&PEOPLE.carla, &chain, NOW, &[]), stolen);
    let of_carla = known.verify(&chain, &PEOPLE.carla.public().signer(), NOW, |_| false);
    assert_eq!(of_carla, Err(CapabilityError::NotIssuedHere));
    // One letter of it is another chain.
    let mut longer = root.clone();
    longer.exp += 1;
    let forged = Err(CapabilityError::BadSignature(root.jti));
    for _ in 0..2 {
        assert_eq!(presented(&PEOPLE.bob, &[longer.clone()], NOW, &[]), forged);
    }
    assert_eq!(presented(&PEOPLE.bob, &chain, NOW, &[]), Ok(1));
}

#[test]
fn promise_07_a_request_that_a_service_may_take_for_another_one_is_refused() {
    let may = [Scope::Read, Scope::Write];
    let of_a_path = Capability::issue(&PEOPLE.anna, terms(7, &PEOPLE.bob, "service/calendar/a", &may)).unwrap();
    let of_all = Capability::issue(&PEOPLE.anna, terms(8, &PEOPLE.bob, "service/calendar", &may)).unwrap();
    let asks = |capability: &Capability, method: &str, query: &str, body: &str| {
        let request = SharedRequest {
            method: method.into(),
            query: query.into(),
            content_type: "application/x-www-form-urlencoded".into(),
            body: body.into(),
            ..get("/a")
        };
        present(&PEOPLE.bob, vec![capability.clone()], request).map(drop)
    };
    let other_method = Err(CapabilityError::OtherMethod);
    for capability in [&of_a_path, &of_all] {
        assert_eq!(asks(capability, "GET", "a=1&%5fMethod=DELETE", ""), other_method);
        assert_eq!(asks(capability, "POST", "", "a=1&_method=DELETE"), other_method);
        assert!(asks(capability, "POST", "method=a", "http_method=GET").is_ok());
    }
    let other_path = Err(CapabilityError::OtherPath);
    assert_eq!(asks(&of_a_path, "GET", "rest_route=/wp/v2/users", ""), other_path);
    assert_eq!(asks(&of_a_path, "POST", "", "rest_route=/wp/v2/users"), other_path);
    assert!(asks(&of_all, "GET", "rest_route=/wp/v2/users", "").is_ok());
}

#[test]
fn each_reason_to_refuse_a_chain_has_its_name() {
    let root = root();
    let own = PEOPLE.anna.public().signer();
    let link = |terms| Capability::delegate(&PEOPLE.bob, &root, terms);
    let narrow = NewCapability {
        constraints: root.constraints,
        ..terms(3, &PEOPLE.carla, "service/calendar/a/b", &[Scope::Read])
    };
    let child = link(narrow.clone()).unwrap();
    assert!(verify(&[root.clone(), child.clone()]).is_ok());

    assert_eq!(verify(&[]), Err(CapabilityError::EmptyChain));
    assert_eq!(
        verify(std::slice::from_ref(&child)),
        Err(CapabilityError::NotIssuedHere)
    );
    assert_eq!(
        verify(&[root.clone(), root.clone()]),
        Err(CapabilityError::NotTheHolder(root.jti))
    );
    let at = |now| verify_chain(std::slice::from_ref(&root), &own, now, |_| false);
    assert_eq!(at(NOW + HOUR), Err(CapabilityError::Expired(root.jti)));
    assert_eq!(at(NOW - HOUR - 60_001), Err(CapabilityError::NotYet(root.jti)));
    for revoked in [root.jti, child.jti] {
        let outcome = verify_chain(&[root.clone(), child.clone()], &own, NOW, |id| id == revoked);
        assert_eq!(outcome, Err(CapabilityError::Revoked(revoked)));
    }
    let of_bob = Capability::issue(&PEOPLE.bob, terms(4, &PEOPLE.bob, "service/calendar", &[Scope::Read])).unwrap();
    assert_eq!(verify(&[of_bob]), Err(CapabilityError::NotIssuedHere));
    let end = Capability::delegate(
        &PEOPLE.carla,
        &child,
        NewCapability {
            id: Uuid::from_u128(5),
            ..narrow.clone()
        },
    );
    assert_eq!(end, Err(CapabilityError::MayNotShare(Uuid::from_u128(5))));
    let by_carla = Capability::delegate(&PEOPLE.carla, &root, narrow);
    assert_eq!(by_carla, Err(CapabilityError::NotTheHolder(child.jti)));
    let no_time = NewCapability {
        until: NOW - HOUR,
        ..terms(6, &PEOPLE.bob, "service/a", &[Scope::Read])
    };
    assert!(matches!(
        Capability::issue(&PEOPLE.anna, no_time),
        Err(CapabilityError::BadTimes(_))
    ));
    assert!(matches!(
        Capability::issue(&PEOPLE.anna, terms(7, &PEOPLE.bob, "service/a", &[])),
        Err(CapabilityError::NoScope(_))
    ));
}

#[test]
fn no_link_may_be_wider_than_the_one_before_it() {
    let root = root();
    let narrow = NewCapability {
        constraints: root.constraints,
        ..terms(3, &PEOPLE.carla, "service/calendar/a/b", &[Scope::Read])
    };
    let wider = |terms| match Capability::delegate(&PEOPLE.bob, &root, terms) {
        Err(CapabilityError::Wider { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    for resource in [
        "service/calendar",
        "service/calendar/ab",
        "service/mail/a",
        "service/calendar/b",
    ] {
        let resource = Resource::parse(resource).unwrap();
        assert_eq!(
            wider(NewCapability {
                resource,
                ..narrow.clone()
            }),
            Wider::Resource
        );
    }
    let scope: Scopes = [Scope::Read, Scope::Write].into();
    assert_eq!(
        wider(NewCapability {
            scope,
            ..narrow.clone()
        }),
        Wider::Scope
    );
    assert_eq!(
        wider(NewCapability {
            until: NOW + HOUR + 1,
            ..narrow.clone()
        }),
        Wider::Time
    );
    assert_eq!(
        wider(NewCapability {
            from: NOW - HOUR - 1,
            ..narrow.clone()
        }),
        Wider::Time
    );
    let with = |max_calls, rate| NewCapability {
        constraints: Constraints { max_calls, rate },
        ..narrow.clone()
    };
    let rate = root.constraints.rate;
    assert_eq!(wider(with(None, rate)), Wider::Calls);
    assert_eq!(wider(with(Some(11), rate)), Wider::Calls);
    assert_eq!(wider(with(Some(10), None)), Wider::Rate);
    assert_eq!(
        wider(with(Some(10), Some(Rate { calls: 6, per_ms: 1000 }))),
        Wider::Rate
    );
    assert_eq!(wider(with(Some(10), Some(Rate { calls: 5, per_ms: 999 }))), Wider::Rate);
}

#[test]
fn names_of_resources_have_one_reading() {
    for text in [
        "service/a",
        "service/a-1/x",
        "service/a/calendars/bob@example.com/events",
    ] {
        assert_eq!(Resource::parse(text).unwrap().as_str(), text);
    }
    for text in [
        "",
        "service/",
        "service",
        "a",
        "service/A",
        "service/-a",
        "service/a/",
        "service/a//b",
        "service/a/..",
        "service/a/.",
        "service/a/%2e",
        "service/a/b?c",
        "service/a/b;c",
        "service/a/ü",
    ] {
        assert!(Resource::parse(text).is_err(), "{text}");
    }
}

/// One that may be copied: of one request, read alone, and by nobody else.
fn with_copy() -> NewCapability {
    NewCapability {
        cached: Some(get("/a/b")),
        ..terms(1, &PEOPLE.bob, "service/calendar/a", &[Scope::Read])
    }
}

#[test]
fn promise_07_a_copy_is_of_one_request_that_reads_what_is_shared() {
    let issued = Capability::issue(&PEOPLE.anna, with_copy()).unwrap();
    assert_eq!(issued.cached, Some(get("/a/b")));
    assert!(verify(std::slice::from_ref(&issued)).is_ok());
    assert_eq!(Capability::parse(&issued.encode()).unwrap(), issued);
    let cached = |request| NewCapability {
        cached: Some(request),
        ..with_copy()
    };
    let of_scope = |scope: &[Scope]| NewCapability {
        scope: scope.iter().copied().collect(),
        ..with_copy()
    };
    let head = SharedRequest {
        method: "HEAD".into(),
        ..get("/a/b")
    };
    let large = SharedRequest {
        body: vec![b'x'; vault::CACHED_REQUEST_BYTES],
        ..get("/a/b")
    };
    let counted = NewCapability {
        constraints: Constraints {
            max_calls: Some(1),
            rate: None,
        },
        ..with_copy()
    };
    for bad in [
        cached(get("/b")),
        cached(get("/a/../b")),
        cached(head),
        cached(large),
        of_scope(&[Scope::List]),
        of_scope(&[Scope::Read, Scope::Write]),
        of_scope(&[Scope::Read, Scope::Share]),
        counted,
    ] {
        let refused = Capability::issue(&PEOPLE.anna, bad).unwrap_err();
        assert_eq!(refused.code(), "bad_terms");
    }
}

#[test]
fn promise_07_nobody_but_the_issuer_lets_a_copy_be_made() {
    let mut raised = Capability::issue(
        &PEOPLE.anna,
        terms(1, &PEOPLE.bob, "service/calendar/a", &[Scope::Read]),
    )
    .unwrap();
    raised.cached = Some(get("/a/b"));
    assert_eq!(
        verify(std::slice::from_ref(&raised)),
        Err(CapabilityError::BadSignature(raised.jti))
    );
    // Nor whoever passes it on.
    let passable = terms(1, &PEOPLE.bob, "service/calendar/a", &[Scope::Read, Scope::Share]);
    let passable = Capability::issue(&PEOPLE.anna, passable).unwrap();
    let link = NewCapability {
        id: Uuid::from_u128(2),
        holder: PEOPLE.carla.public().signer(),
        ..with_copy()
    };
    let refused = Capability::delegate(&PEOPLE.bob, &passable, link).unwrap_err();
    assert_eq!(refused.code(), "bad_terms");
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let all = [
        Scope::Read,
        Scope::List,
        Scope::Write,
        Scope::Delete,
        Scope::Admin,
        Scope::Share,
    ];
    proptest::sample::subsequence(all.to_vec(), 1..=6).prop_map(|scopes| scopes.into_iter().collect())
}

fn constraints() -> impl Strategy<Value = Constraints> {
    let rate = proptest::option::of((1_u64..5, 1_u64..5).prop_map(|(calls, per_ms)| Rate { calls, per_ms }));
    (proptest::option::of(1_u64..5), rate).prop_map(|(max_calls, rate)| Constraints { max_calls, rate })
}

fn resources() -> impl Strategy<Value = Resource> {
    let names = ["service/a", "service/b", "service/a/x", "service/a/x/y", "service/a/xy"];
    proptest::sample::select(names.to_vec()).prop_map(|name| Resource::parse(name).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_passed_on_allows_nothing_that_the_first_did_not(
        (scope_1, scope_2) in (scopes(), scopes()),
        (resource_1, resource_2) in (resources(), resources()),
        (limits_1, limits_2) in (constraints(), constraints()),
        (until_1, until_2) in (1_i64..4, 1_i64..4),
    ) {
        let new = |id, holder: &Identity, resource: &Resource, scope: &Scopes, constraints, until| NewCapability {
            id: Uuid::from_u128(id), holder: holder.public().signer(), resource: resource.clone(),
            scope: scope.clone(), from: NOW, until: NOW + until, constraints,
            cached: None,
        };
        let first = Capability::issue(
            &PEOPLE.anna, new(1, &PEOPLE.bob, &resource_1, &scope_1, limits_1, until_1)).unwrap();
        let second = new(2, &PEOPLE.carla, &resource_2, &scope_2, limits_2, until_2);
        let within = resource_2.is_within(&resource_1) && scope_2.is_subset(&scope_1) && until_2 <= until_1
            && scope_1.contains(&Scope::Share)
            && limits_1.max_calls.is_none_or(|most| limits_2.max_calls.is_some_and(|own| own <= most))
            && limits_1.rate.is_none_or(|most| limits_2.rate.is_some_and(
                |own| own.calls <= most.calls && own.per_ms >= most.per_ms));
        match Capability::delegate(&PEOPLE.bob, &first, second) {
            Ok(second) => {
                prop_assert!(within);
                prop_assert!(verify(&[first, second]).is_ok());
            }
            Err(_) => prop_assert!(!within),
        }
    }

    #[test]
    fn any_bit_that_is_flipped_is_refused(at in any::<proptest::sample::Index>(), bit in 0_u8..8) {
        let chain = vec![root()];
        let text = Presentation::sign(&PEOPLE.bob, chain, get("/a"), NOW).unwrap().encode();
        let mut changed = text.clone();
        let at = at.index(text.len());
        changed[at] ^= 1 << bit;
        let outcome = Presentation::parse(&changed)
            .and_then(|presentation| presentation.verify(&PEOPLE.anna.public().signer(), NOW, |_| false));
        prop_assert!(outcome.is_err(), "{at}");
    }
}
