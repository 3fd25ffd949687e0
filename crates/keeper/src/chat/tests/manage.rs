//! The list of conversations, and the limits.

use protocol::channel::ChannelError;
use protocol::limits::MESSAGE_BYTES;
use serde_json::{Value, json};
use uuid::Uuid;

use super::keeper::Keeper;
use crate::limits::{AGENT_AGAIN_FIRST, TURNS_WAITING};

async fn list(keeper: &Keeper) -> Vec<Value> {
    keeper.call("chat.list", json!({})).await.unwrap()["conversations"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_conversation_is_called_by_its_first_words_until_it_is_renamed() {
    let keeper = Keeper::new().await;
    let (first, second) = (keeper.create().await, keeper.create().await);
    let key = keeper.send(&first, "Plan a trip to Rome").await;
    keeper.until_saved(&key).await;
    assert_eq!(list(&keeper).await[0]["title"], "Plan a trip to Rome");
    keeper
        .call("chat.rename", json!({"conversation": first, "title": "Rome"}))
        .await
        .unwrap();
    let key = keeper.send(&first, "And Naples").await;
    keeper.until_saved(&key).await;
    let rows = list(&keeper.killed().await).await;
    assert_eq!((&rows[0]["id"], &rows[0]["title"]), (&json!(first), &json!("Rome")));
    assert_eq!(rows[1]["id"], second);
}

#[tokio::test]
async fn a_conversation_that_is_asked_for_again_by_its_id_is_the_same() {
    let keeper = Keeper::new().await;
    let id = Uuid::now_v7();
    let make = async |keeper: &Keeper| keeper.call("chat.create", json!({"id": id})).await;
    let (first, second) = tokio::join!(make(&keeper), make(&keeper));
    assert_eq!(first.unwrap()["conversation"]["id"], json!(id));
    assert_eq!(second.unwrap()["conversation"]["id"], json!(id));
    keeper.open(&id.to_string()).await;
    let key = keeper.send(&id.to_string(), "Hello").await;
    keeper.until_saved(&key).await;
    let keeper = keeper.killed().await;
    let again = make(&keeper).await.unwrap();
    assert_eq!(again["conversation"]["title"], "Hello");
    assert_eq!(list(&keeper).await.len(), 1);
    keeper.call("chat.delete", json!({"conversation": id})).await.unwrap();
    assert!(list(&keeper).await.is_empty());
    keeper.cell.ready.send_replace(false);
    let held = json!({"id": Uuid::now_v7()});
    let held = keeper.call("chat.create", held).await.unwrap()["conversation"]["id"].clone();
    keeper.call("chat.delete", json!({"conversation": held})).await.unwrap();
    let gone = keeper.call("chat.create", json!({"id": held})).await.unwrap_err();
    assert_eq!(gone.code, "unknown_conversation", "it is still being deleted");
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_from_the_home_and_its_archives_too() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "secret plan").await;
    keeper.until_saved(&key).await;
    keeper
        .call("chat.delete", json!({"conversation": conversation}))
        .await
        .unwrap();
    assert!(list(&keeper).await.is_empty());
    let gone = keeper
        .call("chat.open", json!({"conversation": conversation}))
        .await
        .unwrap_err();
    assert_eq!(gone.code, "unknown_conversation");
    while !keeper.vault.list_records("chat/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(keeper.cell.openclaw.home().is_empty());
    assert_eq!(keeper.cell.removed.lock().unwrap().len(), 1);
    assert!(keeper.cell.sealed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn promise_05_a_deletion_that_a_crash_cut_short_is_carried_out_after_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "secret plan").await;
    keeper.until_saved(&key).await;
    keeper.cell.ready.send_replace(false);
    keeper
        .call("chat.delete", json!({"conversation": conversation}))
        .await
        .unwrap();
    let revived = keeper.killed().await;
    assert!(list(&revived).await.is_empty());
    while !revived.vault.list_records("chat/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(revived.cell.sealed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_deletion_that_left_words_in_the_agents_files_is_carried_out_again() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "secret plan").await;
    keeper.until_saved(&key).await;
    let refused = ChannelError::new("not_scrubbed", "its databases are in use");
    keeper.cell.scrubs_refused.lock().unwrap().push(refused);
    keeper
        .call("chat.delete", json!({"conversation": conversation}))
        .await
        .unwrap();
    while !keeper.cell.scrubs_refused.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(list(&keeper).await.is_empty());
    let revived = keeper.killed().await;
    assert!(
        !revived.vault.list_records("chat/").unwrap().is_empty(),
        "it is remembered as not deleted yet"
    );
    assert!(list(&revived).await.is_empty());
    while !revived.vault.list_records("chat/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deletion_that_failed_is_tried_again_while_the_vault_is_open() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = keeper.send(&conversation, "secret plan").await;
    keeper.until_saved(&key).await;
    let refused = ChannelError::new("not_scrubbed", "its databases are in use");
    let twice = [refused.clone(), refused];
    keeper.cell.scrubs_refused.lock().unwrap().extend(twice);
    let rests = AGENT_AGAIN_FIRST * 3;
    let is_gone = async || {
        while !keeper.vault.list_records("chat/").unwrap().is_empty() {
            tokio::time::sleep(AGENT_AGAIN_FIRST).await;
        }
    };
    keeper
        .call("chat.delete", json!({"conversation": conversation}))
        .await
        .unwrap();
    while keeper.cell.scrubs_refused.lock().unwrap().len() == 2 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::timeout(rests * 10, is_gone()).await.unwrap();
    assert!(keeper.cell.sealed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_running_conversation_can_be_deleted() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.send(&conversation, "hold it").await;
    keeper
        .call("chat.delete", json!({"conversation": conversation}))
        .await
        .unwrap();
    while !keeper.vault.list_records("chat/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(keeper.cell.openclaw.home().is_empty());
}

#[tokio::test]
async fn what_is_beyond_the_limits_is_refused_by_name() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let send = |text: String| {
        let params = json!({"conversation": conversation, "text": text, "key": Uuid::new_v4()});
        keeper.call("chat.send", params)
    };
    assert_eq!(send(" \n".into()).await.unwrap_err().code, "message_empty");
    assert_eq!(
        send("x".repeat(MESSAGE_BYTES + 1)).await.unwrap_err().code,
        "message_too_large"
    );
    keeper.cell.ready.send_replace(false);
    for n in 0..=TURNS_WAITING {
        send(format!("message {n}")).await.unwrap();
    }
    assert_eq!(send("one more".into()).await.unwrap_err().code, "queue_full");
    for (method, params) in [
        (
            "chat.send",
            json!({"conversation": conversation, "text": "x", "key": "no uuid"}),
        ),
        ("chat.send", json!({"conversation": 1})),
        ("chat.open", json!(null)),
    ] {
        assert_eq!(
            keeper.call(method, params).await.unwrap_err().code,
            "malformed",
            "{method}"
        );
    }
    let params = json!({"conversation": "none", "text": "x", "key": Uuid::new_v4()});
    assert_eq!(
        keeper.call("chat.send", params).await.unwrap_err().code,
        "unknown_conversation"
    );
    assert_eq!(
        keeper.call("chat.nothing", json!({})).await.unwrap_err().code,
        "unknown_method"
    );
}

#[tokio::test]
async fn a_long_history_comes_in_pages() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    for n in 0..4 {
        let key = keeper
            .send(&conversation, &format!("{n}{}", "x".repeat(120 * 1024)))
            .await;
        keeper.until_saved(&key).await;
    }
    let mut before: Option<String> = None;
    let mut ids = Vec::new();
    loop {
        let params = json!({"conversation": conversation, "before": before});
        let page = keeper.call("chat.open", params).await.unwrap();
        assert!(page.to_string().len() < protocol::limits::FRAME_BYTES);
        let page_ids: Vec<String> = page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].as_str().unwrap().to_owned())
            .collect();
        before = page_ids.first().cloned();
        ids.splice(0..0, page_ids);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(ids.len(), 8);
    assert!(ids.iter().collect::<std::collections::HashSet<_>>().len() == 8);
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_count_in_memory_either() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    keeper.send(&conversation, "hold it").await;
    let waits = keeper.send(&conversation, "next").await;
    keeper.break_disk(true);
    let params = json!({"conversation": conversation, "turn": waits});
    assert_eq!(keeper.call("chat.abort", params).await.unwrap_err().code, "disk");
    let params = json!({"conversation": conversation, "title": "Rome"});
    assert_eq!(keeper.call("chat.rename", params).await.unwrap_err().code, "disk");
    keeper.break_disk(false);
    assert_eq!(list(&keeper).await[0]["title"], "hold it");
    keeper.cell.openclaw.release();
    keeper.until_saved(&waits).await;
}
