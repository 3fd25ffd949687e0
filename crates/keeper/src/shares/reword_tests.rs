//! What agents are told of something that is shared in a group is changed, and its members read and accept it first.

use protocol::relay::MailboxKey;
use serde_json::json;
use uuid::Uuid;

use super::group::GroupOffer;
use super::group_tests::{Group, SKILL, SOON};
use super::{Given, GroupResource, Received, ShareError, Standing, Tie, Words};
use crate::limits;
use crate::versioned::encode;

const NEW: &str = "Ask for /work/today, and never promise a Monday.";

fn words(resource: &GroupResource, skill: &str) -> Words {
    Words {
        resource: resource.id,
        name: "Team diary".to_owned(),
        about: "When we are there.".to_owned(),
        skill: skill.to_owned(),
    }
}

impl Group {
    async fn reworded(&self, resource: &GroupResource) -> GroupResource {
        self.anna.shares.reword(words(resource, NEW)).await.unwrap()
    }

    fn bobs(&self, id: Uuid) -> Received {
        self.bob.shares.one_received(id).unwrap()
    }

    fn annas(&self, id: Uuid) -> Given {
        self.anna.shares.was_given(id).unwrap().unwrap()
    }

    async fn bob_has_words(&self, id: Uuid, revision: u64) {
        let has = self
            .bob
            .until(|shares| shares.one_received(id).unwrap().revision() == revision);
        tokio::time::timeout(SOON, has).await.expect("the words come");
    }

    async fn anna_hears_of_words(&self, id: Uuid, revision: u64) {
        let told = self
            .anna
            .until(|shares| shares.was_given(id).unwrap().unwrap().told == revision);
        tokio::time::timeout(SOON, told)
            .await
            .expect("it says that it has them");
    }

    /// What his agent is told of the only thing that it may use.
    fn agent_is_told(&self) -> String {
        let mut skills = self.bob.shares.skills().unwrap();
        assert_eq!(skills.len(), 1, "{skills:?}");
        skills.remove(0).document
    }

    /// The platform, or anybody, brings something that is signed as its issuer would: what becomes of it.
    async fn takes(&self, id: Uuid, words: GroupOffer) -> Result<usize, ShareError> {
        let capability = self.bobs(id).capability;
        let from = &self.anna.person.identity;
        let records = self.bob.shares.take_offer(from, &capability, Some(words)).await?;
        Ok(records.len())
    }
}

#[tokio::test]
async fn promise_07_changed_words_are_told_to_no_agent_before_its_owner_has_accepted_just_these() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let revision = group.reworded(&resource).await.revision;
    group.bob_has_words(id, revision).await;
    // What he accepted is told, and what is shared goes on being used.
    let told = group.agent_is_told();
    assert!(told.contains(SKILL) && told.contains("Team calendar"), "{told}");
    assert!(!told.contains(NEW) && !told.contains("diary"), "{told}");
    assert!(group.bob.uses(id, "GET", "/work/today").await.is_ok());
    let shown = group.bob.shares.shown_received(&group.bobs(id)).unwrap().to_string();
    assert!(!shown.contains("diary"), "an agent can list it: {shown}");
    // A yes to what he has read before, or to what nobody has shown him, is none to this.
    group.bob.shares.accept(id, 0).await.unwrap();
    let newer = group.bob.shares.accept(id, revision + 1).await;
    assert_eq!(newer.unwrap_err().code(), "other_words");
    assert!(group.agent_is_told().contains(SKILL));
    group.bob.shares.accept(id, revision).await.unwrap();
    let told = group.agent_is_told();
    assert!(told.contains(NEW) && told.contains("Team diary"), "{told}");
    assert!(!told.contains(SKILL), "{told}");
    assert!(group.bob.uses(id, "GET", "/work/today").await.is_ok());
    group.anna_hears_of_words(id, revision).await;
    // The same again is no change.
    assert_eq!(group.reworded(&resource).await.revision, revision);
}

#[tokio::test]
async fn promise_07_a_yes_to_words_that_were_changed_while_they_were_read_is_none_to_the_new_ones() {
    let group = Group::new().await;
    let resource = group.offered().await;
    let id = group.given_to(&group.bob, &resource).await;
    let revision = group.reworded(&resource).await.revision;
    group.bob_has_words(id, revision).await;
    assert_eq!(group.bob.shares.accept(id, 0).await.unwrap_err().code(), "other_words");
    group.bob_sees(id, Standing::Offered).await;
    assert!(group.bob.shares.skills().unwrap().is_empty());
    group.bob.shares.accept(id, revision).await.unwrap();
    assert!(group.agent_is_told().contains(NEW));
}

#[tokio::test]
async fn the_same_yes_on_two_pages_at_once_is_one() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let revision = group.reworded(&resource).await.revision;
    group.bob_has_words(id, revision).await;
    let (asked, held) = (group.for_bob.times_asked(), group.for_bob.held().await);
    let both_wait = async {
        group.for_bob.is_asked(asked + 2).await;
        drop(held);
    };
    let shares = &group.bob.shares;
    let (one, other, ()) = tokio::join!(shares.accept(id, revision), shares.accept(id, revision), both_wait);
    one.unwrap();
    other.unwrap();
    assert!(group.agent_is_told().contains(NEW));
}

#[tokio::test]
async fn words_of_a_restored_vault_are_newer_than_those_that_holders_have() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let before = group.annas(id);
    let lost = group.reworded(&resource).await.revision;
    group.bob_has_words(id, lost).await;
    group.anna_hears_of_words(id, lost).await;
    // As it was in the backup.
    let record = (GroupResource::record_name(resource.id), Some(encode(&resource)));
    let vault = &group.anna.person.vault;
    vault.put_records(vec![record, before.record()]).await.unwrap();
    let again = group.reworded(&resource).await.revision;
    assert!(again > lost, "{again} is not newer than {lost}");
    group.bob_has_words(id, again).await;
    group.anna_hears_of_words(id, again).await;
}

#[tokio::test]
async fn promise_07_older_words_that_are_said_again_and_words_of_others_are_let_go() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let first = resource.offer();
    let second = group.reworded(&resource).await.offer();
    group.bob_has_words(id, second.what.revision).await;
    for old in [&first, &second] {
        assert_eq!(group.takes(id, old.clone()).await.unwrap(), 0);
    }
    group.bob.shares.accept(id, second.what.revision).await.unwrap();
    for old in [&first, &second] {
        assert_eq!(group.takes(id, old.clone()).await.unwrap(), 0);
    }
    let mut third = second.clone();
    third.what.revision += 1;
    assert_eq!(group.takes(id, third.clone()).await.unwrap(), 1);
    // Words for another thing, and words that nobody can read.
    let mut other = third.clone();
    other.what.resource = protocol::GroupResourceId::new();
    assert_eq!(group.takes(id, other).await.unwrap_err().code(), "unknown_capability");
    let mut unseen = third.clone();
    unseen.skill = "a\u{202e}b".to_owned();
    assert_eq!(
        group.takes(id, unseen).await.unwrap_err().code(),
        "group_resource_invalid"
    );
    // A number that a page would read as another one: the yes to it would be to other words.
    let mut rounded = third.clone();
    rounded.what.revision = limits::GROUP_RESOURCE_REVISION + 1;
    assert_eq!(
        group.takes(id, rounded).await.unwrap_err().code(),
        "group_resource_invalid"
    );
    // Bob may use it; he says nothing about it in Anna's place.
    let capability = group.bobs(id).capability;
    let bob = &group.bob.person.identity;
    assert!(
        group
            .bob
            .shares
            .take_offer(bob, &capability, Some(third))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn promise_12_changed_words_have_the_place_that_all_words_have() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let left = 100;
    // Others of the same person, until there is place for so much only.
    let mut place = limits::GROUP_SKILLS_BYTES - left - SKILL.len();
    while place > 0 {
        let mut other = group.bobs(id);
        other.capability.jti = Uuid::now_v7();
        let size = place.min(limits::GROUP_RESOURCE_SKILL_BYTES);
        other.group.as_mut().unwrap().skill = "x".repeat(size);
        let vault = &group.bob.person.vault;
        vault.put_records(vec![other.record()]).await.unwrap();
        place -= size;
    }
    let mut new = resource.offer();
    new.what.revision = 1;
    new.skill = "x".repeat(left + 1);
    assert_eq!(
        group.takes(id, new.clone()).await.unwrap_err().code(),
        "too_many_received"
    );
    new.skill = "x".repeat(left);
    assert_eq!(group.takes(id, new).await.unwrap(), 1);
}

#[tokio::test]
async fn promise_09_who_is_out_of_the_group_is_told_no_new_words() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    group.for_anna.says(Tie::Unknown);
    let refused = group.anna.shares.reword(words(&resource, NEW)).await;
    assert_eq!(refused.unwrap_err().code(), "group_unknown");
    assert_eq!(group.anna.shares.resources().unwrap(), std::slice::from_ref(&resource));
    group.for_anna.says(Tie::Gone);
    group.reworded(&resource).await;
    assert!(group.stopped(id));
    let given = group.annas(id);
    assert_eq!((given.group.unwrap().revision, given.lost), (0, false));
}

#[tokio::test]
async fn words_that_did_not_arrive_are_said_again() {
    let group = Group::new().await;
    let (resource, id) = group.used_by_bob().await;
    let revision = group.reworded(&resource).await.revision;
    group.anna_hears_of_words(id, revision).await;
    let bobs = MailboxKey(group.annas(id).capability.sub.0);
    let loses = async || {
        let lost = json!({"v": 1, "to": bobs, "code": "expired"}).to_string();
        let vault = &group.anna.person.vault;
        vault.put_record("relay/lost/one", lost.as_bytes()).await.unwrap();
        group.anna.shares.see_to_lost().await;
        assert!(vault.get_record("relay/lost/one").unwrap().is_none());
    };
    loses().await;
    assert!(!group.annas(id).lost, "he has them");
    let mut given = group.annas(id);
    given.told = 0;
    group.anna.person.vault.put_records(vec![given.record()]).await.unwrap();
    loses().await;
    assert!(group.annas(id).lost);
    group.anna.shares.offer_again().await;
    group.anna_hears_of_words(id, revision).await;
    assert!(!group.annas(id).lost);
}
