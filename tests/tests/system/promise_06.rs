//! Pause and sleep lose nothing, and never pause a busy agent.

use std::time::Duration;

use serde_json::json;
use system_tests::contacts::{meets, opened};
use system_tests::docker::{Part, container, containers, inspect};
use system_tests::shared::{connect_calendar, listed, received, uses};
use system_tests::{Person, Session, Settings, now, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(90);

async fn conversation(owner: &Person, base_url: &str) -> (Session, String) {
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(base_url, "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: before-the-pause]]").await;
    (session, conversation)
}

/// Paused for being idle; a freeze of milliseconds for a snapshot is not that.
async fn is_paused(person: &Person) -> bool {
    person.get("/api/v1/cell").await.ok()["state"] == "paused"
}

#[tokio::test]
async fn promise_06_an_idle_cell_pauses_then_sleeps_and_the_conversation_goes_on_after_each() {
    let settings = Settings::default()
        .set("cells.pause_after", "6s")
        .set("cells.sleep_after", "25s");
    let installation = settings.start().await;
    let owner = installation.owner().await;
    let (session, conversation) = conversation(&owner, &installation.model().base_url()).await;

    wait_until("the cell pauses", Duration::from_secs(60), async || {
        is_paused(&owner).await.then_some(())
    })
    .await;
    let agent = container(owner.cell(), Part::Agent).expect("a paused cell keeps its agent");
    assert_eq!(inspect(&agent, "{{.State.Paused}}"), "true");
    let asked = session.ask(&conversation, "[[say: after-the-pause]]").await;
    assert!(asked.text.contains("after-the-pause"), "{asked:#?}");

    // Left alone for longer it sleeps: no container is left.
    wait_until("the cell sleeps", Duration::from_secs(120), async || {
        containers(&installation.id()).is_empty().then_some(())
    })
    .await;
    assert_eq!(owner.get("/api/v1/cell").await.ok()["state"], "asleep");

    let session = owner.unlock(PASSWORD).await;
    let transcript = session.transcript(&conversation).await;
    for word in ["before-the-pause", "after-the-pause"] {
        let times = transcript.iter().filter(|line| line.contains(word)).count();
        assert_eq!(times, 2, "{word} in {transcript:#?}");
    }
    session.ready().await;
    let asked = session.ask(&conversation, "[[say: after-the-sleep]]").await;
    assert!(asked.text.contains("after-the-sleep"), "{asked:#?}");
}

#[tokio::test]
async fn promise_06_a_cell_with_a_running_turn_is_not_paused() {
    let installation = Settings::default()
        .set("cells.pause_after", "4s")
        .set("cells.sleep_after", "1h")
        .start()
        .await;
    let owner = installation.owner().await;
    let (session, conversation) = conversation(&owner, &installation.model().base_url()).await;

    // Nobody looks, nothing crosses the channel: only the turn runs.
    let turn = session.send(&conversation, "[[hold: busy]] [[say: was-busy]]").await;
    installation.model().held("busy").await;
    let watched = std::time::Instant::now();
    while watched.elapsed() < Duration::from_secs(14) {
        assert!(!is_paused(&owner).await, "paused while a turn runs");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    installation.model().release("busy").await;
    session.turn_event(&turn, "saved").await;
    wait_until(
        "the cell pauses when it is idle again",
        Duration::from_secs(60),
        async || is_paused(&owner).await.then_some(()),
    )
    .await;
}

#[tokio::test]
async fn promise_06_the_cell_of_who_is_suspended_in_a_turn_sleeps_soon_and_loses_nothing_that_was_saved() {
    let installation = Settings::default().start().await;
    let owner = installation.owner().await;
    let bob = installation.member(&owner, "Bob", "bob@example.org").await;
    let (session, conversation) = conversation(&bob, &installation.model().base_url()).await;
    session
        .send(&conversation, "[[hold: cut-off]] [[say: never-said]]")
        .await;
    installation.model().held("cut-off").await;

    let path = format!("/api/v1/people/{}", bob.me["user"]["id"].as_str().expect("an id"));
    let suspend = async || owner.post(&format!("{path}/suspend"), &json!({})).await.ok();
    assert_eq!(suspend().await["cell"], "stopping");
    // The turn would wait for as long as its model does.
    wait_until("the cell sleeps", Duration::from_secs(60), async || {
        containers(&installation.id()).is_empty().then_some(())
    })
    .await;
    assert_eq!(suspend().await["cell"], "asleep");
    installation.model().release("cut-off").await;

    owner.post(&format!("{path}/restore"), &json!({})).await.ok();
    let bob = installation.sign_in("bob@example.org").await;
    let session = bob.unlock(PASSWORD).await;
    session.ready().await;
    let transcript = session.transcript(&conversation).await;
    let times = |word: &str| transcript.iter().filter(|line| line.contains(word)).count();
    assert_eq!(
        (times("before-the-pause"), times("never-said")),
        (2, 1),
        "{transcript:#?}"
    );
    let asked = session.ask(&conversation, "[[say: let-back-in]]").await;
    assert!(asked.text.contains("let-back-in"), "{asked:#?}");
}

#[tokio::test]
async fn promise_06_the_server_goes_down_with_all_cells_asleep_and_they_come_back() {
    let mut installation = Settings::default().start().await;
    let owner = installation.owner().await;
    let (session, conversation) = conversation(&owner, &installation.model().base_url()).await;
    drop(session);
    installation.down().await;
    assert!(containers(&installation.id()).is_empty(), "down leaves no container");

    installation.run().await;
    let session = owner.unlock(PASSWORD).await;
    let transcript = session.transcript(&conversation).await;
    assert!(
        transcript.iter().any(|line| line.contains("before-the-pause")),
        "{transcript:#?}"
    );
    session.call("cell.start", json!({})).await;
}

#[tokio::test]
async fn promise_06_what_others_send_to_a_cell_that_sleeps_or_is_paused_is_there_once_after_a_restart() {
    let settings = Settings::default()
        .set("cells.pause_after", "4s")
        .set("cells.sleep_after", "1h");
    let mut installation = settings.start().await;
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let carol = installation.member(&anna, "Carol", "carol@example.org").await;
    let with_anna = opened(&anna, PASSWORD).await;
    let (with_bob, with_carol) = (opened(&bob, PASSWORD).await, opened(&carol, PASSWORD).await);
    for (person, session) in [(&anna, &with_anna), (&bob, &with_bob), (&carol, &with_carol)] {
        meets(person, session).await;
    }
    connect_calendar(&installation, &with_anna, "a-key-of-16-bytes", "A calendar").await;

    // Bob's cell sleeps and Carol's is paused when Anna offers each of them something, and asks each for something.
    with_bob.call("vault.lock", json!({})).await;
    let state = async |person: &Person| person.get("/api/v1/cell").await.ok()["state"].clone();
    wait_until("one sleeps and one is paused", SOON, async || {
        (state(&bob).await == "asleep" && is_paused(&carol).await).then_some(())
    })
    .await;
    let mut offered = Vec::new();
    for who in [&bob, &carol] {
        let user = &who.me["user"]["id"];
        let until = now() + 24 * 60 * 60 * 1000;
        let terms = json!({"with": user, "resource": "service/calendar", "scope": ["read"], "until": until});
        let given = with_anna.call("share.issue", terms).await;
        offered.push((who, given["share"]["id"].clone()));
        let ask = json!({"of": user, "words": "May I see yours?"});
        with_anna.call("share.ask", ask).await;
    }
    // The relay has what is for Bob; Carol's keeper, which is not paused with its agent, has taken what is for her.
    let arrived = async || {
        let given = listed(&with_anna, "share.given").await;
        given.iter().filter(|each| each["arrived"].is_i64()).count()
    };
    wait_until("it waits for Bob and is Carol's", SOON, async || {
        let waits = bob.get("/api/v1/cell").await.ok()["something_waits"] == true;
        (waits && arrived().await == 1).then_some(())
    })
    .await;
    assert_eq!(state(&bob).await, "asleep");
    assert!(is_paused(&carol).await, "what arrives wakes no agent");

    drop((with_anna, with_bob, with_carol));
    installation.down().await;
    assert!(containers(&installation.id()).is_empty(), "down leaves no container");
    installation.run().await;

    // Anna's cell sleeps on: what they find was kept for them.
    let mut receivers = Vec::new();
    for (who, id) in &offered {
        let session = who.unlock(PASSWORD).await;
        assert_eq!(received(&session, "given").await["id"], *id);
        wait_until("the question arrives", SOON, async || {
            (!listed(&session, "share.asked").await.is_empty()).then_some(())
        })
        .await;
        receivers.push((session, id));
    }
    // She comes, and her keeper sends what it has not heard of; they use what they have.
    let with_anna = anna.unlock(PASSWORD).await;
    wait_until("Anna hears that it has arrived", SOON, async || {
        let given = listed(&with_anna, "share.given").await;
        given.iter().all(|each| each["arrived"].is_i64()).then_some(())
    })
    .await;
    for (session, id) in &receivers {
        let (status, _) = uses(session, id, "GET").await.expect("it may be read");
        assert_eq!(status, 200);
        let (has, asked) = (
            listed(session, "share.received").await,
            listed(session, "share.asked").await,
        );
        assert_eq!((has.len(), asked.len()), (1, 1), "{has:#?} {asked:#?}");
        assert_eq!(asked[0]["words"], "May I see yours?");
    }
}
