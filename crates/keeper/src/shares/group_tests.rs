//! Two keepers, a relay between them, and a group: what its admin lets a member use, as long as both are in it.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use protocol::control::{GroupTie, Side};
use protocol::relay::MailboxKey;
use protocol::{GroupId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vault::{Resource, Scope};

use super::tests::{HOUR, KEY, Sharer, calendar, two};
use super::{Given, Grant, GroupResource, Groups, NewResource, ShareError, Shares, Standing, Tie};
use crate::broker::tests::provider::Provider;
use crate::clock::{Clock as _, SystemClock};
use crate::limits;
use crate::relay::tests::liar::{Liar, Lie};

/// What management says of one of them.
#[derive(Clone)]
pub(super) struct Management {
    says: Arc<Mutex<Tie>>,
    /// Who is in no group, whatever else it says.
    out: Arc<Mutex<Vec<UserId>>>,
    asked: Arc<Mutex<Vec<GroupTie>>>,
    /// Who is suspended, or removed.
    suspended: Arc<Mutex<Vec<MailboxKey>>>,
    /// Taken for each answer: whoever has it makes them wait.
    may_answer: Arc<Semaphore>,
}

impl Management {
    pub fn of(sharer: &Sharer) -> Self {
        let management = Self {
            says: Arc::new(Mutex::new(Tie::Stands)),
            out: Arc::default(),
            asked: Arc::default(),
            suspended: Arc::default(),
            may_answer: Arc::new(Semaphore::new(1)),
        };
        sharer.shares.ask_about_groups(Arc::new(management.clone()));
        management
    }

    pub fn says(&self, tie: Tie) {
        *self.says.lock().unwrap() = tie;
    }

    /// Only this one has been taken out.
    pub fn puts_out(&self, user: UserId) {
        self.out.lock().unwrap().push(user);
    }

    pub fn takes_back(&self, user: UserId) {
        self.out.lock().unwrap().retain(|out| *out != user);
    }

    pub fn suspends(&self, person: &Sharer) {
        self.suspended.lock().unwrap().push(mailbox(person));
    }

    pub fn lets_back_in(&self, person: &Sharer) {
        self.suspended.lock().unwrap().retain(|one| *one != mailbox(person));
    }

    pub fn last_asked(&self) -> Option<GroupTie> {
        self.asked.lock().unwrap().last().copied()
    }

    /// It answers nothing until the permit is dropped.
    pub async fn held(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.may_answer).acquire_owned().await.unwrap()
    }

    /// Until it was asked so often.
    pub async fn is_asked(&self, times: usize) {
        while self.asked.lock().unwrap().len() < times {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn mailbox(of: &Sharer) -> MailboxKey {
    MailboxKey(of.person.identity.signing_key())
}

impl Groups for Management {
    fn tie(&self, tie: GroupTie) -> BoxFuture<'_, Tie> {
        self.asked.lock().unwrap().push(tie);
        Box::pin(async move {
            let _may = self.may_answer.acquire().await.unwrap();
            match self.out.lock().unwrap().contains(&tie.other) {
                true => Tie::Gone,
                false => *self.says.lock().unwrap(),
            }
        })
    }

    fn person(&self, mailbox: MailboxKey) -> BoxFuture<'_, Tie> {
        Box::pin(async move {
            let _may = self.may_answer.acquire().await.unwrap();
            match self.suspended.lock().unwrap().contains(&mailbox) {
                true => Tie::Gone,
                false => *self.says.lock().unwrap(),
            }
        })
    }
}

/// Anna, an admin of a group who has a calendar, and Bob, a member.
pub(super) struct Group {
    pub relay: Liar,
    pub service: Provider,
    pub id: GroupId,
    pub anna: Sharer,
    pub bob: Sharer,
    pub for_anna: Management,
    pub for_bob: Management,
}

/// Longer than two keepers in one process need for anything.
pub(super) const SOON: std::time::Duration = std::time::Duration::from_secs(10);
pub(super) const SKILL: &str = "Ask for /work/today before you promise anybody an hour.";

impl Group {
    pub async fn new() -> Self {
        let (relay, service) = (Liar::start(Lie::Honest), calendar().await);
        let (anna, bob) = two(&relay, &service).await;
        Self {
            for_anna: Management::of(&anna),
            for_bob: Management::of(&bob),
            relay,
            service,
            id: GroupId::new(),
            anna,
            bob,
        }
    }

    fn described(&self) -> NewResource {
        NewResource {
            group: self.id,
            group_name: "Support".to_owned(),
            name: "Team calendar".to_owned(),
            about: "When we are free.".to_owned(),
            resource: Resource::parse("service/calendar/work").unwrap(),
            skill: SKILL.to_owned(),
        }
    }

    pub async fn offered(&self) -> GroupResource {
        self.anna.shares.offer(self.described()).await.unwrap()
    }

    pub async fn grant(&self, resource: &GroupResource, with: UserId, scope: &[Scope]) -> Result<Given, ShareError> {
        let grant = Grant {
            resource: resource.id,
            with,
            scope: scope.iter().copied().collect(),
            until: SystemClock.now() + HOUR,
        };
        self.anna.shares.grant(grant).await
    }

    /// Something that somebody may look at and has not accepted yet, once it is there.
    pub async fn given_to(&self, member: &Sharer, resource: &GroupResource) -> uuid::Uuid {
        let given = self.grant(resource, member.user, &[Scope::Read]).await.unwrap();
        member.gets(given.capability.jti).await;
        given.capability.jti
    }

    /// Something that Bob has and has accepted.
    pub async fn used_by_bob(&self) -> (GroupResource, uuid::Uuid) {
        let resource = self.offered().await;
        let id = self.given_to(&self.bob, &resource).await;
        self.bob.shares.accept(id, 0).await.unwrap();
        assert!(self.bob.uses(id, "GET", "/work/today").await.is_ok());
        (resource, id)
    }

    pub async fn bob_sees(&self, id: uuid::Uuid, standing: Standing) {
        let is = |shares: &Shares| shares.standing(&shares.one_received(id).unwrap()).unwrap() == standing;
        let waits = tokio::time::timeout(SOON, self.bob.until(is)).await;
        waits.expect("it comes to stand so");
    }

    /// Management says from now on that he is not in it.
    pub fn puts_bob_out(&self) {
        self.for_anna.says(Tie::Gone);
    }

    pub fn stopped(&self, id: uuid::Uuid) -> bool {
        self.anna.shares.is_revoked(id).unwrap()
    }
}

#[tokio::test]
async fn a_member_accepts_what_is_shared_in_a_group_and_their_agent_is_told_how_it_is_used() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let id = group.given_to(&group.bob, &resource).await;
    // Not before he says so, and the agent hears nothing.
    group.bob_sees(id, Standing::Offered).await;
    assert_eq!(group.bob.refused(id, "GET", "/work/today").await, "not_accepted");
    assert!(group.bob.shares.skills().unwrap().is_empty());
    group.bob.shares.accept(id, 0).await.unwrap();
    let said = group.bob.uses(id, "GET", "/work/today").await.unwrap();
    assert!(
        said.starts_with("GET /work/today with ") && !said.contains(KEY),
        "{said}"
    );
    let skills = group.bob.shares.skills().unwrap();
    let [skill] = skills.as_slice() else {
        panic!("{skills:?}")
    };
    assert!(skill.name.starts_with("holdfast-team-calendar-"), "{}", skill.name);
    for part in [
        SKILL,
        &id.to_string(),
        "Anna",
        "Support",
        "You may: read.",
        &format!("name: {}\n", skill.name),
    ] {
        assert!(skill.document.contains(part), "{part}: {}", skill.document);
    }
    let asked = group.for_anna.asked.lock().unwrap().clone();
    let given = &group.anna.shares.given().unwrap()[0];
    let wanted = GroupTie {
        group: group.id,
        other: group.bob.user,
        own: Side::Gives,
        since: given.capability.iat,
    };
    assert_eq!(asked.last(), Some(&wanted));
}

#[tokio::test]
async fn an_operation_that_was_not_granted_is_refused_and_more_or_less_can_be_granted_later() {
    let group = Group::new().await;
    let (resource, first) = group.used_by_bob().await;
    assert_eq!(group.bob.refused(first, "POST", "/work/today").await, "scope");
    assert_eq!(group.bob.refused(first, "DELETE", "/work/today").await, "scope");
    assert_eq!(group.bob.refused(first, "GET", "/private").await, "other_resource");
    let more = group
        .grant(&resource, group.bob.user, &[Scope::Read, Scope::Write])
        .await
        .unwrap();
    let more = more.capability.jti;
    assert!(group.stopped(first));
    group.bob.gets(more).await;
    group.bob.shares.accept(more, 0).await.unwrap();
    assert!(group.bob.uses(more, "POST", "/work/today").await.is_ok());
    assert_eq!(group.bob.refused(first, "GET", "/work/today").await, "revoked");
}

#[tokio::test]
async fn promise_09_a_member_who_was_taken_out_is_refused_at_the_next_use_and_it_is_revoked() {
    let group = Group::new().await;
    let (_, id) = group.used_by_bob().await;
    let before = group.service.asked().len();
    // Only management has been told, by whoever took him out; nobody has told Anna's keeper, or Bob's.
    group.for_anna.says(Tie::Gone);
    assert_eq!(group.bob.refused(id, "GET", "/work/today").await, "not_in_group");
    assert_eq!(group.service.asked().len(), before);
    assert!(group.stopped(id));
    // What was revoked stays so, also for who comes back; and his agent is not told of it any more.
    group.for_anna.says(Tie::Stands);
    group.bob_sees(id, Standing::Stopped).await;
    assert!(group.bob.shares.skills().unwrap().is_empty());
    assert_eq!(group.bob.refused(id, "GET", "/work/today").await, "revoked");
}

#[tokio::test]
async fn promise_09_what_the_group_says_cannot_be_looked_up_is_refused_and_ends_nothing() {
    let group = Group::new().await;
    let (_, id) = group.used_by_bob().await;
    let before = group.service.asked().len();
    group.for_anna.says(Tie::Unknown);
    assert_eq!(group.bob.refused(id, "GET", "/work/today").await, "group_unknown");
    assert_eq!(
        group.anna.shares.look_at_groups().await.unwrap_err().code(),
        "group_unknown"
    );
    assert_eq!(group.service.asked().len(), before);
    group.for_anna.says(Tie::Stands);
    assert!(group.bob.uses(id, "GET", "/work/today").await.is_ok());
}

#[tokio::test]
async fn promise_09_both_vaults_look_at_the_group_by_themselves_and_end_what_it_does_not_allow() {
    let group = Group::new().await;
    let (_, id) = group.used_by_bob().await;
    // Bob's first: he left, and Anna's vault is not there to say so.
    group.for_bob.says(Tie::Gone);
    group.bob.shares.look_at_groups().await.unwrap();
    group.bob_sees(id, Standing::Left).await;
    assert!(group.bob.shares.skills().unwrap().is_empty());
    assert_eq!(group.bob.refused(id, "GET", "/work/today").await, "not_in_group");
    assert!(!group.stopped(id));
    group.for_anna.says(Tie::Gone);
    group.anna.shares.look_at_groups().await.unwrap();
    assert!(group.stopped(id));
}

#[tokio::test]
async fn promise_09_what_is_taken_back_while_the_group_is_asked_is_not_carried_out() {
    let group = Group::new().await;
    let (_, id) = group.used_by_bob().await;
    let (before, asked) = (group.service.asked().len(), group.for_anna.times_asked());
    let held = group.for_anna.held().await;
    let (said, ()) = tokio::join!(group.bob.refused(id, "GET", "/work/today"), async {
        group.for_anna.is_asked(asked + 1).await;
        group.anna.shares.revoke(id).await.unwrap();
        drop(held);
    });
    assert_eq!(said, "revoked");
    assert_eq!(group.service.asked().len(), before);
}

#[tokio::test]
async fn promise_09_what_is_withdrawn_while_the_group_is_asked_is_granted_to_nobody() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let asked = group.for_anna.times_asked();
    let held = group.for_anna.held().await;
    let (granted, ()) = tokio::join!(group.grant(&resource, group.bob.user, &[Scope::Read]), async {
        group.for_anna.is_asked(asked + 1).await;
        group.anna.shares.withdraw(resource.id).await.unwrap();
        drop(held);
    });
    assert_eq!(granted.unwrap_err().code(), "unknown_group_resource");
    assert!(group.anna.shares.given().unwrap().is_empty());
}

#[tokio::test]
async fn two_grants_at_once_leave_one_that_lives() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let held = group.for_anna.held().await;
    let asked = group.for_anna.times_asked();
    let (one, two, ()) = tokio::join!(
        group.grant(&resource, group.bob.user, &[Scope::Read]),
        group.grant(&resource, group.bob.user, &[Scope::Read, Scope::Write]),
        async {
            group.for_anna.is_asked(asked + 2).await;
            drop(held);
        }
    );
    let stopped = [one, two].map(|given| group.stopped(given.unwrap().capability.jti));
    assert_eq!(stopped.iter().filter(|stopped| **stopped).count(), 1, "{stopped:?}");
}

#[tokio::test]
async fn promise_07_an_agent_reads_nothing_of_what_its_owner_has_not_accepted_however_it_stands() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let id = group.given_to(&group.bob, &resource).await;
    let for_the_agent = || group.bob.shares.one_received(id).unwrap().is_for_the_agent();
    assert!(!for_the_agent());
    group.anna.shares.revoke(id).await.unwrap();
    group.bob_sees(id, Standing::Stopped).await;
    assert!(!for_the_agent());
    let (_, accepted) = group.used_by_bob().await;
    assert!(group.bob.shares.one_received(accepted).unwrap().is_for_the_agent());
}

#[tokio::test]
async fn one_who_offers_again_and_again_has_a_bounded_place_and_what_ended_makes_room() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let mut last = None;
    for _ in 0..limits::SHARES_RECEIVED_OF_ONE + 3 {
        let given = group.grant(&resource, group.bob.user, &[Scope::Read]).await.unwrap();
        group.bob.gets(given.capability.jti).await;
        if let Some(before) = last.replace(given.capability.jti)
            && group.bob.shares.one_received(before).is_ok()
        {
            group.bob_sees(before, Standing::Stopped).await;
        }
    }
    let kept = group.bob.shares.received().unwrap();
    assert!(kept.len() <= limits::SHARES_RECEIVED_OF_ONE, "{}", kept.len());
    assert_eq!(Some(kept[0].capability.jti), last);

    // What still lives makes room for nothing: offers beside each other, which nobody has stopped.
    let group = Group::new().await;
    for _ in 0..limits::SHARES_RECEIVED_OF_ONE {
        let given = group.anna.shares_with(&group.bob, &[Scope::Read]).await;
        group.bob.gets(given.jti).await;
    }
    let one_more = group.anna.shares_with(&group.bob, &[Scope::Read]).await;
    let from = &group.anna.person.identity;
    let refused = group.bob.shares.take_offer(from, &one_more, None).await;
    assert_eq!(refused.unwrap_err().code(), "too_many_received");
}

#[tokio::test]
async fn who_is_not_in_the_group_is_granted_nothing_and_accepts_nothing() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let granted = group
        .grant(&resource, group.bob.user, &[Scope::Read])
        .await
        .unwrap()
        .capability
        .jti;
    for (says, code) in [(Tie::Gone, "not_in_group"), (Tie::Unknown, "group_unknown")] {
        group.for_anna.says(says);
        let refused = group.grant(&resource, group.bob.user, &[Scope::Read]).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    group.for_anna.says(Tie::Stands);
    group.bob.gets(granted).await;
    // The offer names a group that Bob is not in, or in which Anna is no admin.
    for (says, code) in [(Tie::Unknown, "group_unknown"), (Tie::Gone, "not_in_group")] {
        group.for_bob.says(says);
        assert_eq!(group.bob.shares.accept(granted, 0).await.unwrap_err().code(), code);
    }
    assert!(group.bob.shares.skills().unwrap().is_empty());
    assert_eq!(group.bob.refused(granted, "GET", "/work/today").await, "not_in_group");
    assert!(group.service.asked().is_empty());
}

#[tokio::test]
async fn promise_09_what_is_withdrawn_is_taken_from_every_member_at_once() {
    let group = Group::new().await;
    let (resource, bobs) = group.used_by_bob().await;
    let carol = Sharer::at(&group.relay).await;
    group.anna.knows(&carol, "Carol").await;
    carol.knows(&group.anna, "Anna").await;
    Management::of(&carol);
    let carols = group.given_to(&carol, &resource).await;
    carol.shares.accept(carols, 0).await.unwrap();
    assert!(carol.uses(carols, "GET", "/work/today").await.is_ok());
    group.anna.shares.withdraw(resource.id).await.unwrap();
    assert!(group.anna.shares.resources().unwrap().is_empty());
    assert_eq!(group.bob.refused(bobs, "GET", "/work/today").await, "revoked");
    assert_eq!(carol.refused(carols, "GET", "/work/today").await, "revoked");
    let forgets = carol.until(|shares| shares.skills().unwrap().is_empty());
    tokio::time::timeout(SOON, forgets).await.expect("it is forgotten");
    let again = group.grant(&resource, carol.user, &[Scope::Read]).await;
    assert_eq!(again.unwrap_err().code(), "unknown_group_resource");
}

#[tokio::test]
async fn what_a_skill_says_stays_within_its_place() {
    let group = Group::new().await;
    let refused = async |change: &dyn Fn(&mut NewResource)| {
        let mut new = group.described();
        change(&mut new);
        group
            .anna
            .shares
            .offer(new)
            .await
            .map(|_| ())
            .unwrap_err()
            .code()
            .to_owned()
    };
    assert_eq!(refused(&|new| new.name = " ".into()).await, "group_resource_invalid");
    assert_eq!(
        refused(&|new| new.name = "two\nlines".into()).await,
        "group_resource_invalid"
    );
    assert_eq!(
        refused(&|new| new.about = "x".repeat(201)).await,
        "group_resource_invalid"
    );
    assert_eq!(
        refused(&|new| new.skill = "x".repeat(16 * 1024 + 1)).await,
        "group_resource_invalid"
    );
    for unseen in [
        "\u{1b}[2J",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{e0041}b",
        "a\u{2028}b",
        "a\u{fe01}b",
    ] {
        assert_eq!(
            refused(&|new| new.skill = unseen.to_owned()).await,
            "group_resource_invalid",
            "{unseen:?}"
        );
        assert_eq!(
            refused(&|new| new.name = unseen.to_owned()).await,
            "group_resource_invalid",
            "{unseen:?}"
        );
    }
    assert_eq!(
        refused(&|new| new.resource = Resource::parse("service/other").unwrap()).await,
        "unknown_route"
    );
    // A name that would end the head of the skill early.
    let mut new = group.described();
    new.name = "\"---\u{a0}../..\\".into();
    let resource = group.anna.shares.offer(new).await.unwrap();
    let id = group.given_to(&group.bob, &resource).await;
    group.bob.shares.accept(id, 0).await.unwrap();
    let skill = group.bob.shares.skills().unwrap().remove(0);
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    assert!(skill.name.chars().all(plain), "{}", skill.name);
    let head: Vec<_> = skill.document.lines().take(4).collect();
    assert_eq!((head[0], head[3]), ("---", "---"), "{head:?}");
    assert_eq!(head[2].matches('"').count(), 2, "{head:?}");
}
