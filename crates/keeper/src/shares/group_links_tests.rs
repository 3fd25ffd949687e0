//! Anna's group: what she lets Bob pass on, Carol has of him, as long as both are in the group.

use protocol::control::{GroupTie, Side};
use serde_json::{Value, json};
use uuid::Uuid;
use vault::{Capability, Constraints, Scope};

use super::group_tests::{Group, Management, SOON};
use super::tests::{HOUR, KEY, Sharer};
use super::{PassOn, Standing, Tie};
use crate::clock::{Clock as _, SystemClock};

struct Passed {
    group: Group,
    carol: Sharer,
    /// What Bob has of Anna.
    root: Uuid,
    /// What Carol has of Bob.
    link: Capability,
}

/// Somebody whom Bob knows.
async fn a_colleague(group: &Group, name: &str) -> Sharer {
    let colleague = Sharer::at(&group.relay).await;
    group.bob.knows(&colleague, name).await;
    colleague.knows(&group.bob, "Bob").await;
    Management::of(&colleague);
    colleague
}

async fn passes_on(group: &Group, root: Uuid, to: &Sharer) -> Capability {
    let terms = PassOn {
        id: root,
        with: to.user,
        resource: None,
        scope: [Scope::Read].into(),
        until: SystemClock.now() + HOUR / 2,
        constraints: Constraints::default(),
    };
    let link = group.bob.shares.pass_on(terms).await.unwrap().capability;
    to.gets(link.jti).await;
    let anna = &group.anna;
    anna.until(|shares| shares.link(link.jti).unwrap().is_some()).await;
    link
}

impl Passed {
    async fn new() -> Self {
        let group = Group::new().await;
        let carol = a_colleague(&group, "Carol").await;
        group.anna.knows(&carol, "Carol").await;
        let resource = group.offered().await;
        let given = group.grant(&resource, group.bob.user, &[Scope::Read, Scope::Share]);
        let root = given.await.unwrap().capability.jti;
        group.bob.gets(root).await;
        group.bob.shares.accept(root, 0).await.unwrap();
        let link = passes_on(&group, root, &carol).await;
        Self {
            group,
            carol,
            root,
            link,
        }
    }

    async fn carol_reads(&self) -> Result<String, String> {
        let read = self.carol.uses(self.link.jti, "GET", "/work/today").await;
        read.map_err(|error| error.code().to_owned())
    }

    fn refused(code: &str) -> Result<String, String> {
        Err(code.to_owned())
    }

    async fn carol_sees(&self, standing: Standing) {
        let stands = |shares: &super::Shares| {
            let received = shares.one_received(self.link.jti).unwrap();
            shares.standing(&received).unwrap() == standing
        };
        let waits = tokio::time::timeout(SOON, self.carol.until(stands)).await;
        waits.expect("it comes to stand so");
    }

    /// How Anna sees to whom it was passed on.
    fn seen_by_anna(&self) -> Value {
        let shares = &self.group.anna.shares;
        let given = shares.was_given(self.root).unwrap().unwrap();
        shares.shown(&given).unwrap()["passed_on"].clone()
    }
}

#[tokio::test]
async fn a_member_passes_on_what_a_group_shares_to_another_whose_calls_go_to_the_vault_of_whoever_shares_it() {
    let passed = Passed::new().await;
    let said = passed.carol_reads().await.unwrap();
    assert!(
        said.starts_with("GET /work/today with ") && !said.contains(KEY),
        "{said}"
    );
    // Anna's keeper has asked whether the one who uses it is in the group, since it was passed on.
    let wanted = GroupTie {
        group: passed.group.id,
        other: passed.carol.user,
        own: Side::Gives,
        since: passed.link.iat,
    };
    assert_eq!(passed.group.for_anna.last_asked(), Some(wanted));
    let seen = passed.seen_by_anna();
    assert_eq!(
        (&seen[0]["by"]["name"], &seen[0]["to"]["name"]),
        (&json!("Bob"), &json!("Carol"))
    );
    assert_eq!((&seen[0]["calls"], &seen[0]["state"]), (&json!(1), &json!("given")));
    // Passing on is for people: his agent is told what it may call.
    let told = passed.group.bob.shares.skills().unwrap().remove(0).document;
    assert!(told.contains("You may: read."), "{told}");
}

#[tokio::test]
async fn promise_09_who_is_taken_out_of_a_group_takes_with_them_what_they_passed_on() {
    let passed = Passed::new().await;
    assert!(passed.carol_reads().await.is_ok());
    // Only management is told. Carol is in it as before.
    passed.group.for_anna.puts_out(passed.group.bob.user);
    assert_eq!(passed.carol_reads().await, Passed::refused("not_in_group"));
    assert!(passed.group.stopped(passed.root));
    // For good, also when he comes back.
    passed.group.for_anna.takes_back(passed.group.bob.user);
    passed.carol_sees(Standing::Stopped).await;
    assert_eq!(passed.carol_reads().await, Passed::refused("revoked"));
    assert_eq!(passed.seen_by_anna()[0]["state"], "stopped");
    assert_eq!(passed.group.service.asked().len(), 1);
}

#[tokio::test]
async fn promise_09_to_whom_it_was_passed_on_loses_it_with_the_group_and_whoever_passed_it_on_keeps_theirs() {
    let passed = Passed::new().await;
    passed.group.for_anna.puts_out(passed.carol.user);
    assert_eq!(passed.carol_reads().await, Passed::refused("not_in_group"));
    assert!(passed.group.stopped(passed.link.jti) && !passed.group.stopped(passed.root));
    passed.group.for_anna.takes_back(passed.carol.user);
    passed.carol_sees(Standing::Stopped).await;
    assert_eq!(passed.carol_reads().await, Passed::refused("revoked"));
    assert!(passed.group.service.asked().is_empty());
    assert!(passed.group.bob.uses(passed.root, "GET", "/work/today").await.is_ok());
}

#[tokio::test]
async fn promise_09_a_vault_looks_by_itself_whether_those_to_whom_it_was_passed_on_are_in_the_group() {
    let passed = Passed::new().await;
    passed.group.anna.shares.look_at_groups().await.unwrap();
    assert!(!passed.group.stopped(passed.link.jti));
    passed.group.for_anna.puts_out(passed.carol.user);
    passed.group.anna.shares.look_at_groups().await.unwrap();
    assert!(passed.group.stopped(passed.link.jti) && !passed.group.stopped(passed.root));
    passed.group.for_anna.says(Tie::Unknown);
    assert_eq!(passed.carol_reads().await, Passed::refused("revoked"));
}

#[tokio::test]
async fn promise_07_what_a_group_shares_is_refused_to_whom_its_owner_does_not_know_until_they_do() {
    let passed = Passed::new().await;
    let dora = a_colleague(&passed.group, "Dora").await;
    let link = passes_on(&passed.group, passed.root, &dora).await;
    assert_eq!(dora.refused(link.jti, "GET", "/work/today").await, "holder_unknown");
    assert!(passed.group.service.asked().is_empty());
    // Not for good: a group's page makes its people known to each other.
    passed.group.anna.knows(&dora, "Dora").await;
    assert!(dora.uses(link.jti, "GET", "/work/today").await.is_ok());
}
