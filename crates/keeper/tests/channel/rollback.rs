use client::{ClientError, Handshake};

use super::bench::{TestKeeper, password, refused};

#[tokio::test]
async fn promise_02_a_vault_that_was_rolled_back_is_refused() {
    let (keeper, slot, channel, mut events) = TestKeeper::with_vault().await;
    keeper.vault.put_record("chat/first", b"1").await.unwrap();
    let old = std::fs::read(keeper.folder().join("vault")).unwrap();
    keeper.vault.put_record("chat/second", b"2").await.unwrap();
    let newest = keeper.vault.epoch().unwrap();
    // The client is told of each write.
    while channel.known().epoch < newest {
        events.next().await.unwrap().unwrap();
    }
    let known = channel.known();
    drop(channel);
    let keeper = keeper
        .restarted_after(|folder| std::fs::write(folder.join("vault"), &old).unwrap())
        .await;
    let (channel, _events) = keeper.login(slot, &password(), Some(known)).await.unwrap();
    let error = refused(channel.unlock().await);
    assert!(
        matches!(error, ClientError::RolledBack { seen, found } if seen == newest && found == newest - 1),
        "{error}"
    );
}

#[tokio::test]
async fn promise_02_a_vault_that_was_taken_away_is_missed() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let known = channel.known();
    drop(channel);
    let keeper = keeper
        .restarted_after(|folder| std::fs::remove_file(folder.join("vault")).unwrap())
        .await;
    let outcome = Handshake::open(keeper.connect().await, Some(known)).await;
    assert!(matches!(refused(outcome), ClientError::VaultGone));
}

#[tokio::test]
async fn promise_02_a_changed_byte_anywhere_in_the_sealed_vault_is_refused_and_kept_for_inspection() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.vault.put_record("chat/first", b"1").await.unwrap();
    drop(channel);
    let length = std::fs::metadata(keeper.folder().join("vault")).unwrap().len();
    let keeper = keeper
        .restarted_after(|folder| {
            let file = folder.join("vault");
            let mut bytes = std::fs::read(&file).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            std::fs::write(&file, bytes).unwrap();
        })
        .await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    assert_eq!(refused(channel.unlock().await).code(), Some("vault_refused"));
    assert_eq!(std::fs::metadata(keeper.folder().join("vault")).unwrap().len(), length);
}
