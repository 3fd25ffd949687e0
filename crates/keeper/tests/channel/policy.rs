//! How the vault locks, as its owner has it.

use keeper::vault_service::LockReason;
use serde_json::json;

use super::bench::{TestKeeper, password, refused};

const MINUTE: i64 = 60 * 1000;

#[tokio::test]
async fn the_time_without_use_is_the_owners_within_limits_and_is_followed_after_a_restart() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    assert_eq!(keeper.vault.locks_at(), Some(30 * MINUTE));
    let policy = |minutes: u32| json!({"lock_after_minutes": minutes, "rotate_after_days": 0});
    for minutes in [0, 481] {
        let error = refused(channel.call("vault.set_policy", policy(minutes)).await);
        assert_eq!(error.code(), Some("out_of_range"));
        assert!(error.to_string().contains("LOCK_AFTER_LONGEST"), "{error}");
    }
    channel.call("vault.set_policy", policy(90)).await.unwrap();
    assert_eq!(keeper.vault.locks_at(), Some(90 * MINUTE));
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(keeper.vault.locks_at(), Some(90 * MINUTE));
    keeper.clock.forward(20 * MINUTE);
    let extended = channel.call("vault.extend", json!({})).await.unwrap();
    assert_eq!(extended["locks_at"], json!(110 * MINUTE));
    let policy = channel.call("vault.policy", json!({})).await.unwrap();
    assert_eq!(
        (&policy["lock_after_minutes"], &policy["usual_lock_after_minutes"]),
        (&json!(90), &json!(30))
    );
    // Twenty minutes later the log-in is no fresh proof.
    let back = json!({"lock_after_minutes": null, "rotate_after_days": 0});
    assert_eq!(
        refused(channel.call("vault.set_policy", back.clone()).await).code(),
        Some("proof_needed")
    );
    channel.prove(slot, &password()).await.unwrap();
    channel.call("vault.set_policy", back).await.unwrap();
    assert_eq!(keeper.vault.locks_at(), Some(50 * MINUTE));
}

#[tokio::test]
async fn how_long_a_window_may_be_is_what_the_platform_says_of_the_organisation_up_to_a_week() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let longest = async || channel.call("vault.policy", json!({})).await.unwrap()["grant_longest"].clone();
    let grant = async |hours: i64| channel.call("vault.grant", json!({"minutes": hours * 60})).await;
    assert_eq!(longest().await, json!(24 * 60));
    for (said, counts) in [
        (Some(48 * 60), 48 * 60),
        (Some(u32::MAX), 7 * 24 * 60),
        (Some(0), 1),
        (None, 24 * 60),
    ] {
        keeper.vault.set_grant_longest(said);
        assert_eq!(longest().await, json!(counts));
    }
    keeper.vault.set_grant_longest(Some(48 * 60));
    assert_eq!(refused(grant(49).await).code(), Some("out_of_range"));
    grant(48).await.unwrap();
    assert_eq!(keeper.vault.granted_until(), Some(48 * 60 * MINUTE));
    // What is said later does not open anything, and it ends what is longer than it allows.
    keeper.vault.set_grant_longest(Some(7 * 24 * 60));
    assert_eq!(keeper.vault.granted_until(), Some(48 * 60 * MINUTE));
    keeper.vault.set_grant_longest(Some(60));
    assert_eq!(keeper.vault.granted_until(), Some(60 * MINUTE));
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    keeper.vault.set_grant_longest(Some(7 * 24 * 60));
    assert_eq!((keeper.vault.granted_until(), keeper.vault.locks_at()), (None, None));
}

#[tokio::test]
async fn a_client_is_told_what_the_clock_shows_that_times_are_told_by() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.clock.forward(5 * MINUTE);
    let status = channel.call("vault.status", json!({})).await.unwrap();
    assert_eq!(
        (&status["now"], &status["locks_at"]),
        (&json!(5 * MINUTE), &json!(30 * MINUTE))
    );
}

#[tokio::test]
async fn a_window_for_the_agent_is_granted_with_a_proof_shown_revoked_and_ended_by_a_lock() {
    let (keeper, slot, channel, mut events) = TestKeeper::with_vault().await;
    let error = refused(channel.call("vault.grant", json!({"minutes": 24 * 60 + 1})).await);
    assert_eq!(error.code(), Some("out_of_range"));
    assert!(error.to_string().contains("GRANT_LONGEST"), "{error}");
    channel.call("vault.grant", json!({"minutes": 24 * 60})).await.unwrap();
    assert_eq!(keeper.vault.granted_until(), Some(24 * 60 * MINUTE));
    assert_eq!(keeper.vault.locks_at(), Some(24 * 60 * MINUTE));
    let status = channel.call("vault.status", json!({})).await.unwrap();
    assert_eq!(status["granted_until"], json!(24 * 60 * MINUTE));
    loop {
        let event = events.next().await.unwrap().unwrap();
        if event.event == "vault" && event.data["changed"] == json!(true) {
            break;
        }
    }
    keeper.clock.forward(6 * MINUTE);
    assert_eq!(
        refused(channel.call("vault.grant", json!({"minutes": 60})).await).code(),
        Some("proof_needed")
    );
    // To end it needs none.
    let ended = channel.call("vault.grant", json!({"minutes": 0})).await.unwrap();
    assert_eq!(ended, json!({"locks_at": 36 * MINUTE, "granted_until": null}));

    channel.prove(slot, &password()).await.unwrap();
    channel.call("vault.grant", json!({"minutes": 60})).await.unwrap();
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    assert_eq!(keeper.vault.granted_until(), None);
    let (again, _events) = keeper.login(slot, &password(), None).await.unwrap();
    again.unlock().await.unwrap();
    assert_eq!(keeper.vault.granted_until(), None, "a lock ends it for good");
    assert_eq!(keeper.vault.locks_at(), Some(36 * MINUTE));
}
