//! Bob, whose agent wants to change something, Anna, whom he has chosen, and a relay between them.

use std::sync::Arc;

use protocol::channel::VaultState;
use protocol::control::NoticeKind;
use protocol::{ApprovalId, Millis, SecretId, UserId};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Duration;
use vault::{Constraints, Hash, Identity, Resource, Scope, SignerKey};

use super::carry_seconds;
use super::deciding::SecondAnswer;
use super::message::{Message, Said};
use crate::activity::{Asked, What};
use crate::approvals::decide::Answer;
use crate::approvals::record::{Approval, State};
use crate::approvals::{Action, Approvals, ShareTerms, Verdict, Whose};
use crate::clock::SystemClock;
use crate::contacts::Contacts;
use crate::egress::NamedAddresses;
use crate::limits;
use crate::rates::Rates;
use crate::relay::Courier as _;
use crate::relay::tests::liar::{Liar, Lie};
use crate::relay::tests::person::Person;
use crate::services::Services;
use crate::vault_service::FreshProof;

struct Member {
    person: Person,
    user: UserId,
    approvals: Approvals,
    contacts: Contacts,
    rates: Rates,
    carrying: JoinHandle<()>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Member {
    async fn at(relay: &Liar) -> Self {
        let person = Person::at(&relay.socket).await;
        let (named, clock) = (NamedAddresses::default(), Arc::new(SystemClock));
        let way = person.relay.clone();
        let services = Services::new(&person.vault, clock.clone(), &named, named.clone(), way);
        let (approvals, rates) = (services.approvals, services.rates);
        Self {
            carrying: tokio::spawn(carry_seconds(&approvals)),
            user: UserId::new(),
            contacts: Contacts::new(person.vault.clone(), clock),
            approvals,
            rates,
            person,
        }
    }

    async fn knows(&self, other: &Self, name: &str) {
        let bundle = other.person.identity.encode();
        self.contacts.pin(other.user, name, &bundle).await.unwrap();
    }

    async fn compares(&self, other: &Self) {
        let digits = other.person.identity.fingerprint();
        self.contacts.compared(other.user, &digits).await.unwrap();
    }

    async fn chooses(&self, on: bool, people: &[&Self]) -> Result<(), String> {
        let proof = FreshProof::given(self.person.vault.slots()[0].id);
        let people: Vec<_> = people.iter().map(|person| person.user).collect();
        let chosen = self.approvals.choose_seconds(&proof, on, &people).await;
        chosen.map_err(|error| error.code().to_owned())
    }

    /// What its platform hears of, while this person is away.
    fn told(&self) -> Vec<NoticeKind> {
        let waits = self.approvals.waits(&self.rates).unwrap();
        waits.notices.into_iter().map(|notice| notice.kind).collect()
    }

    /// What the agent is told at once.
    async fn asks(&self, action: &Action) -> Verdict {
        self.approvals.ask(action, None, Duration::ZERO).await.unwrap()
    }

    fn newest(&self) -> Approval {
        self.approvals.all().unwrap().remove(0)
    }

    async fn decides(&self, answer: Answer) -> Result<Approval, String> {
        let shown = self.newest();
        let decided = self.approvals.decide(shown.id, shown.hash, answer).await;
        decided.map_err(|error| error.code().to_owned())
    }

    /// Waits until what this person has makes this true.
    async fn until(&self, what: impl Fn(&Approvals) -> bool) {
        let mut changes = self.approvals.changes();
        while !what(&self.approvals) {
            changes.changed().await.unwrap();
        }
    }

    /// The request that stands in the inbox of a second person, as it is shown.
    async fn shown(&self) -> serde_json::Value {
        self.until(|approvals| approvals.waiting() == 1).await;
        self.approvals.shown_asked().unwrap().remove(0)
    }

    async fn answers(&self, allow: bool, hash: Option<Hash>) -> Result<(), String> {
        let mut said = self.shown().await;
        said["allow"] = json!(allow);
        said["reason"] = json!("Not to them.");
        if let Some(hash) = hash {
            said["hash"] = json!(hash);
        }
        let said: SecondAnswer = serde_json::from_value(said).unwrap();
        let answered = self.approvals.answer_as_second(said).await;
        answered.map_err(|error| error.code().to_owned())
    }

    /// Sends an answer as whoever holds this vault, signed by this identity, and another message behind it that shows when it was heard.
    async fn sends(&self, to: &Self, message: &Message) {
        let message = message.to(&to.person.identity, Vec::new());
        self.person.relay.send(message).await.unwrap();
    }

    async fn identity(&self) -> Identity {
        self.person.vault.identity().await.unwrap()
    }

    fn signer(&self) -> SignerKey {
        self.person.identity.signer()
    }
}

fn send(body: &str) -> Action {
    Action::CallService {
        service: "mail".to_owned(),
        base_url: "https://mail.example".to_owned(),
        secret: SecretId::from(uuid::Uuid::nil()),
        method: "POST".to_owned(),
        path: "/send".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: body.to_owned(),
        body_is_text: true,
        tool: None,
    }
}

/// To let somebody read the mail, as whoever asks calls them.
fn share_with(member: &Member, name: &str, until: Millis) -> ShareTerms {
    ShareTerms {
        with: member.user,
        name: name.to_owned(),
        holder: member.signer(),
        resource: Resource::parse("service/mail").unwrap(),
        scope: [Scope::Read].into_iter().collect(),
        until,
        constraints: Constraints {
            max_calls: None,
            rate: None,
        },
        place: None,
    }
}

/// Bob, who has chosen Anna, and Anna.
async fn two(relay: &Liar) -> (Member, Member) {
    let (bob, anna) = (Member::at(relay).await, Member::at(relay).await);
    bob.knows(&anna, "Anna").await;
    anna.knows(&bob, "Bob").await;
    bob.compares(&anna).await;
    bob.chooses(true, &[&anna]).await.unwrap();
    (bob, anna)
}

fn waits_for_second(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Waiting { second: true, .. })
}

/// Bob has allowed it, and Anna sees it.
async fn allowed_by_bob(bob: &Member, anna: &Member, action: &Action) -> Approval {
    assert!(matches!(bob.asks(action).await, Verdict::Waiting { second: false, .. }));
    let approval = bob.decides(Answer::Once).await.unwrap();
    assert!(matches!(approval.state, State::AwaitsSecond { .. }));
    anna.shown().await;
    approval
}

#[tokio::test]
async fn promise_07_what_two_people_allow_is_done_once_and_what_one_allows_is_not() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    allowed_by_bob(&bob, &anna, &action).await;
    assert!(waits_for_second(&bob.asks(&action).await), "one person is not two");
    let shown = anna.shown().await;
    assert_eq!((&shown["name"], &shown["state"]), (&json!("Bob"), &json!("waiting")));
    assert_eq!(shown["action"], json!(action), "all of it is shown");
    anna.answers(true, None).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
    // Used up: the same again is a new request.
    assert!(matches!(
        bob.asks(&action).await,
        Verdict::Waiting { second: false, .. }
    ));
    let kept = anna.approvals.shown_asked().unwrap().remove(0);
    assert_eq!(
        (&kept["state"], &kept["action"]["body"]),
        (&json!("allowed"), &json!(""))
    );
}

#[tokio::test]
async fn promise_05_a_request_and_its_line_in_the_activity_are_one_write() {
    let relay = Liar::start(Lie::Honest);
    let (bob, _anna) = two(&relay).await;
    let vault = &bob.person.vault;
    let before = vault.epoch().unwrap();
    bob.asks(&send("the words")).await;
    assert_eq!(vault.epoch(), Some(before + 1));
    let written = vault.copy().unwrap();
    let noted = written.record("activity/agent").unwrap();
    assert!(String::from_utf8_lossy(noted).contains("approval_asked"));
    assert!(written.record("activity/untold").is_some());
}

#[tokio::test]
async fn a_second_person_refuses_and_the_agent_hears_who_and_why() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    allowed_by_bob(&bob, &anna, &action).await;
    assert_eq!(
        anna.answers(true, Some(Hash::of(b"another"))).await,
        Err("approval_changed".to_owned())
    );
    anna.answers(false, None).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    let reason = "Anna, the second person, refused it. Not to them.".to_owned();
    assert_eq!(bob.asks(&action).await, Verdict::Denied { reason });

    // Their owner may take it back while nobody has answered, and the second person sees that it is over.
    let other = send("other words");
    allowed_by_bob(&bob, &anna, &other).await;
    let no = Answer::Deny { reason: String::new() };
    bob.decides(no).await.unwrap();
    anna.until(|annas| annas.waiting() == 0).await;
    assert_eq!(anna.approvals.shown_asked().unwrap()[0]["state"], "over");
}

#[tokio::test]
async fn promise_07_an_answer_that_is_not_of_a_chosen_person_to_exactly_this_counts_for_nothing() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let carol = Member::at(&relay).await;
    bob.knows(&carol, "Carol").await;
    bob.compares(&carol).await;
    let action = send("the words");
    let approval = allowed_by_bob(&bob, &anna, &action).await;
    let (annas, carols, own) = (anna.identity().await, carol.identity().await, bob.identity().await);
    let yes = || Said {
        id: approval.id,
        allow: true,
        reason: String::new(),
    };
    let (asker, hash, until) = (bob.signer(), approval.hash, approval.expires_at);
    let good = || yes().sign(&annas, asker, hash, until);
    // Somebody who is known and not chosen; and who passes on what the chosen one has signed.
    carol.sends(&bob, &yes().sign(&carols, asker, hash, until)).await;
    carol.sends(&bob, &good()).await;
    // The owner's own key.
    bob.sends(&bob, &yes().sign(&own, asker, hash, until)).await;
    // The chosen one, signed by another; for another request, asker and time.
    anna.sends(&bob, &yes().sign(&carols, asker, hash, until)).await;
    anna.sends(&bob, &yes().sign(&annas, asker, send("more").hash(), until))
        .await;
    anna.sends(&bob, &yes().sign(&annas, carol.signer(), hash, until)).await;
    anna.sends(&bob, &yes().sign(&annas, asker, hash, until + 1)).await;
    // A no that became a yes on the way.
    let no = Said { allow: false, ..yes() };
    if let Message::Answer { signature, .. } = no.sign(&annas, asker, hash, until) {
        anna.sends(
            &bob,
            &Message::Answer {
                answer: yes(),
                signature,
            },
        )
        .await;
    }
    // What each of them sends last arrives last: by then the others were heard.
    for (from, mark) in [(&anna, "a"), (&carol, "c")] {
        bob.contacts
            .pin(
                from.user,
                if mark == "a" { "Anna" } else { "Carol" },
                &from.person.identity.encode(),
            )
            .await
            .unwrap();
        let ask = Message::Ask {
            id: protocol::ApprovalId::new(),
            until: until - 1,
            action: Box::new(send(mark)),
            holder: Vec::new(),
        };
        from.sends(&bob, &ask).await;
    }
    bob.until(|bobs| bobs.asked_of_me().unwrap().len() == 2).await;
    assert!(matches!(bob.newest().state, State::AwaitsSecond { .. }));
    assert!(waits_for_second(&bob.asks(&action).await));
    // The one that fits.
    anna.sends(&bob, &good()).await;
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
}

#[tokio::test]
async fn promise_07_an_answer_is_not_good_for_another_time_nor_when_it_comes_late() {
    let relay = Liar::start(Lie::Keep);
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    let first = allowed_by_bob(&bob, &anna, &action).await;
    anna.answers(true, None).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
    // The same request another time: the answer of the first, sent again, is not for it.
    let second = allowed_by_bob(&bob, &anna, &action).await;
    assert_eq!(first.hash, second.hash);
    let annas = anna.identity().await;
    let said = |approval: &Approval| Said {
        id: approval.id,
        allow: true,
        reason: String::new(),
    };
    let replayed = said(&first).sign(&annas, bob.signer(), first.hash, first.expires_at);
    anna.sends(&bob, &replayed).await;
    let moved = match said(&first).sign(&annas, bob.signer(), first.hash, first.expires_at) {
        Message::Answer { signature, .. } => Message::Answer {
            answer: said(&second),
            signature,
        },
        other => other,
    };
    anna.sends(&bob, &moved).await;
    // In time by its own word, and too late by the clock of whoever asked.
    let late = Approval {
        expires_at: second.asked_at,
        ..second.clone()
    };
    let (name, bytes) = Approvals::put(&late);
    bob.person.vault.put_records(vec![(name, bytes)]).await.unwrap();
    let in_time = said(&second).sign(&annas, bob.signer(), late.hash, late.expires_at);
    anna.sends(&bob, &in_time).await;
    let mark = Message::Ask {
        id: protocol::ApprovalId::new(),
        until: second.expires_at,
        action: Box::new(send("mark")),
        holder: Vec::new(),
    };
    anna.sends(&bob, &mark).await;
    bob.until(|bobs| bobs.asked_of_me().unwrap().len() == 1).await;
    assert_eq!(bob.newest(), late, "nothing was allowed");
    let used = bob.approvals.get(first.id).unwrap();
    assert!(
        matches!(used.state, State::Used { .. }),
        "what was used is not allowed again"
    );
}

#[tokio::test]
async fn promise_07_no_rule_and_no_earlier_yes_goes_round_the_second_person() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = (Member::at(&relay).await, Member::at(&relay).await);
    bob.knows(&anna, "Anna").await;
    let (ruled, once) = (send("ruled"), send("once"));
    let always = Answer::Always {
        per_day: 5,
        until: bob.approvals.clock.now() + 1_000_000,
    };
    // Allowed by one person, and not used yet.
    bob.asks(&once).await;
    bob.decides(Answer::Once).await.unwrap();
    let other = Action::RunCommand {
        command: "ls".to_owned(),
        folder: String::new(),
        host: String::new(),
        program: String::new(),
        variables: Vec::new(),
        warning: String::new(),
    };
    bob.asks(&other).await;
    bob.decides(Answer::Once).await.unwrap();
    bob.asks(&ruled).await;
    // Only somebody whose digits were compared can be chosen.
    assert_eq!(bob.chooses(true, &[&anna]).await, Err("not_compared".to_owned()));
    assert_eq!(bob.chooses(true, &[]).await, Err("nobody_second".to_owned()));
    bob.decides(always.clone()).await.unwrap();
    assert_eq!(bob.asks(&ruled).await, Verdict::Allowed);
    bob.compares(&anna).await;
    bob.chooses(true, &[&anna]).await.unwrap();
    assert!(
        matches!(bob.asks(&send("ruled too")).await, Verdict::Waiting { .. }),
        "a rule of one person"
    );
    assert_eq!(bob.decides(always).await.unwrap_err(), "rule_refused");
    assert!(matches!(bob.asks(&once).await, Verdict::Waiting { second: false, .. }));
    assert_eq!(bob.asks(&other).await, Verdict::Allowed, "what needs no second person");

    // Somebody else under the name of the chosen one is not the chosen one, and then nobody is.
    let mallory = Member::at(&relay).await;
    bob.contacts.forget(anna.user).await.unwrap();
    bob.contacts
        .pin(anna.user, "Anna", &mallory.person.identity.encode())
        .await
        .unwrap();
    bob.contacts
        .compared(anna.user, &mallory.person.identity.fingerprint())
        .await
        .unwrap();
    assert_eq!(bob.decides(Answer::Once).await.unwrap_err(), "nobody_second");
}

#[tokio::test]
async fn what_an_organisation_has_demanded_stays_until_the_owner_ends_it() {
    let relay = Liar::start(Lie::Honest);
    let bob = Member::at(&relay).await;
    let action = send("the words");
    bob.asks(&action).await;
    bob.approvals.set_second_demanded(Some(true));
    let kept = |approvals: &Approvals| approvals.vault.get_record("approval-second").unwrap().is_some();
    bob.until(kept).await;
    assert_eq!(bob.decides(Answer::Once).await.unwrap_err(), "nobody_second");
    assert_eq!(bob.chooses(false, &[]).await, Err("second_demanded".to_owned()));
    // A platform that does not know of it, or takes it away, takes nothing away here.
    bob.approvals.set_second_demanded(None);
    bob.approvals.set_second_demanded(Some(false));
    assert_eq!(bob.decides(Answer::Once).await.unwrap_err(), "nobody_second");
    assert_eq!(bob.person.vault.state(), VaultState::Unlocked);
    bob.chooses(false, &[]).await.unwrap();
    bob.decides(Answer::Once).await.unwrap();
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
}

#[tokio::test]
async fn what_waits_for_a_second_person_is_asked_anew_when_none_is_needed_and_what_is_taken_back_is_refused_for_half_an_hour()
 {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let (first, other) = (send("first"), send("other"));
    allowed_by_bob(&bob, &anna, &first).await;
    bob.chooses(false, &[]).await.unwrap();
    assert!(matches!(bob.asks(&first).await, Verdict::Waiting { second: false, .. }));
    bob.decides(Answer::Once).await.unwrap();
    assert_eq!(bob.asks(&first).await, Verdict::Allowed);

    bob.chooses(true, &[&anna]).await.unwrap();
    bob.asks(&other).await;
    let awaits = bob.decides(Answer::Once).await.unwrap();
    let taken_back = bob.decides(Answer::Deny { reason: String::new() }).await.unwrap();
    let half_an_hour = Approval::ends(bob.approvals.clock.now());
    assert!(awaits.expires_at > half_an_hour && taken_back.expires_at <= half_an_hour);
}

#[tokio::test]
async fn a_share_that_is_asked_for_again_when_the_hour_has_changed_is_the_same_request() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let (asked, hour) = (bob.approvals.clock.now(), 3_600_000);
    let terms = |until| share_with(&anna, "Anna", until);
    bob.asks(&Action::Share(terms(asked + hour))).await;
    let at = bob.newest().asked_at;
    let until = |from: Millis| from - at + asked + hour;
    let open = |terms: &ShareTerms| bob.approvals.open_share(terms, until).unwrap();
    assert_eq!(open(&terms(asked + 2 * hour)), Some(terms(asked + hour)));
    let others = ShareTerms {
        name: "Somebody else".to_owned(),
        ..terms(asked + hour)
    };
    assert_eq!(open(&others), None);
    // For longer is another request.
    assert_eq!(
        bob.approvals
            .open_share(&terms(asked + 2 * hour), |from| until(from) + hour)
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn what_others_ask_of_a_second_person_has_bounds() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let carl = Member::at(&relay).await;
    anna.knows(&carl, "Carl").await;
    carl.knows(&anna, "Anna").await;
    let action = send(&"x".repeat(30 * 1024));
    let until = bob.approvals.clock.now() + 1_000_000;
    // As many as are taken of this person; the first of them is over afterwards.
    let asks = async |who: &Member| {
        let ids: Vec<_> = (0..limits::SECOND_ASKED_WAITING + 2)
            .map(|_| ApprovalId::new())
            .collect();
        for &id in &ids {
            who.sends(
                &anna,
                &Message::Ask {
                    id,
                    until,
                    action: Box::new(action.clone()),
                    holder: Vec::new(),
                },
            )
            .await;
        }
        who.sends(&anna, &Message::Over { id: ids[0] }).await;
        let first = ids[0];
        anna.until(|approvals| {
            let asked = approvals.asked_of_me().unwrap();
            asked.iter().any(|each| each.id == first && !each.is_waiting(until - 1))
        })
        .await;
    };
    asks(&bob).await;
    let of_bob = anna.approvals.waiting();
    assert_eq!(of_bob, limits::SECOND_ASKED_WAITING - 1);
    asks(&carl).await;
    let all = limits::SECOND_ASKED_BYTES / action.size();
    assert!(all < 2 * limits::SECOND_ASKED_WAITING);
    assert_eq!(anna.approvals.waiting(), all - 1);
}

#[tokio::test]
async fn a_choice_of_a_newer_version_means_that_nobody_can_agree() {
    let relay = Liar::start(Lie::Honest);
    let (bob, _anna) = two(&relay).await;
    let choice = bob.person.vault.get_record("approval-second").unwrap().unwrap();
    let newer = [&[2], &choice[1..]].concat();
    bob.person.vault.put_record("approval-second", &newer).await.unwrap();
    bob.asks(&send("the words")).await;
    assert_eq!(bob.decides(Answer::Once).await.unwrap_err(), "nobody_second");
}

#[tokio::test]
async fn promise_07_a_second_person_sees_by_the_key_whom_a_share_is_for_and_not_by_the_word_of_whoever_asks() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let (carol, mallory) = (Member::at(&relay).await, Member::at(&relay).await);
    let until = bob.approvals.clock.now() + 3_600_000;
    bob.knows(&mallory, "Carol").await;
    anna.knows(&carol, "Carol").await;
    let action = Action::Share(share_with(&mallory, "Carol", until));
    allowed_by_bob(&bob, &anna, &action).await;
    let digits = mallory.person.identity.fingerprint();
    let unknown = json!({"me": false, "name": null, "fingerprint": digits});
    assert_eq!(anna.shown().await["receiver"], unknown);
    anna.knows(&mallory, "Mallory").await;
    assert_eq!(anna.shown().await["receiver"]["name"], "Mallory");

    // Digits count for the key that the share is for, and for no other.
    let asks = async |with: &Member, holder: &Member| {
        let ask = Message::Ask {
            id: ApprovalId::new(),
            until,
            action: Box::new(Action::Share(share_with(with, "Carol", until))),
            holder: holder.person.identity.encode(),
        };
        bob.sends(&anna, &ask).await;
    };
    let stranger = Member::at(&relay).await;
    asks(&stranger, &carol).await;
    asks(&anna, &anna).await;
    anna.until(|annas| annas.waiting() == 3).await;
    let shown = anna.approvals.shown_asked().unwrap();
    let of = |member: &Member| {
        let of_them = shown.iter().find(|each| each["action"]["with"] == json!(member.user));
        of_them.unwrap()["receiver"].clone()
    };
    assert_eq!(of(&stranger), json!({"me": false, "name": null, "fingerprint": null}));
    assert_eq!(of(&anna)["me"], true);
}

#[tokio::test]
async fn promise_07_a_second_person_sees_by_the_key_whose_it_is_that_was_passed_on() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let owner = Member::at(&relay).await;
    let keys = &owner.person.identity;
    let action = Action::CallShared {
        share: uuid::Uuid::nil(),
        owner: UserId::new(),
        name: "Carol".to_owned(),
        of: Some(Whose {
            keys: keys.encode(),
            name: Some("Anna".to_owned()),
            fingerprint: "1 2".to_owned(),
        }),
        service: "calendar".to_owned(),
        method: "POST".to_owned(),
        path: "/work".to_owned(),
        query: String::new(),
        content_type: String::new(),
        body: String::new(),
    };
    allowed_by_bob(&bob, &anna, &action).await;
    let unknown = json!({"me": false, "name": null, "fingerprint": keys.fingerprint()});
    assert_eq!(anna.shown().await["receiver"], unknown);
    anna.knows(&owner, "Mallory").await;
    assert_eq!(anna.shown().await["receiver"]["name"], "Mallory");
}

#[tokio::test]
async fn what_the_relay_loses_on_its_way_to_a_second_person_is_asked_of_the_owner_again() {
    let relay = Liar::start(Lie::Refuse(1));
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    bob.asks(&action).await;
    bob.decides(Answer::Once).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].not_asked).await;
    assert!(matches!(
        bob.asks(&action).await,
        Verdict::Waiting { second: false, .. }
    ));
    let noted = json!(bob.approvals.activity.entries(None).unwrap());
    assert!(noted.to_string().contains("second_lost"), "{noted}");
    // Allowed again, it is asked again.
    allowed_by_bob(&bob, &anna, &action).await;
    assert!(!bob.newest().not_asked);
    anna.answers(true, None).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
}

#[tokio::test]
async fn what_is_lost_on_its_way_to_one_of_several_still_waits_for_the_others() {
    let relay = Liar::start(Lie::Refuse(1));
    let (bob, anna) = two(&relay).await;
    let carol = Member::at(&relay).await;
    bob.knows(&carol, "Carol").await;
    bob.compares(&carol).await;
    carol.knows(&bob, "Bob").await;
    bob.chooses(true, &[&anna, &carol]).await.unwrap();
    bob.asks(&send("the words")).await;
    bob.decides(Answer::Once).await.unwrap();
    bob.until(|bobs| bobs.all().unwrap()[0].asks.len() == 1).await;
    let awaits = bob.newest();
    assert!(matches!(awaits.state, State::AwaitsSecond { .. }) && !awaits.not_asked);
}

#[tokio::test]
async fn an_answer_that_the_relay_loses_is_said_to_be_and_sent_again() {
    let relay = Liar::start(Lie::Refuse(2));
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    allowed_by_bob(&bob, &anna, &action).await;
    anna.answers(true, None).await.unwrap();
    let lost = |approvals: &Approvals| approvals.shown_asked().unwrap()[0]["lost"] == json!(true);
    anna.until(lost).await;
    assert!(waits_for_second(&bob.asks(&action).await));
    // As at her next unlock.
    anna.approvals.answer_again().await;
    assert!(!lost(&anna.approvals));
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
}

#[tokio::test]
async fn promise_01_the_platform_hears_of_which_kind_it_is_that_waits() {
    let relay = Liar::start(Lie::Honest);
    let (bob, anna) = two(&relay).await;
    let action = send("the words");
    bob.asks(&action).await;
    assert_eq!(bob.told(), [NoticeKind::Agent]);
    bob.decides(Answer::Once).await.unwrap();
    assert!(bob.told().is_empty(), "it waits for somebody else");
    anna.shown().await;
    assert_eq!(anna.told(), [NoticeKind::Second]);
    anna.answers(true, None).await.unwrap();
    assert!(anna.told().is_empty());
    bob.until(|bobs| bobs.all().unwrap()[0].seconded.is_some()).await;
    assert_eq!(bob.told(), [NoticeKind::Seconded]);
    assert_eq!(bob.asks(&action).await, Verdict::Allowed);
    assert!(bob.told().is_empty());
}

#[tokio::test]
async fn what_was_asked_answered_and_done_stands_in_the_activity_as_what_it_was() {
    let relay = Liar::start(Lie::Honest);
    let (bob, carol) = (Member::at(&relay).await, Member::at(&relay).await);
    let until = bob.approvals.clock.now() + 3_600_000;
    let share = Action::Share(share_with(&carol, "Carol", until));
    bob.asks(&share).await;
    bob.decides(Answer::Once).await.unwrap();
    assert_eq!(bob.asks(&share).await, Verdict::Allowed);
    bob.asks(&send("the words")).await;
    bob.decides(Answer::Deny { reason: String::new() }).await.unwrap();

    let entries = json!(bob.approvals.activity.entries(None).unwrap());
    let entries = entries.as_array().unwrap();
    let kinds = |what: What| -> Vec<_> {
        let of_it = entries.iter().filter(|entry| entry["what"] == json!(what));
        of_it.map(|entry| entry["asked"]["kind"].as_str().unwrap()).collect()
    };
    assert_eq!(kinds(What::ApprovalAsked), ["call_service", "share"]);
    assert_eq!(kinds(What::ApprovalGiven), ["share"]);
    assert_eq!(kinds(What::ApprovalUsed), ["share"]);
    assert_eq!(kinds(What::ApprovalDenied), ["call_service"]);
    let given = entries.iter().find(|entry| entry["what"] == json!(What::ApprovalGiven));
    let (given, terms) = (given.unwrap(), share_with(&carol, "Carol", until));
    let asked = Asked::share(terms.resource.service(), &terms.scope, until);
    assert_eq!((&given["to"], &given["asked"]), (&json!("Carol"), &json!(asked)));
}
