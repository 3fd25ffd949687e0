use std::time::Duration;

use management::{CellRef, limits};
use protocol::CellId;
use protocol::relay::MailboxKey;
use serde_json::json;

use crate::support::{Browser, World};

const ANNAS: MailboxKey = MailboxKey([1; 32]);
const BOBS: MailboxKey = MailboxKey([2; 32]);
const STRANGERS: MailboxKey = MailboxKey([9; 32]);

async fn opened(world: &World, cell: CellRef, mailbox: MailboxKey) {
    let opened = world.management.mailbox_opened(cell.cell, cell.tenant, &mailbox);
    opened.await.unwrap();
}

/// Anna, who owns the organisation, and Bob, each with a cell whose mailbox is known.
async fn two_vaults() -> (World, Browser, Browser, CellRef, CellRef) {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (annas, bobs) = (world.cell_of(&mut anna).await, world.cell_of(&mut bob).await);
    opened(&world, annas, ANNAS).await;
    opened(&world, bobs, BOBS).await;
    (world, anna, bob, annas, bobs)
}

async fn waits(world: &World, mailbox: MailboxKey) {
    world.management.something_waits(&mailbox).await.unwrap();
}

/// Whether the person is told on their page.
async fn told(browser: &mut Browser) -> bool {
    browser.get("/cell").await.expect(200).json["something_waits"] == true
}

#[tokio::test]
async fn something_that_waits_is_told_to_its_owner_alone_until_their_vault_is_open() {
    let (world, mut anna, mut bob, _, bobs) = two_vaults().await;
    // One that nobody here has shown to be theirs tells nobody.
    waits(&world, STRANGERS).await;
    assert!(!told(&mut anna).await && !told(&mut bob).await);

    waits(&world, BOBS).await;
    assert!(told(&mut bob).await);
    assert!(!told(&mut anna).await);
    world.clock.advance(limits::REQUEST_PATIENCE);
    let mail = world.mails.next().await;
    assert!(mail.contains("To: bob@acme.example"), "{mail}");
    assert!(
        mail.contains("waits for yours at Acme") && !mail.contains("Anna"),
        "{mail}"
    );

    opened(&world, bobs, BOBS).await;
    assert!(!told(&mut bob).await);
    // What the relay has forgotten by now is not told of any more.
    waits(&world, BOBS).await;
    world.clock.advance(limits::REQUEST_NOTICE_LIFE);
    let mut bob = world.enter("bob@acme.example", "full", true).await;
    assert!(!told(&mut bob).await);
}

#[tokio::test]
async fn one_mail_a_day_however_much_comes_and_none_to_who_was_quick() {
    let (world, _, _, annas, bobs) = two_vaults().await;
    // Anna comes before her mail would.
    waits(&world, ANNAS).await;
    opened(&world, annas, ANNAS).await;
    waits(&world, BOBS).await;
    world.clock.advance(limits::REQUEST_PATIENCE);
    assert!(world.mails.next().await.contains("To: bob@acme.example"));
    // Bob unlocks, locks, and is written to all day long.
    for _ in 0..20 {
        opened(&world, bobs, BOBS).await;
        waits(&world, BOBS).await;
        world.clock.advance(limits::REQUEST_MAIL_EVERY / 40);
    }
    // The mail to Anna shows that the other was due and was not sent.
    waits(&world, ANNAS).await;
    world.clock.advance(limits::REQUEST_PATIENCE);
    assert!(world.mails.next().await.contains("To: anna@acme.example"));
    // The day after, of what came after the mail.
    world.clock.advance(limits::REQUEST_MAIL_EVERY);
    let mail = world.mails.next().await;
    assert!(mail.contains("To: bob@acme.example"), "{mail}");
}

#[tokio::test]
async fn what_waited_when_the_server_stopped_is_told_by_the_next() {
    let (world, mut anna) = World::owned().await;
    let annas = world.cell_of(&mut anna).await;
    opened(&world, annas, ANNAS).await;
    waits(&world, ANNAS).await;
    let world = world.restarted(&[]).await;
    world.clock.advance(limits::REQUEST_PATIENCE);
    assert!(world.mails.next().await.contains("To: anna@acme.example"));
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    assert!(told(&mut anna).await);
    // Whose it is was kept too.
    opened(&world, annas, ANNAS).await;
    assert!(!told(&mut anna).await);
    waits(&world, ANNAS).await;
    assert!(told(&mut anna).await);
}

#[tokio::test]
async fn an_organisation_decides_whether_its_people_are_told() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "admin").await;
    let bobs = world.cell_of(&mut bob).await;
    opened(&world, bobs, BOBS).await;
    waits(&world, BOBS).await;
    let policy = json!({"second_factor": "optional", "requests_while_locked": "told", "time_alone_hours": 24,
        "second_person": false});
    assert_eq!(anna.get("/policy").await.expect(200).json, policy);
    let wait = json!({"requests_while_locked": "wait"});
    bob.put("/policy", wait.clone()).await.refused(403, "not_allowed");
    let policy = json!({"second_factor": "optional", "requests_while_locked": "wait", "time_alone_hours": 24,
        "second_person": false});
    assert_eq!(anna.put("/policy", wait).await.expect(200).json, policy);
    // Not of what waited, and not of what comes.
    assert!(!told(&mut bob).await);
    waits(&world, BOBS).await;
    assert!(!told(&mut bob).await);
    let log = anna
        .get("/audit?action=organisation.policy_changed")
        .await
        .expect(200)
        .json;
    assert_eq!(log["events"][0]["details"], json!({"requests_while_locked": "wait"}));
    let again = json!({"requests_while_locked": "told"});
    anna.put("/policy", again).await.expect(200);
    waits(&world, BOBS).await;
    assert!(told(&mut bob).await);
}

#[tokio::test]
async fn nobody_who_is_suspended_is_told_and_a_person_that_is_removed_has_no_mailbox() {
    let (world, mut anna, _, _, bobs) = two_vaults().await;
    waits(&world, BOBS).await;
    let path = format!("/people/{}/suspend", bobs.user);
    anna.post(&path, json!({})).await.expect(200);
    waits(&world, BOBS).await;
    waits(&world, ANNAS).await;
    world.clock.advance(limits::REQUEST_PATIENCE);
    // The one mail that there is.
    assert!(world.mails.next().await.contains("To: anna@acme.example"));
    let count = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM mailboxes WHERE user_id = $1").bind(bobs.user.uuid());
        count.fetch_one(&mut world.database.owner().await).await.unwrap()
    };
    assert_eq!(count().await, 1);
    anna.delete(&format!("/people/{}", bobs.user)).await.expect(200);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn promise_03_a_mailbox_is_of_the_cell_that_showed_it_last_and_of_no_cell_of_another_organisation() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    let (annas, olgas) = (world.cell_of(&mut anna).await, world.cell_of(&mut olga).await);
    opened(&world, annas, ANNAS).await;
    // A cell of one organisation is not found in another, and one that is nobody's is not kept.
    let foreign = world.management.mailbox_opened(olgas.cell, annas.tenant, &STRANGERS);
    foreign.await.unwrap();
    let nobodys = world.management.mailbox_opened(CellId::new(), annas.tenant, &STRANGERS);
    nobodys.await.unwrap();
    waits(&world, STRANGERS).await;
    assert!(!told(&mut anna).await && !told(&mut olga).await);
    // A vault that was moved is where its key was shown last.
    world.clock.advance(Duration::from_secs(1));
    opened(&world, olgas, ANNAS).await;
    waits(&world, ANNAS).await;
    assert!(told(&mut olga).await);
    assert!(!told(&mut anna).await);
}

/// Whether whoever has this mailbox is let in, as a keeper of the organisation is told.
async fn stands(world: &World, asker: CellRef, mailbox: MailboxKey) -> bool {
    world.management.stands(asker.tenant, &mailbox).await.unwrap()
}

#[tokio::test]
async fn promise_09_who_is_suspended_or_removed_is_known_by_every_mailbox_that_they_have_shown() {
    let (world, mut anna, _, annas, bobs) = two_vaults().await;
    // Bob has begun another vault.
    let before = BOBS;
    let mailbox = MailboxKey([3; 32]);
    world.clock.advance(Duration::from_secs(1));
    opened(&world, bobs, mailbox).await;
    let both = async || {
        (
            stands(&world, annas, before).await,
            stands(&world, annas, mailbox).await,
        )
    };
    assert_eq!(both().await, (true, true));
    let path = format!("/people/{}", bobs.user);
    anna.post(&format!("{path}/suspend"), json!({})).await.expect(200);
    assert_eq!(both().await, (false, false));
    assert!(stands(&world, annas, ANNAS).await);
    anna.post(&format!("{path}/restore"), json!({})).await.expect(204);
    assert_eq!(both().await, (true, true));
    anna.delete(&path).await.expect(200);
    assert_eq!(both().await, (false, false));
    // One that nobody here has shown is nobody's who is gone.
    assert!(stands(&world, annas, STRANGERS).await);
}

#[tokio::test]
async fn promise_03_nobody_is_told_who_is_suspended_in_another_organisation() {
    let (world, mut anna, _, annas, bobs) = two_vaults().await;
    let mut olga = world.second_tenant().await;
    let olgas = world.cell_of(&mut olga).await;
    let path = format!("/people/{}", bobs.user);
    anna.delete(&path).await.expect(200);
    assert!(stands(&world, olgas, BOBS).await && !stands(&world, annas, BOBS).await);
    // A vault that was moved there says nothing here, and nothing there of what it was here.
    world.clock.advance(Duration::from_secs(1));
    opened(&world, olgas, BOBS).await;
    assert!(stands(&world, olgas, BOBS).await && !stands(&world, annas, BOBS).await);
    // Whoever in the organisation has shown it since is who has it.
    opened(&world, annas, BOBS).await;
    assert!(stands(&world, annas, BOBS).await);
}
