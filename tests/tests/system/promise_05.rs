//! What the person was shown as done survives `kill -9` of keeper, agent, server and PostgreSQL; nothing comes twice.

use std::time::Duration;

use system_tests::docker::{Part, container, pid};
use system_tests::model::Model;
use system_tests::{Installation, Person, Session, Settings, kill_now, wait_until};

const PASSWORD: &str = "correct horse battery staple";

/// A person in a conversation with one answer that was shown as saved.
async fn in_conversation(installation: &Installation) -> (Person, Session, String) {
    in_conversation_with(installation, &installation.model()).await
}

async fn in_conversation_with(installation: &Installation, model: &Model) -> (Person, Session, String) {
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(&model.base_url(), "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: kept-one]]").await;
    (owner, session, conversation)
}

/// How often a line of the transcript holds a word.
fn count(transcript: &[String], word: &str) -> usize {
    transcript.iter().filter(|line| line.contains(word)).count()
}

/// Each saved turn is there exactly once: its question and its answer.
fn assert_kept(transcript: &[String], words: &[&str]) {
    for word in words {
        assert_eq!(count(transcript, word), 2, "{word} in {transcript:#?}");
    }
}

async fn back(person: &Person) -> Session {
    wait_until("the person is back", Duration::from_secs(120), async || {
        person
            .try_unlock(
                protocol::channel::SlotKind::Password,
                &system_tests::secret(PASSWORD),
                None,
            )
            .await
            .ok()
    })
    .await
}

#[tokio::test]
async fn promise_05_a_kill_of_the_keeper_loses_no_saved_turn_and_no_accepted_message() {
    let installation = Installation::start().await;
    let (owner, session, conversation) = in_conversation(&installation).await;
    let turn = session
        .send(&conversation, "[[say: half]] [[hold: keeper]] [[say: way]]")
        .await;
    installation.model().held("keeper").await;
    kill_now(pid(&container(owner.cell(), Part::Keeper).unwrap()));

    let session = back(&owner).await;
    session.ready().await;
    let transcript = session.transcript(&conversation).await;
    assert_kept(&transcript, &["kept-one"]);
    // What was accepted is there, once, and its state is not "running" for ever.
    assert_eq!(count(&transcript, "[[hold: keeper]]"), 1, "{transcript:#?}");
    let opened = session.open(&conversation).await;
    assert!(opened["running"].is_null(), "turn {turn} is said to run: {opened}");
    let asked = session.ask(&conversation, "[[say: kept-two]]").await;
    assert!(asked.text.contains("kept-two"), "{asked:#?}");
    assert_kept(&session.transcript(&conversation).await, &["kept-one", "kept-two"]);
}

#[tokio::test]
async fn promise_05_a_kill_of_the_agent_in_a_turn_is_told_and_loses_no_saved_turn() {
    let installation = Installation::start().await;
    let (owner, session, conversation) = in_conversation(&installation).await;
    let turn = session
        .send(&conversation, "[[say: half]] [[hold: agent]] [[say: way]]")
        .await;
    installation.model().held("agent").await;
    kill_now(pid(&container(owner.cell(), Part::Agent).unwrap()));

    // The person sees that it was broken off; it is not silently done again.
    session.turn_event(&turn, "interrupted").await;
    let asked = session.ask(&conversation, "[[say: kept-two]]").await;
    assert!(asked.text.contains("kept-two"), "{asked:#?}");
    let transcript = session.transcript(&conversation).await;
    assert_kept(&transcript, &["kept-one", "kept-two"]);
    assert_eq!(count(&transcript, "[[hold: agent]]"), 1, "{transcript:#?}");
}

#[tokio::test]
async fn promise_05_a_turn_goes_on_while_the_server_is_killed_and_started_again() {
    // A model that the server's end does not end.
    let mut installation = Settings::default().separate_model().start().await;
    let model = installation.separate_model().await;
    let (owner, session, conversation) = in_conversation_with(&installation, &model).await;
    let known = session.channel.known();
    let tool = "[[tool: exec {\"command\":\"sleep 8; echo slept\"}]] [[say: kept-two]]";
    let turn = session.send(&conversation, tool).await;
    session
        .event(system_tests::TURN, |event| {
            event["data"]["turn"] == turn.as_str() && event["data"]["kind"] == "tool"
        })
        .await
        .expect("the tool runs");
    let keeper = pid(&container(owner.cell(), Part::Keeper).unwrap());
    let ticket = session.channel.ticket().expect("a ticket");
    installation.kill();
    installation.run().await;

    // The same keeper, the vault still open: the ticket is enough.
    let session = owner.resume(&ticket, known).await.expect("the channel resumes");
    assert_eq!(pid(&container(owner.cell(), Part::Keeper).unwrap()), keeper);
    let done = wait_until("the turn is done", Duration::from_secs(120), async || {
        let transcript = session.transcript(&conversation).await;
        let opened = session.open(&conversation).await;
        (opened["running"].is_null() && count(&transcript, "kept-two") == 2).then_some(transcript)
    })
    .await;
    assert_kept(&done, &["kept-one", "kept-two"]);
}

#[tokio::test]
async fn promise_05_a_kill_of_postgres_does_not_touch_a_conversation() {
    let installation = Installation::start().await;
    let (_owner, session, conversation) = in_conversation(&installation).await;
    let turn = session
        .send(&conversation, "[[hold: postgres]] [[say: kept-two]]")
        .await;
    installation.model().held("postgres").await;
    kill_now(installation.postgres_pid().expect("PostgreSQL runs"));
    installation.model().release("postgres").await;
    session.turn_event(&turn, "saved").await;
    assert_kept(&session.transcript(&conversation).await, &["kept-one"]);
    assert_eq!(count(&session.transcript(&conversation).await, "kept-two"), 2);
}

#[tokio::test]
async fn promise_05_everything_killed_at_once_right_after_saved_keeps_what_was_saved() {
    let mut installation = Installation::start().await;
    let (owner, session, conversation) = in_conversation(&installation).await;
    session.ask(&conversation, "[[say: kept-two]]").await;
    let keeper = pid(&container(owner.cell(), Part::Keeper).unwrap());
    let agent = pid(&container(owner.cell(), Part::Agent).unwrap());
    let postgres = installation.postgres_pid().unwrap();
    kill_now(keeper);
    kill_now(agent);
    kill_now(postgres);
    installation.kill();

    installation.run().await;
    let session = back(&owner).await;
    session.ready().await;
    assert_kept(&session.transcript(&conversation).await, &["kept-one", "kept-two"]);
    let asked = session.ask(&conversation, "[[say: kept-three]]").await;
    assert!(asked.text.contains("kept-three"), "{asked:#?}");
}
