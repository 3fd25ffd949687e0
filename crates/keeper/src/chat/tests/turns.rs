//! One turn, many turns, stopping, editing, missed events.

use std::time::Duration;

use protocol::chat::{ChatEventKind, Message, Part};
use serde_json::json;
use uuid::Uuid;

use super::keeper::{Ear, Keeper, briefs, short};
use crate::template::Templates;

#[tokio::test]
async fn a_message_is_accepted_answered_and_saved() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hello").await;
    assert_eq!(
        keeper.story(&key).await,
        [
            "accepted",
            "phase starting_model",
            "text echo:",
            "text  hello",
            "answered Assistant: echo: hello",
            "saved"
        ]
    );
    assert_eq!(
        briefs(&keeper.open(&conversation).await),
        ["User: hello", "Assistant: echo: hello"]
    );
}

#[tokio::test]
async fn a_tool_call_is_shown_between_the_texts_live_and_in_history() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "use a tool").await;
    let story = keeper.story(&key).await;
    assert_eq!(story[2..5], ["text let me look", "tool Start", "tool Result"]);
    let answer = "Assistant: let me look [exec Ok: a.txt] all done";
    assert_eq!(story[6], format!("answered {answer}"));
    assert_eq!(briefs(&keeper.open(&conversation).await)[1], answer);
}

#[tokio::test]
async fn a_job_is_said_as_the_template_in_the_vault_has_it_and_once_for_each_key() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = Uuid::new_v4().to_string();
    let run = async |key: &str| {
        let params = json!({"conversation": conversation, "job": "morning", "key": key});
        keeper.call("chat.run", params).await
    };
    assert_eq!(run(&key).await.unwrap_err().code, "unknown_job");
    let templates = Templates::new(keeper.vault.clone());
    let template = json!({"name": "desk", "schedule": [
        {"name": "evening", "every_minutes": 15, "message": "What was new?"},
        {"name": "morning", "cron": "0 9 * * *", "message": "What is new?"},
    ]});
    templates
        .set(Some(serde_json::from_value(template).unwrap()))
        .await
        .unwrap();
    let at = run(&key).await.unwrap()["at"].clone();
    keeper.until_saved(&key).await;
    templates.set(None).await.unwrap();
    assert_eq!(run(&key).await.unwrap()["at"], at, "it was accepted");
    assert_eq!(run(&Uuid::new_v4().to_string()).await.unwrap_err().code, "unknown_job");
    assert_eq!(keeper.cell.openclaw.begun(), ["What is new?"]);
}

#[tokio::test]
async fn a_key_that_was_seen_before_is_the_same_turn() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = Uuid::new_v4().to_string();
    let params = json!({"conversation": conversation, "text": "hold once", "key": key});
    let both = tokio::join!(
        keeper.call("chat.send", params.clone()),
        keeper.call("chat.send", params.clone())
    );
    let at = both.0.unwrap()["at"].clone();
    assert_eq!(both.1.unwrap()["at"], at, "at once");
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    assert_eq!(
        keeper.call("chat.send", params.clone()).await.unwrap()["at"],
        at,
        "while it runs"
    );
    keeper.cell.openclaw.release();
    keeper.until_saved(&key).await;
    assert_eq!(
        keeper.call("chat.send", params.clone()).await.unwrap()["at"],
        at,
        "when it is saved"
    );
    let revived = keeper.killed().await;
    assert_eq!(
        revived.call("chat.send", params).await.unwrap()["at"],
        at,
        "after a restart"
    );
    assert_eq!(keeper.cell.openclaw.begun(), ["hold once"]);
    assert!(revived.cell.openclaw.begun().is_empty());
}

#[tokio::test]
async fn messages_typed_while_the_agent_starts_are_sent_in_order_when_it_is_ready() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.ready.send_replace(false);
    for text in ["one", "two", "three"] {
        keeper.send(&conversation, text).await;
    }
    assert!(keeper.cell.openclaw.begun().is_empty());
    keeper.cell.ready.send_replace(true);
    let last = keeper.send(&conversation, "four").await;
    keeper.until_saved(&last).await;
    assert_eq!(keeper.cell.openclaw.begun(), ["one", "two", "three", "four"]);
    let messages = briefs(&keeper.open(&conversation).await);
    assert_eq!(messages.len(), 8);
    assert_eq!(messages[5], "Assistant: echo: three");
}

#[tokio::test]
async fn a_message_that_comes_while_the_agent_is_about_to_be_started_for_other_models_is_for_those() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.settled.send_replace(false);
    let held = keeper.send(&conversation, "for the others").await;
    let other = keeper.create().await;
    let stopped = keeper.send(&other, "never mind").await;
    // They would have been given by now.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(keeper.cell.openclaw.begun().is_empty());
    keeper
        .call("chat.abort", json!({"conversation": other, "turn": stopped}))
        .await
        .unwrap();
    keeper
        .until(|event| event.turn == stopped && matches!(event.kind, ChatEventKind::Aborted { .. }))
        .await;
    keeper.cell.settled.send_replace(true);
    keeper.until_saved(&held).await;
    assert_eq!(keeper.cell.openclaw.begun(), ["for the others"]);
}

#[tokio::test]
async fn one_turn_at_a_time_runs_in_a_conversation_and_conversations_run_beside_each_other() {
    let keeper = Keeper::new().await;
    let (first, second) = (keeper.create().await, keeper.create().await);
    keeper.send(&first, "hold this").await;
    let next = keeper.send(&first, "next").await;
    let other = keeper.send(&second, "other").await;
    keeper.until_saved(&other).await;
    assert!(!keeper.cell.openclaw.begun().contains(&"next".to_owned()));
    keeper.cell.openclaw.release();
    keeper.until_saved(&next).await;
}

#[tokio::test]
async fn a_turn_goes_on_when_nobody_listens() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold on").await;
    keeper.ear.leave();
    keeper.cell.openclaw.release();
    let (ear, mut events) = Ear::new();
    let params = json!({"conversation": conversation});
    keeper.chat.handle("chat.open", params, ear).await.unwrap();
    while let Some(event) = events.recv().await {
        if event.turn == key && event.kind == ChatEventKind::Saved {
            break;
        }
    }
    let unread = keeper.call("chat.list", json!({})).await.unwrap();
    assert_eq!(unread["conversations"][0]["running"], false);
}

#[tokio::test]
async fn whoever_comes_back_gets_the_missed_events_or_all_messages_with_the_answer_so_far() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold it").await;
    let first = keeper.until(|event| event.turn == key).await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;

    let (ear, mut events) = Ear::new();
    let params = json!({"conversation": conversation, "after_seq": first.seq});
    let opened = keeper.chat.handle("chat.open", params, ear).await.unwrap();
    assert!(opened.get("messages").is_none());
    assert_eq!(opened["running"]["turn"], key);
    let missed = [events.recv().await.unwrap(), events.recv().await.unwrap()];
    assert_eq!(
        missed.map(|event| short(&event.kind)),
        ["phase starting_model", "text partial"]
    );

    let params = json!({"conversation": conversation, "after_seq": first.seq - 100});
    let opened = keeper.call("chat.open", params).await.unwrap();
    let messages: Vec<Message> = serde_json::from_value(opened["messages"].clone()).unwrap();
    assert_eq!(briefs(&messages), ["User: hold it", "Assistant: partial (Running)"]);
    keeper.cell.openclaw.release();
    keeper.until_saved(&key).await;
    assert_eq!(keeper.open(&conversation).await.len(), 2);
}

#[tokio::test]
async fn stopping_keeps_what_was_said_and_marks_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold it").await;
    let waiting = keeper.send(&conversation, "never").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper
        .call("chat.abort", json!({"conversation": conversation, "turn": waiting}))
        .await
        .unwrap();
    keeper
        .call("chat.abort", json!({"conversation": conversation, "turn": key}))
        .await
        .unwrap();
    keeper.until_saved(&key).await;
    keeper
        .call("chat.abort", json!({"conversation": conversation, "turn": key}))
        .await
        .unwrap();
    let expected = [
        "User: hold it",
        "Assistant: partial (Aborted)",
        "User: never",
        "Assistant:  (Aborted)",
    ];
    assert_eq!(briefs(&keeper.open(&conversation).await), expected);
    assert_eq!(briefs(&keeper.killed().await.open(&conversation).await), expected);
    assert_eq!(keeper.cell.openclaw.begun(), ["hold it"]);
}

#[tokio::test]
async fn an_answer_that_was_stopped_counts_as_being_saved_where_the_agent_has_it_whole() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold it").await;
    let waiting = keeper.send(&conversation, "never").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.cell.seal_stopped.send_replace(true);
    for turn in [&waiting, &key] {
        let params = json!({"conversation": conversation, "turn": turn});
        keeper.call("chat.abort", params).await.unwrap();
    }
    let mut told = Vec::new();
    while told.len() < 2 {
        let event = keeper
            .until(|event| matches!(event.kind, ChatEventKind::Aborted { .. }))
            .await;
        let ChatEventKind::Aborted { saving, .. } = event.kind else {
            unreachable!();
        };
        told.push((event.turn, saving));
    }
    assert_eq!(told, [(waiting, false), (key.clone(), true)]);
    let params = json!({"conversation": conversation});
    assert_eq!(keeper.call("chat.open", params).await.unwrap()["saving"], json!([key]));
}

#[tokio::test]
async fn why_an_answer_is_not_saved_is_told_to_who_listens_and_who_comes_until_it_is() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.disk_full.send_replace(true);
    let first = keeper.send(&conversation, "hello").await;
    let reason = "The disk is full.".to_owned();
    let told = ChatEventKind::NotSaved {
        message: reason.clone(),
    };
    keeper.until(|event| event.turn == first && event.kind == told).await;
    // The next turn does not wait until there is room.
    let second = keeper.send(&conversation, "more").await;
    keeper.until(|event| event.turn == second && event.kind == told).await;
    let open = async || {
        let params = json!({"conversation": conversation});
        keeper.call("chat.open", params).await.unwrap()
    };
    let opened = open().await;
    assert_eq!(opened["saving"], json!([first, second]));
    assert_eq!(opened["not_saved"], json!(reason));

    keeper.cell.disk_full.send_replace(false);
    keeper.until_saved(&first).await;
    keeper.until_saved(&second).await;
    let opened = open().await;
    assert!(
        opened.get("saving").is_none() && opened.get("not_saved").is_none(),
        "{opened}"
    );
    assert_eq!(briefs(&keeper.killed().await.open(&conversation).await).len(), 4);
}

#[tokio::test]
async fn a_turn_that_waits_for_the_agent_can_be_stopped() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.ready.send_replace(false);
    let key = keeper.send(&conversation, "hello").await;
    keeper
        .call("chat.abort", json!({"conversation": conversation, "turn": key}))
        .await
        .unwrap();
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Aborted { .. }))
        .await;
    keeper.cell.ready.send_replace(true);
    let next = keeper.send(&conversation, "again").await;
    keeper.until_saved(&next).await;
    assert_eq!(keeper.cell.openclaw.begun(), ["again"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_written_down_is_refused_and_its_run_is_stopped() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let first = keeper.send(&conversation, "hello").await;
    keeper.until_saved(&first).await;

    keeper.break_disk(true);
    let params = json!({"conversation": conversation, "text": "hold it", "key": Uuid::new_v4().to_string()});
    let refused = keeper.call("chat.send", params).await.unwrap_err();
    assert_eq!(refused.code, "disk", "{refused:?}");
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        // It was on its way to the agent.
        while keeper.cell.openclaw.begun().len() < 2 || keeper.cell.openclaw.running() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("its run is stopped");
    assert_eq!(keeper.cell.openclaw.begun(), ["hello", "hold it"]);

    keeper.break_disk(false);
    let next = keeper.send(&conversation, "again").await;
    let story = keeper.story(&next).await;
    assert_eq!(story.last().unwrap(), "saved");
    assert_eq!(keeper.cell.openclaw.begun(), ["hello", "hold it", "again"]);
}

#[tokio::test]
async fn a_failure_is_told_in_plain_words_and_stays_in_history() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "fail please").await;
    let failed = keeper
        .until(|event| matches!(event.kind, ChatEventKind::Failed { .. }))
        .await;
    let ChatEventKind::Failed { code, message, .. } = failed.kind else {
        unreachable!()
    };
    assert_eq!(code, "model_refused_key");
    assert!(message.ends_with("Check the model's key in the settings."), "{message}");
    keeper.until_saved(&key).await;
    assert_eq!(
        briefs(&keeper.open(&conversation).await),
        ["User: fail please", "Assistant:  (Failed)"]
    );
}

#[tokio::test]
async fn an_answer_without_a_word_is_a_failure() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.send(&conversation, "be silent").await;
    let end = keeper
        .until(|event| {
            matches!(
                event.kind,
                ChatEventKind::Answered { .. } | ChatEventKind::Failed { .. }
            )
        })
        .await;
    assert_eq!(short(&end.kind), "failed agent_silent");
    let expected = ["User: be silent", "Assistant:  (Failed)"];
    assert_eq!(briefs(&keeper.open(&conversation).await), expected);
    let next = keeper.send(&conversation, "again").await;
    keeper.until_saved(&next).await;
    assert_eq!(briefs(&keeper.killed().await.open(&conversation).await)[..2], expected);
}

#[tokio::test]
async fn a_turn_that_a_restarting_agent_stopped_is_told_as_stopped() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold it").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.cell.openclaw.crash_and_stop();
    let end = keeper
        .until(|event| event.turn == key && !matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    assert_eq!(short(&end.kind), "aborted Assistant: partial (Aborted)");
}

#[tokio::test]
async fn editing_replaces_the_message_and_everything_after_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    for text in ["one", "two", "three"] {
        let key = keeper.send(&conversation, text).await;
        keeper.until_saved(&key).await;
    }
    let two = keeper.open(&conversation).await[2].id.clone();
    let key = Uuid::new_v4();
    let params = json!({"conversation": conversation, "message": two, "text": "zwei", "key": key});
    keeper.call("chat.edit", params.clone()).await.unwrap();
    let accepted = keeper.until(|event| event.turn == key.to_string()).await;
    assert!(matches!(accepted.kind, ChatEventKind::Accepted { replaces: Some(id), .. } if id == two));
    keeper.until_saved(&key.to_string()).await;
    let expected = [
        "User: one",
        "Assistant: echo: one",
        "User: zwei",
        "Assistant: echo: zwei",
    ];
    assert_eq!(briefs(&keeper.open(&conversation).await), expected);
    keeper.call("chat.edit", params).await.unwrap();
    assert_eq!(
        briefs(&keeper.open(&conversation).await),
        expected,
        "the same key again is the same edit"
    );
}

#[tokio::test]
async fn an_answer_is_given_again_without_repeating_the_question() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "one").await;
    keeper.until_saved(&key).await;
    let again = Uuid::new_v4();
    let params = json!({"conversation": conversation, "message": format!("a-{key}"), "key": again});
    keeper.call("chat.regenerate", params).await.unwrap();
    keeper.until_saved(&again.to_string()).await;
    assert_eq!(
        briefs(&keeper.open(&conversation).await),
        ["User: one", "Assistant: echo: one"]
    );
    assert_eq!(keeper.cell.openclaw.begun(), ["one", "one"]);
}

#[tokio::test]
async fn nothing_is_edited_while_a_turn_runs() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold").await;
    let params =
        json!({"conversation": conversation, "message": format!("u-{key}"), "text": "x", "key": Uuid::new_v4()});
    assert_eq!(
        keeper.call("chat.edit", params.clone()).await.unwrap_err().code,
        "turn_running"
    );
    assert_eq!(
        keeper.call("chat.regenerate", params).await.unwrap_err().code,
        "turn_running"
    );
    keeper.cell.openclaw.release();
    keeper.until_saved(&key).await;
    let params = json!({"conversation": conversation, "message": "u-none", "text": "x", "key": Uuid::new_v4()});
    assert_eq!(
        keeper.call("chat.edit", params).await.unwrap_err().code,
        "unknown_message"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_while_the_agent_goes_on_loses_nothing() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "hold on").await;
    keeper
        .until(|event| matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    keeper.cell.openclaw.drop_connections();
    // The answer goes on once somebody listens again, which the next look at the conversation makes sure of.
    keeper.open(&conversation).await;
    tokio::task::yield_now().await;
    keeper.cell.openclaw.release();
    let end = keeper
        .until(|event| {
            matches!(
                event.kind,
                ChatEventKind::Answered { .. } | ChatEventKind::Interrupted { .. }
            )
        })
        .await;
    assert_eq!(short(&end.kind), "answered Assistant: partial answer");
    keeper.until_saved(&key).await;
}

#[tokio::test]
async fn a_message_that_was_lost_on_the_way_to_the_agent_is_sent_again() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.cell.openclaw.lose_next();
    let key = keeper.send(&conversation, "hello").await;
    keeper.until_saved(&key).await;
    assert_eq!(keeper.cell.openclaw.begun(), ["hello"]);
}

#[tokio::test]
async fn a_message_that_openclaw_does_not_list_for_its_size_is_shown_whole_and_sent_again_whole() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let words = "a long letter ".repeat(17_000);
    let key = keeper.send(&conversation, &words).await;
    keeper.until_saved(&key).await;
    let shown = keeper.open(&conversation).await;
    assert_eq!(shown.len(), 2);
    assert_eq!(
        (shown[0].id.as_str(), shown[1].id.as_str()),
        (&*format!("u-{key}"), &*format!("a-{key}"))
    );
    assert!(matches!(&shown[0].parts[..], [Part::Text { text }] if *text == words));
    assert!(matches!(&shown[1].parts[..], [Part::Text { text }] if *text == format!("echo: {words}")));

    let again = Uuid::new_v4().to_string();
    let params = json!({"conversation": conversation, "message": format!("a-{key}"), "key": again});
    keeper.call("chat.regenerate", params).await.unwrap();
    keeper.until_saved(&again).await;
    assert_eq!(keeper.cell.openclaw.begun(), [words.clone(), words]);
}

#[tokio::test]
async fn a_message_that_openclaw_gives_in_no_way_is_said_to_be_too_large_and_its_place_is_not_sent_again() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, &"a long letter ".repeat(17_000)).await;
    keeper.until_saved(&key).await;
    keeper.cell.openclaw.give_none();
    let shown = keeper.open(&conversation).await;
    assert_eq!(shown[0].id, format!("u-{key}"));
    assert_eq!(shown[0].error.as_ref().unwrap().code, "too_large_to_show");
    assert!(shown[0].parts.is_empty());
    let params = json!({"conversation": conversation, "message": format!("u-{key}"), "key": Uuid::new_v4()});
    let refused = keeper.call("chat.regenerate", params).await.unwrap_err();
    assert_eq!(refused.code, "too_large_to_show");
}
