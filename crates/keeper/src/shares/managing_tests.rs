//! Anna shares with her group, and Bob manages it for her: he says what Carol may do, and never more than he may himself.

use serde_json::{Value, json};
use vault::{Capability, ManageRequest, Management, Scope};

use super::group_tests::{Group, Management as Platform};
use super::tests::Sharer;
use super::{Given, GroupResource, Manage, Managed, PassOn, ShareError};
use crate::activity::What;
use crate::clock::{Clock as _, SystemClock};

struct Managing {
    group: Group,
    carol: Sharer,
    resource: GroupResource,
    /// What Bob has of Anna.
    bobs: Capability,
}

const HIS: [Scope; 3] = [Scope::Read, Scope::List, Scope::Admin];

impl Managing {
    async fn new() -> Self {
        let group = Group::new().await;
        let carol = Sharer::at(&group.relay).await;
        group.anna.knows(&carol, "Carol").await;
        carol.knows(&group.anna, "Anna").await;
        Platform::of(&carol);
        let resource = group.offered().await;
        let bobs = Self::accepted(&group, &resource, &group.bob, &HIS).await;
        Self {
            group,
            carol,
            resource,
            bobs,
        }
    }

    async fn accepted(group: &Group, resource: &GroupResource, who: &Sharer, scope: &[Scope]) -> Capability {
        let given = group.grant(resource, who.user, scope).await.unwrap().capability;
        who.gets(given.jti).await;
        who.shares.accept(given.jti, 0).await.unwrap();
        given
    }

    fn lets(&self, who: &Sharer, scope: &[Scope]) -> ManageRequest {
        ManageRequest::Grant {
            user: who.user.uuid(),
            scope: scope.iter().copied().collect(),
            until: self.bobs.exp,
        }
    }

    fn ends(who: &Sharer) -> ManageRequest {
        ManageRequest::End { user: who.user.uuid() }
    }

    /// By his page.
    async fn bob(&self, request: ManageRequest) -> Result<Vec<Managed>, ShareError> {
        let id = self.bobs.jti;
        self.group.bob.shares.manage(Manage { id, request }).await
    }

    async fn bob_is_refused(&self, request: ManageRequest) -> String {
        self.bob(request).await.unwrap_err().code().to_owned()
    }

    async fn signed(by: &Sharer, held: &Capability, request: ManageRequest) -> Vec<u8> {
        let identity = by.person.vault.identity().await.unwrap();
        let asked = Management::sign(&identity, vec![held.clone()], request, SystemClock.now());
        asked.unwrap().encode()
    }

    /// What Anna's keeper says to a request that somebody brings.
    async fn brought(&self, by: &Sharer, text: &[u8]) -> Result<u16, String> {
        let done = self.group.anna.shares.managed(&by.person.identity, text).await;
        done.map(|answered| answered.status)
            .map_err(|error| error.code().to_owned())
    }

    /// What Carol has now.
    fn carols(&self) -> Option<Given> {
        let given = self.group.anna.shares.given_of(self.resource.id, Some(self.carol.user));
        given.unwrap().pop()
    }

    fn no(code: &str) -> Result<u16, String> {
        Err(code.to_owned())
    }
}

#[tokio::test]
async fn who_manages_it_lets_others_use_what_a_group_shares_and_ends_that_and_its_owner_sees_it() {
    let managing = Managing::new().await;
    let (bob, carol) = (managing.group.bob.user, &managing.carol);
    let members = managing.bob(ManageRequest::Look).await.unwrap();
    assert_eq!(members.iter().map(|each| each.user).collect::<Vec<_>>(), [bob]);

    let members = managing.bob(managing.lets(carol, &[Scope::Read])).await.unwrap();
    let carols = managing.carols().unwrap();
    let told = members.iter().find(|each| each.user == carol.user).unwrap();
    assert_eq!((&told.scope, told.until), (&[Scope::Read].into(), managing.bobs.exp));
    // It is Anna's, as if she had given it: for the key that she knows, and through her keeper.
    let id = carols.capability.jti;
    carol.gets(id).await;
    carol.shares.accept(id, 0).await.unwrap();
    assert!(carol.uses(id, "GET", "/work/today").await.is_ok());
    let anna = &managing.group.anna;
    assert_eq!(anna.shares.shown(&carols).unwrap()["by"], "Bob");

    let members = managing.bob(Managing::ends(carol)).await.unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(carol.refused(id, "GET", "/work/today").await, "revoked");
    // What he did stands in her activity, with whose doing it was.
    for what in [What::Shared, What::ShareStopped] {
        let entries = json!(anna.shares.activity.entries(None).unwrap());
        let by_bob = entries
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["what"] == json!(what) && entry["to"] == "Carol" && entry["why"] == "by Bob");
        assert!(by_bob, "{what:?}: {entries}");
    }
    // He has used nothing up that was not his: he reads as before.
    assert!(
        managing
            .group
            .bob
            .uses(managing.bobs.jti, "GET", "/work/today")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn promise_07_who_manages_it_gives_no_more_than_they_have_and_says_nothing_of_those_who_manage_it() {
    let managing = Managing::new().await;
    let carol = &managing.carol;
    for scope in [Scope::Write, Scope::Delete, Scope::Share, Scope::Admin] {
        let refused = managing.bob_is_refused(managing.lets(carol, &[Scope::Read, scope]));
        assert_eq!(refused.await, "wider", "{scope:?}");
    }
    let longer = ManageRequest::Grant {
        user: carol.user.uuid(),
        scope: [Scope::Read].into(),
        until: managing.bobs.exp + 1,
    };
    assert_eq!(managing.bob_is_refused(longer).await, "wider");
    // Who is not in the group, or whom Anna does not know.
    managing.group.for_anna.puts_out(carol.user);
    let lets = managing.lets(carol, &[Scope::Read]);
    assert_eq!(managing.bob_is_refused(lets).await, "not_in_group");
    managing.group.for_anna.takes_back(carol.user);
    let dora = Sharer::at(&managing.group.relay).await;
    let lets = managing.lets(&dora, &[Scope::Read]);
    assert_eq!(managing.bob_is_refused(lets).await, "holder_unknown");
    assert!(managing.carols().is_none());
    // What he may himself, or another who manages it, is for Anna to say.
    Managing::accepted(&managing.group, &managing.resource, carol, &HIS).await;
    for who in [&managing.group.bob, carol] {
        for request in [managing.lets(who, &[Scope::Read]), Managing::ends(who)] {
            assert_eq!(managing.bob_is_refused(request).await, "owner_only");
        }
    }
    assert!(managing.carols().unwrap().manages());
}

#[tokio::test]
async fn promise_07_a_request_to_manage_counts_once_and_for_whoever_may_alone() {
    let managing = Managing::new().await;
    let (bob, carol) = (&managing.group.bob, &managing.carol);
    let text = Managing::signed(bob, &managing.bobs, managing.lets(carol, &[Scope::Read])).await;
    // Brought by another, or signed by another.
    assert_eq!(managing.brought(carol, &text).await, Managing::no("not_held"));
    let forged = Managing::signed(carol, &managing.bobs, managing.lets(carol, &[Scope::Read])).await;
    for by in [bob, carol] {
        assert_eq!(managing.brought(by, &forged).await, Managing::no("not_held"));
    }
    assert!(managing.carols().is_none());
    assert_eq!(managing.brought(bob, &text).await, Ok(200));
    let first = managing.carols().unwrap().capability.jti;
    assert_eq!(managing.brought(bob, &text).await, Managing::no("replayed"));
    assert_eq!(managing.carols().unwrap().capability.jti, first);
    // By who may use it, and not manage it.
    let carols = managing.carols().unwrap().capability;
    for request in [ManageRequest::Look, Managing::ends(carol)] {
        let text = Managing::signed(carol, &carols, request).await;
        assert_eq!(managing.brought(carol, &text).await, Managing::no("scope"));
    }
    // What is shared with a person has nobody who manages it, though earlier versions shared it so.
    let anna = &managing.group.anna;
    let hers = anna.shares.issue_of(anna.terms(carol, &HIS), None, Vec::new(), None);
    let hers = hers.await.unwrap().capability;
    let text = Managing::signed(carol, &hers, ManageRequest::Look).await;
    assert_eq!(
        managing.brought(carol, &text).await,
        Managing::no("unknown_group_resource")
    );
}

#[tokio::test]
async fn promise_07_the_right_to_manage_is_not_passed_on() {
    let managing = Managing::new().await;
    let (anna, bob) = (&managing.group.anna, &managing.group.bob);
    let rights = [Scope::Read, Scope::Share, Scope::Admin];
    let held = Managing::accepted(&managing.group, &managing.resource, bob, &rights).await;
    bob.knows(&managing.carol, "Carol").await;
    let terms = PassOn {
        id: held.jti,
        with: managing.carol.user,
        resource: None,
        scope: [Scope::Read, Scope::Admin].into(),
        until: held.exp,
        constraints: held.constraints,
    };
    let refused = bob.shares.pass_on(terms).await.unwrap_err();
    assert_eq!(refused.code(), "owner_only");
    assert!(anna.shares.links().unwrap().is_empty());
}

#[tokio::test]
async fn promise_09_what_was_taken_from_whoever_manages_it_is_refused_from_then_on() {
    let managing = Managing::new().await;
    let lets = managing.lets(&managing.carol, &[Scope::Read]);
    // In the middle of it: while the group is asked for Carol.
    let (anna, platform) = (&managing.group.anna.shares, &managing.group.for_anna);
    let asked = platform.times_asked();
    let text = Managing::signed(&managing.group.bob, &managing.bobs, lets.clone()).await;
    let held = platform.held().await;
    let (said, ()) = tokio::join!(managing.brought(&managing.group.bob, &text), async {
        platform.is_asked(asked + 1).await;
        anna.revoke(managing.bobs.jti).await.unwrap();
        drop(held);
    });
    assert_eq!(said, Managing::no("revoked"));
    let text = Managing::signed(&managing.group.bob, &managing.bobs, lets).await;
    assert_eq!(
        managing.brought(&managing.group.bob, &text).await,
        Managing::no("revoked")
    );
    assert!(managing.carols().is_none());
}

#[tokio::test]
async fn promise_09_who_is_taken_out_of_a_group_manages_nothing_there_and_what_they_let_others_is_its_owners() {
    let managing = Managing::new().await;
    let lets = managing.lets(&managing.carol, &[Scope::Read]);
    managing.bob(lets.clone()).await.unwrap();
    managing.group.for_anna.puts_out(managing.group.bob.user);
    let ends = Managing::ends(&managing.carol);
    assert_eq!(managing.bob_is_refused(ends.clone()).await, "not_in_group");
    assert!(managing.group.stopped(managing.bobs.jti));
    managing.group.for_anna.takes_back(managing.group.bob.user);
    let text = Managing::signed(&managing.group.bob, &managing.bobs, ends).await;
    assert_eq!(
        managing.brought(&managing.group.bob, &text).await,
        Managing::no("revoked")
    );
    // Carol keeps what she was let, until Anna says otherwise.
    let id = managing.carols().unwrap().capability.jti;
    managing.carol.gets(id).await;
    managing.carol.shares.accept(id, 0).await.unwrap();
    assert!(managing.carol.uses(id, "GET", "/work/today").await.is_ok());
    managing.group.anna.shares.revoke(id).await.unwrap();
    assert_eq!(managing.carol.refused(id, "GET", "/work/today").await, "revoked");
}

#[tokio::test]
async fn promise_07_who_manages_what_was_one_service_manages_no_other_of_its_name() {
    let managing = Managing::new().await;
    let carol = &managing.carol;
    managing.bob(managing.lets(carol, &[Scope::Read])).await.unwrap();
    let another = |route: &mut Value| route["secret"] = json!("0198a2c4-0000-7000-8000-000000000001");
    managing.group.anna.rewrites("route/calendar", another).await;
    for request in [
        ManageRequest::Look,
        managing.lets(carol, &[Scope::List]),
        Managing::ends(carol),
    ] {
        assert_eq!(managing.bob_is_refused(request).await, "other_kind");
    }
    assert_eq!(managing.carols().unwrap().capability.scope, [Scope::Read].into());
}

#[tokio::test]
async fn what_cannot_be_asked_of_the_group_is_not_done_for_whoever_manages_it() {
    let managing = Managing::new().await;
    managing.group.for_anna.says(super::Tie::Unknown);
    let lets = managing.lets(&managing.carol, &[Scope::Read]);
    assert_eq!(managing.bob_is_refused(lets).await, "group_unknown");
    assert!(managing.carols().is_none() && !managing.group.stopped(managing.bobs.jti));
}
