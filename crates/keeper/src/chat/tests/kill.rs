//! `kill -9` at each step of a turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::chat::ChatEventKind;
use serde_json::json;
use uuid::Uuid;

use super::keeper::{Keeper, briefs, short};
use crate::clock::{Clock as _, SystemClock};
use crate::limits::KEYS_REMEMBERED;
use crate::vault_service::LockReason;

#[tokio::test]
async fn promise_05_a_turn_that_waited_when_the_keeper_was_killed_is_sent_after_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.ready.send_replace(false);
    let key = keeper.send(&conversation, "hello").await;
    let revived = keeper.killed().await;
    let messages = revived.open(&conversation).await;
    assert_eq!(briefs(&messages)[0], "User: hello");
    // It may be over already: then the transcript has it.
    let again = json!({"conversation": conversation, "text": "hello", "key": key});
    revived.call("chat.send", again).await.unwrap();
    let last = revived.send(&conversation, "more").await;
    revived.until_saved(&last).await;
    assert_eq!(revived.cell.openclaw.begun(), ["hello", "more"]);
    assert_eq!(revived.open(&conversation).await.len(), 4);
}

#[tokio::test]
async fn promise_05_a_turn_that_ran_when_keeper_and_agent_were_killed_is_shown_as_interrupted_and_not_run_again() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let first = keeper.send(&conversation, "before").await;
    keeper.until_saved(&first).await;
    keeper.send(&conversation, "hold it").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }) && event.turn != first)
        .await;

    let revived = keeper.killed().await;
    let expected = [
        "User: before",
        "Assistant: echo: before",
        "User: hold it",
        "Assistant:  (Interrupted)",
    ];
    assert_eq!(briefs(&revived.open(&conversation).await), expected);
    let next = revived.send(&conversation, "after").await;
    revived.until_saved(&next).await;
    assert_eq!(revived.cell.openclaw.begun(), ["after"]);
    let again = revived.killed().await;
    assert_eq!(
        briefs(&again.open(&conversation).await)[..4],
        expected,
        "and it stays so"
    );
    assert_eq!(again.open(&conversation).await.len(), 6);
}

/// A turn whose answer is there and cannot be sealed; its key.
async fn answered_and_not_sealed(keeper: &Keeper, conversation: &str) -> String {
    keeper.cell.seal_stopped.send_replace(true);
    let key = keeper.send(conversation, "hello").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Answered { .. }))
        .await;
    key
}

#[tokio::test]
async fn promise_05_a_turn_that_was_answered_but_not_sealed_is_not_lost() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = answered_and_not_sealed(&keeper, &conversation).await;
    // Whoever opens it now sees that it could still be lost.
    let opened = keeper
        .call("chat.open", json!({"conversation": conversation}))
        .await
        .unwrap();
    assert_eq!(opened["saving"], json!([key]));

    let without_home = keeper.killed().await;
    let expected = ["User: hello", "Assistant:  (Interrupted)"];
    assert_eq!(briefs(&without_home.open(&conversation).await), expected);
    let again = Uuid::new_v4();
    let params = json!({"conversation": conversation, "message": format!("a-{key}"), "key": again});
    without_home.call("chat.regenerate", params).await.unwrap();
    without_home.until_saved(&again.to_string()).await;
    assert_eq!(
        briefs(&without_home.open(&conversation).await),
        ["User: hello", "Assistant: echo: hello"]
    );
    // What was replaced is known when it comes again.
    let replaced = json!({"conversation": conversation, "text": "hello", "key": key});
    assert_eq!(without_home.call("chat.send", replaced).await.unwrap()["again"], true);

    // Whoever looks while it is looked up hears of it.
    let with_home = keeper.killed_with_home().await;
    with_home.cell.ready.send_replace(false);
    let told = with_home.until(|event| event.turn == key && matches!(event.kind, ChatEventKind::Answered { .. }));
    let ready = async {
        tokio::task::yield_now().await;
        with_home.cell.ready.send_replace(true);
    };
    let (opened, _, ()) = tokio::join!(with_home.open(&conversation), told, ready);
    assert_eq!(opened.len(), 2, "{opened:?}");
    assert_eq!(
        briefs(&with_home.open(&conversation).await),
        ["User: hello", "Assistant: echo: hello"]
    );
    assert!(with_home.cell.openclaw.begun().is_empty());
}

#[tokio::test]
async fn promise_05_a_turn_that_was_saved_is_there_once() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hello").await;
    keeper.until_saved(&key).await;
    let revived = keeper.killed().await;
    assert_eq!(
        briefs(&revived.open(&conversation).await),
        ["User: hello", "Assistant: echo: hello"]
    );
    assert!(
        revived.vault.list_records("chat/turn/").unwrap().is_empty(),
        "nothing is kept twice"
    );
}

#[tokio::test]
async fn promise_05_when_the_agent_dies_what_it_said_is_kept_and_the_next_message_is_answered() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.send(&conversation, "hold it").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.cell.openclaw.crash();
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Interrupted { .. }))
        .await;
    let expected = ["User: hold it", "Assistant: partial (Interrupted)"];
    assert_eq!(briefs(&keeper.open(&conversation).await), expected);
    let next = keeper.send(&conversation, "after").await;
    keeper.until_saved(&next).await;
    assert_eq!(keeper.cell.openclaw.begun(), ["hold it", "after"]);
    assert_eq!(briefs(&keeper.killed().await.open(&conversation).await)[..2], expected);
}

#[tokio::test]
async fn promise_05_an_edit_cut_short_by_a_crash_keeps_the_new_words() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "one").await;
    keeper.until_saved(&key).await;
    let edit = Uuid::new_v4();
    let params = json!({"conversation": conversation, "message": format!("u-{key}"), "text": "hold eins", "key": edit});
    keeper.call("chat.edit", params).await.unwrap();
    keeper
        .until(|event| event.turn == edit.to_string() && matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    let revived = keeper.killed().await;
    let shown = briefs(&revived.open(&conversation).await);
    assert_eq!(
        shown,
        [
            "User: one",
            "Assistant: echo: one",
            "User: hold eins",
            "Assistant:  (Interrupted)"
        ]
    );
}

#[tokio::test]
async fn promise_05_locking_forgets_what_was_in_memory_and_unlocking_finds_it_again() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hello").await;
    keeper.until_saved(&key).await;
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    assert_eq!(
        keeper.call("chat.list", json!({})).await.unwrap_err().code,
        "vault_locked"
    );
    let revived = keeper.killed().await;
    assert_eq!(revived.open(&conversation).await.len(), 2);
}

#[tokio::test]
async fn promise_05_a_turn_that_a_lock_cuts_short_keeps_its_words_and_says_so_and_what_waits_goes_on_after_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold it").await;
    let waits = keeper.send(&conversation, "next").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.vault.set_lock_after(Duration::from_secs(60));
    let silent_until = SystemClock.now() + 6 * 60 * 1000;
    assert!(keeper.vault.locks_at().unwrap() > silent_until, "not under an answer");
    assert!(keeper.vault.lock(LockReason::Idle).await.unwrap());
    let told = keeper
        .until(|event| event.turn == key && matches!(event.kind, ChatEventKind::Interrupted { .. }))
        .await;
    assert_eq!(short(&told.kind), "interrupted Assistant: partial (Interrupted)");
    assert_eq!(keeper.cell.openclaw.running(), 0, "the agent was told to stop");

    keeper.cell.seal_stopped.send_replace(true);
    keeper.unlock();
    let shown = keeper.open(&conversation).await;
    assert_eq!(shown[1].error.as_ref().unwrap().code, "locked_meanwhile");
    keeper.cell.seal_stopped.send_replace(false);
    keeper.until_saved(&waits).await;
    let expected = [
        "User: hold it",
        "Assistant: partial (Interrupted)",
        "User: next",
        "Assistant: echo: next",
    ];
    assert_eq!(briefs(&keeper.open(&conversation).await), expected);
    assert_eq!(keeper.cell.openclaw.begun(), ["hold it", "next"]);
}

#[tokio::test]
async fn promise_05_a_lock_that_cannot_write_down_how_a_turn_ended_does_not_say_that_all_is_saved() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.send(&conversation, "hold it").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.break_disk(true);
    assert!(!keeper.vault.lock(LockReason::Asked).await.unwrap());
}

#[tokio::test]
async fn promise_05_what_was_in_memory_of_an_earlier_unlock_does_not_count() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let old = keeper.chat.find(&conversation).unwrap();
    // Nobody told of the lock, nor of the unlock after it.
    let shelf = std::mem::take(&mut *keeper.chat.shelf());
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    keeper.unlock();
    *keeper.chat.shelf() = shelf;
    assert!(!Arc::ptr_eq(&old, &keeper.chat.find(&conversation).unwrap()));
    assert!(!keeper.chat.is_held(&old));
}

#[tokio::test]
async fn promise_05_a_message_that_comes_again_after_very_many_others_is_the_same_turn() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hello").await;
    let mut last = key.clone();
    for _ in 0..=KEYS_REMEMBERED {
        keeper.until_saved(&last).await;
        last = keeper.send(&conversation, "more").await;
    }
    keeper.until_saved(&last).await;
    for keeper in [&keeper, &keeper.killed().await] {
        let begun = keeper.cell.openclaw.begun().len();
        let again = json!({"conversation": conversation, "text": "hello", "key": key});
        assert_eq!(keeper.call("chat.send", again).await.unwrap()["again"], true);
        assert_eq!(keeper.cell.openclaw.begun().len(), begun);
    }
}

#[tokio::test]
async fn promise_05_what_became_of_a_turn_is_looked_up_again_when_the_agent_did_not_start() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = answered_and_not_sealed(&keeper, &conversation).await;
    let revived = keeper.killed_with_home().await;
    revived.cell.fails.store(true, Ordering::SeqCst);
    while !revived.chat.find(&conversation).unwrap().state().looking {
        tokio::task::yield_now().await;
    }
    revived.cell.fails.store(false, Ordering::SeqCst);
    assert_eq!(
        briefs(&revived.open(&conversation).await)[1],
        "Assistant: echo: hello (Interrupted)"
    );
    tokio::time::pause();
    revived
        .until(|event| event.turn == key && matches!(event.kind, ChatEventKind::Answered { .. }))
        .await;
}

#[tokio::test]
async fn promise_05_an_answer_without_a_word_is_a_failure_also_where_its_end_was_not_heard() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "be mute").await;
    keeper
        .until(|event| matches!(&event.kind, ChatEventKind::Phase { phase } if phase == "mute"))
        .await;
    let revived = keeper.killed_with_home().await;
    revived.cell.ready.send_replace(false);
    let told = revived.until(|event| event.turn == key);
    let ready = async {
        tokio::task::yield_now().await;
        revived.cell.ready.send_replace(true);
    };
    let (_, told, ()) = tokio::join!(revived.open(&conversation), told, ready);
    assert_eq!(short(&told.kind), "failed agent_silent");
    let expected = ["User: be mute", "Assistant:  (Failed)"];
    assert_eq!(briefs(&revived.open(&conversation).await), expected);
}
