//! What a person does with conversations beside talking: stop, edit, ask again, read on in pages, delete. All against the
//! real OpenClaw.

use serde_json::{Value, json};
use system_tests::canary::{Canary, found_in_home, go_from_home};
use system_tests::docker::{Part, container, pid};
use system_tests::{Installation, Session, kill_now};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery staple";

/// A turn that replaces another: its kinds of events until it is saved.
async fn replace(session: &Session, method: &str, mut params: Value) -> system_tests::Turn {
    let key = Uuid::new_v4().to_string();
    params["key"] = json!(key);
    session.call(method, params).await;
    session.turn_event(&key, "saved").await;
    session.turn(&key)
}

#[tokio::test]
async fn answers_are_stopped_edited_given_again_and_conversations_deleted_for_good() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(&installation.model().base_url(), "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;

    // Stopped: what was said stays, and the next turn is answered.
    let turn = session
        .send(&conversation, "[[say: the beginning]] [[hold: stop]] [[say: the end]]")
        .await;
    installation.model().held("stop").await;
    session.turn_event(&turn, "text").await;
    let params = json!({ "conversation": conversation, "turn": turn });
    session.call("chat.abort", params).await;
    session.turn_event(&turn, "aborted").await;
    let opened = session.open(&conversation).await;
    assert_eq!(opened["messages"][1]["status"], "aborted", "{opened:#}");
    let said = opened["messages"][1]["parts"][0]["text"].as_str();
    assert!(said.is_some_and(|said| said.contains("the beginning")), "{opened:#}");

    // The provider refuses: plain words, and the next turn is tried at once.
    let refused = session.send(&conversation, "[[fail: 401 no such key]]").await;
    let failed = session.turn_event(&refused, "failed").await;
    assert!(
        failed["message"].as_str().unwrap_or_default().contains("no such key"),
        "{failed}"
    );
    session.ask(&conversation, "[[say: apple]]").await;

    // Edited: everything from the first message on is replaced.
    let params = json!({ "conversation": conversation, "message": format!("u-{turn}"), "text": "[[say: pear]]" });
    let edited = replace(&session, "chat.edit", params).await;
    let pears = ["user: [[say: pear]]", "assistant: pear"];
    assert_eq!(session.transcript(&conversation).await, pears);

    // Given again: the question stands once.
    let params = json!({ "conversation": conversation, "message": format!("a-{}", edited.id) });
    replace(&session, "chat.regenerate", params).await;
    assert_eq!(session.transcript(&conversation).await, pears);

    // A long answer is whole in history: OpenClaw shows 8000 characters of it unless told otherwise.
    let long = session.ask(&conversation, "[[long: 3000 words]]").await;
    let history = session.transcript(&conversation).await;
    let shown = history.last().cloned().unwrap_or_default();
    assert!(shown.len() > 15_000, "{} characters", shown.len());
    assert_eq!(
        shown.split_whitespace().count(),
        long.text.split_whitespace().count() + 1
    );

    // Deleted: out of the list, and out of every file that the agent has.
    let words = Canary::new("deleted");
    session.ask(&conversation, &format!("[[say: {}]]", words.text)).await;
    let words = [words];
    let left = || found_in_home(owner.cell(), &words).expect("the agent runs");
    assert!(!left().is_empty(), "what was said is in the agent's home");
    session
        .call("chat.delete", json!({ "conversation": conversation }))
        .await;
    let list = session.call("chat.list", json!({})).await;
    assert_eq!(list["conversations"], json!([]));
    go_from_home(owner.cell(), &words).await;
    // OpenClaw goes on with the files that were written anew beside it.
    let next = session.conversation().await;
    let answer = session.ask(&next, "[[say: plum]]").await;
    assert!(answer.text.contains("plum"), "{answer:#?}");
    assert_eq!(left(), Vec::<String>::new());
}

#[tokio::test]
async fn promise_05_openclaw_does_not_take_up_by_itself_what_a_crash_interrupted() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(&installation.model().base_url(), "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;
    let turn = session
        .send(&conversation, "[[say: half]] [[hold: crash]] [[say: way]]")
        .await;
    installation.model().held("crash").await;
    session.turn_event(&turn, "text").await;
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    kill_now(pid(&agent));
    let told = session.turn_event(&turn, "interrupted").await;
    assert!(told.to_string().contains("half"), "what was said is kept: {told}");

    // OpenClaw takes interrupted runs up a few seconds after its start; by the end of another turn it would have.
    let after = session.ask(&conversation, "[[wait: 15s]] [[say: after]]").await;
    assert!(after.text.contains("after"), "{after:#?}");
    let requests = installation.model().requests().await;
    let asked: Vec<&str> = requests["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|request| request["asked"].as_str())
        .collect();
    let again = asked.iter().filter(|words| words.contains("[[hold: crash]]")).count();
    assert_eq!(again, 1, "{asked:#?}");
    let opened = session.open(&conversation).await;
    let statuses: Vec<&str> = opened["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|message| message["status"].as_str())
        .collect();
    assert_eq!(statuses, ["done", "interrupted", "done", "done"], "{opened:#}");
}
