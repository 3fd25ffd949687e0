//! An agent that waits for its person's word while they are not there: they get a mail, not many, and nothing is in it.

use std::time::Duration;

use management::{CellRef, limits};
use protocol::control::{ApprovalNotice, ApprovalState, Deeds, NoticeKind};
use protocol::{ApprovalId, CellId};
use serde_json::json;

use crate::support::{Browser, World};

const LIFE: Duration = Duration::from_secs(30 * 60);

/// A request that waits from now on, as a keeper tells of it.
fn request(world: &World) -> ApprovalNotice {
    ApprovalNotice {
        id: ApprovalId::new(),
        ends_at: world.clock.seconds() * 1000 + i64::try_from(LIFE.as_millis()).unwrap(),
        state: ApprovalState::Waiting,
        kind: NoticeKind::Agent,
    }
}

async fn told(world: &World, cell: CellRef, approvals: &[ApprovalNotice]) {
    let told = world.management.approvals_wait(cell.cell, cell.tenant, approvals);
    told.await.unwrap();
}

/// Anna, who owns the organisation, and Bob, each with a cell.
async fn two_agents() -> (World, Browser, CellRef, CellRef) {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (annas, bobs) = (world.cell_of(&mut anna).await, world.cell_of(&mut bob).await);
    (world, anna, annas, bobs)
}

/// The next mail, which is to this address, once it is written down that it was sent.
async fn mail_to(world: &World, address: &str) -> String {
    let mail = world.mails.next().await;
    assert!(mail.contains(&format!("To: {address}")), "{mail}");
    let mut owner = world.database.owner().await;
    let noted = "SELECT n.try_at IS NULL FROM approval_notices n JOIN users u ON u.id = n.user_id WHERE u.email = $1";
    while !sqlx::query_scalar::<_, bool>(noted)
        .bind(address)
        .fetch_one(&mut owner)
        .await
        .unwrap()
    {}
    mail
}

/// The mail to Anna, whose agent begins to wait now: what was due before it was sent before it.
async fn next_is_annas(world: &World, annas: CellRef) {
    told(world, annas, &[request(world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(world, "anna@acme.example").await;
    told(world, annas, &[]).await;
    world.clock.advance(limits::APPROVAL_MAIL_EVERY);
}

#[tokio::test]
async fn who_is_away_gets_a_mail_with_the_way_to_their_inbox_and_nothing_of_the_request() {
    let (world, _, _, bobs) = two_agents().await;
    let request = request(&world);
    told(&world, bobs, &[request]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your agent waits for your answer"), "{mail}");
    assert!(mail.contains("/inbox\n") || mail.contains("/inbox\r\n"), "{mail}");
    assert!(!mail.contains('#') && !mail.contains(&request.id.to_string()), "{mail}");
    // Not even which one it is, is kept.
    let kept: Vec<String> = sqlx::query_scalar("SELECT n::text FROM approval_notices n")
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
    assert!(
        kept.len() == 1 && !kept[0].contains(&request.id.to_string()),
        "{kept:?}"
    );
}

#[tokio::test]
async fn nobody_gets_a_mail_who_was_quick_or_is_there_or_of_what_has_ended() {
    let (world, _, annas, bobs) = two_agents().await;
    // Answered, or its owner came, before the mail would.
    told(&world, bobs, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE / 2);
    told(&world, bobs, &[]).await;
    next_is_annas(&world, annas).await;
    // What was answered does not wait.
    let answered = [ApprovalState::Allowed, ApprovalState::Refused, ApprovalState::Ended].map(|state| ApprovalNotice {
        state,
        ..request(&world)
    });
    told(&world, bobs, &answered).await;
    next_is_annas(&world, annas).await;
    // Ended, and its keeper sleeps and does not say so.
    let past = ApprovalNotice {
        ends_at: world.clock.seconds() * 1000 + 30_000,
        ..request(&world)
    };
    told(&world, bobs, &[past]).await;
    next_is_annas(&world, annas).await;
    // What waits afterwards waits since then, and not since the one before; and nobody is called at once.
    told(&world, annas, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE / 2);
    let short = ApprovalNotice {
        ends_at: world.clock.seconds() * 1000 + 45_000,
        ..request(&world)
    };
    told(&world, bobs, &[short]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE / 2);
    mail_to(&world, "anna@acme.example").await;
    told(&world, annas, &[]).await;
    world.clock.advance(limits::APPROVAL_MAIL_EVERY);
    next_is_annas(&world, annas).await;
}

#[tokio::test]
async fn one_mail_in_a_time_however_much_an_agent_asks() {
    let (world, _, annas, bobs) = two_agents().await;
    told(&world, bobs, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "bob@acme.example").await;
    // Bob comes and goes, and his agent asks and asks.
    let step = limits::APPROVAL_PATIENCE * 2;
    let mut since = Duration::ZERO;
    while since + step < limits::APPROVAL_MAIL_EVERY - limits::APPROVAL_PATIENCE {
        let many: Vec<_> = (0..50).map(|_| request(&world)).collect();
        told(&world, bobs, &[]).await;
        told(&world, bobs, &many).await;
        world.clock.advance(step);
        since += step;
    }
    // The mail to Anna shows that the others were due and were not sent.
    told(&world, annas, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "anna@acme.example").await;
    told(&world, annas, &[]).await;
    world.clock.advance(limits::APPROVAL_MAIL_EVERY);
    told(&world, bobs, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "bob@acme.example").await;
    assert_eq!(world.mails.files().len(), 4, "the invitation, and these");
}

#[tokio::test]
async fn what_waited_when_the_server_stopped_is_told_by_the_next() {
    let (world, mut anna) = World::owned().await;
    let annas = world.cell_of(&mut anna).await;
    told(&world, annas, &[request(&world)]).await;
    let world = world.restarted(&[]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "anna@acme.example").await;
}

#[tokio::test]
async fn nobody_who_is_suspended_is_told_and_nothing_is_left_of_a_person_that_is_removed() {
    let (world, mut anna, annas, bobs) = two_agents().await;
    told(&world, bobs, &[request(&world)]).await;
    let path = format!("/people/{}/suspend", bobs.user);
    anna.post(&path, json!({})).await.expect(200);
    told(&world, bobs, &[request(&world)]).await;
    next_is_annas(&world, annas).await;
    let count = async || -> i64 {
        let count =
            sqlx::query_scalar("SELECT count(*) FROM approval_notices WHERE user_id = $1").bind(bobs.user.uuid());
        count.fetch_one(&mut world.database.owner().await).await.unwrap()
    };
    assert_eq!(count().await, 1);
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    anna.delete(&format!("/people/{}", bobs.user)).await.expect(200);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn promise_03_a_cell_of_another_organisation_or_of_nobody_has_nobody_told() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    let (annas, olgas) = (world.cell_of(&mut anna).await, world.cell_of(&mut olga).await);
    let strange = [olgas.cell, CellId::new()].map(|cell| CellRef { cell, ..annas });
    for cell in strange {
        told(&world, cell, &[request(&world)]).await;
    }
    told(&world, annas, &[request(&world)]).await;
    // Nor do others take back what waits.
    for cell in strange {
        told(&world, cell, &[]).await;
    }
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "anna@acme.example").await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM approval_notices")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}

/// Something that waits for an hour and is no request.
fn alarm(world: &World, kind: NoticeKind) -> ApprovalNotice {
    ApprovalNotice {
        id: uuid::Uuid::nil().into(),
        ends_at: world.clock.seconds() * 1000 + 60 * 60_000,
        state: ApprovalState::Waiting,
        kind,
    }
}

#[tokio::test]
async fn a_mail_says_of_which_kinds_it_is_what_waits() {
    let (world, _, _, bobs) = two_agents().await;
    let of = |kind| ApprovalNotice {
        kind,
        ..request(&world)
    };
    let kinds = [
        (NoticeKind::Second, "Somebody asks you to agree", "as the second person"),
        (NoticeKind::Seconded, "A second person has answered", "tell it to go on"),
    ];
    for (kind, subject, words) in kinds {
        told(&world, bobs, &[of(kind)]).await;
        world.clock.advance(limits::APPROVAL_PATIENCE);
        let mail = mail_to(&world, "bob@acme.example").await;
        assert!(
            mail.contains(&format!("Subject: {subject}")) && mail.contains(words),
            "{mail}"
        );
        assert!(!mail.contains("wants to do something"), "{mail}");
        told(&world, bobs, &[]).await;
        world.clock.advance(limits::APPROVAL_MAIL_EVERY);
    }
    // What is most pressing is what the mail is called by, and the rest stands in it.
    told(&world, bobs, &[of(NoticeKind::Second), request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your agent waits for your answer"), "{mail}");
    assert!(
        mail.contains("wants to do something") && mail.contains("as the second person"),
        "{mail}"
    );
}

#[tokio::test]
async fn a_pause_and_a_lock_are_each_one_mail_and_one_event_however_often_they_are_told_of_and_whatever_else_waits() {
    let (world, mut anna, _, bobs) = two_agents().await;
    // An agent that has its person told of something first keeps nothing back with it.
    told(&world, bobs, &[request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    mail_to(&world, "bob@acme.example").await;
    let paused = alarm(&world, NoticeKind::Paused);
    told(&world, bobs, &[request(&world), paused]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Calls of a service were paused"), "{mail}");
    // The same again, after they were there.
    told(&world, bobs, &[]).await;
    told(&world, bobs, &[paused]).await;
    let locked = alarm(&world, NoticeKind::Locked);
    told(&world, bobs, &[locked, paused]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your vault was locked"), "{mail}");
    told(&world, bobs, &[locked, paused]).await;
    let elsewhere = alarm(&world, NoticeKind::DecidedElsewhere);
    told(&world, bobs, &[locked, elsewhere]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("something inside its cell allowed"), "{mail}");
    assert!(mail.contains("your inbox and your activity"), "{mail}");
    told(&world, bobs, &[elsewhere]).await;
    assert_eq!(world.mails.files().len(), 5, "the invitation, and these");
    let export = anna.download("/audit/export").await;
    for action in ["vault.calls_paused", "vault.locked"] {
        let times = export.matches(&format!("\"action\":\"{action}\"")).count();
        assert_eq!(times, 1, "{action}");
    }
}

#[tokio::test]
async fn a_week_is_one_mail_that_leads_to_the_activity_and_keeps_nothing_else_back() {
    let (world, _, annas, bobs) = two_agents().await;
    let week = |weeks: i64| ApprovalNotice {
        ends_at: world.clock.seconds() * 1000 + weeks * 7 * 24 * 60 * 60_000,
        ..alarm(&world, NoticeKind::Week)
    };
    let (this, next) = (week(1), week(2));
    told(&world, bobs, &[this]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your week in numbers"), "{mail}");
    assert!(mail.contains("/activity\n") || mail.contains("/activity\r\n"), "{mail}");
    // Not again, however often it is told of, and whatever comes to it.
    for _ in 0..3 {
        told(&world, bobs, &[]).await;
        told(&world, bobs, &[this]).await;
        next_is_annas(&world, annas).await;
    }
    told(&world, bobs, &[this, request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(
        mail.contains("wants to do something") && !mail.contains("in numbers"),
        "{mail}"
    );
    assert!(mail.contains("/inbox"), "{mail}");
    // Nor is it lost because they had another mail just before.
    told(&world, bobs, &[]).await;
    told(&world, bobs, &[next]).await;
    next_is_annas(&world, annas).await;
    world.clock.advance(limits::APPROVAL_MAIL_EVERY);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your week in numbers"), "{mail}");
    // What waits for them now does not wait because of it.
    told(&world, bobs, &[next, request(&world)]).await;
    world.clock.advance(limits::APPROVAL_PATIENCE);
    let mail = mail_to(&world, "bob@acme.example").await;
    assert!(mail.contains("Subject: Your agent waits for your answer"), "{mail}");
}

#[tokio::test]
async fn what_was_asked_for_decided_and_shared_is_one_event_of_each_kind_with_how_often_and_nothing_else() {
    let (world, mut anna, _, bobs) = two_agents().await;
    let done = async |deeds| {
        world
            .management
            .deeds_done(bobs.cell, bobs.tenant, deeds)
            .await
            .unwrap()
    };
    done(Deeds {
        asked: 3,
        denied: 2,
        ..Deeds::default()
    })
    .await;
    done(Deeds {
        allowed: 1,
        shared: 1,
        unshared: 1,
        elsewhere: 1,
        ..Deeds::default()
    })
    .await;
    done(Deeds::default()).await;
    let list = anna.get("/audit").await.expect(200).json;
    let told: Vec<_> = (list["events"].as_array().unwrap().iter().rev())
        .filter(|event| event["details"]["times"].is_string() && event["target"]["kind"] == "person")
        .map(|event| (event["action"].as_str().unwrap(), event["details"].to_string()))
        .collect();
    let of = |action, times| (action, format!(r#"{{"times":"{times}"}}"#));
    let wanted = [
        of("approval.asked", 3),
        of("approval.denied", 2),
        of("approval.allowed", 1),
        of("share.given", 1),
        of("share.ended", 1),
        of("approval.decided_elsewhere", 1),
    ];
    assert_eq!(told, wanted);
    // Also of somebody who was suspended meanwhile.
    let path = format!("/people/{}/suspend", bobs.user);
    anna.post(&path, json!({})).await.expect(200);
    done(Deeds {
        unshared: 2,
        ..Deeds::default()
    })
    .await;
    let list = anna.get("/audit").await.expect(200).json;
    let newest = list["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["action"] == "share.ended");
    assert_eq!(newest.unwrap()["details"]["times"], "2");
    // A cell that is nobody's.
    let nobody = world.management.deeds_done(
        CellId::new(),
        bobs.tenant,
        Deeds {
            asked: 1,
            ..Deeds::default()
        },
    );
    nobody.await.unwrap();
    let after = anna.get("/audit").await.expect(200).json;
    assert_eq!(after["events"], list["events"]);
}
