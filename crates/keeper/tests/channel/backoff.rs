use client::{ClientError, password_secret};

use super::bench::{TestKeeper, password, refused};

#[tokio::test]
async fn promise_02_waiting_after_wrong_passwords_survives_a_restart() {
    let (mut keeper, slot, ..) = TestKeeper::with_vault().await;
    let wrong = password_secret("wrong").unwrap();
    let mut waits = Vec::new();
    for _ in 0..4 {
        match refused(keeper.login(slot, &wrong, None).await) {
            ClientError::WrongSecretOrKeeper { retry_after_ms } => waits.push(retry_after_ms.unwrap()),
            other => panic!("{other}"),
        }
    }
    assert_eq!(waits, [0, 0, 0, 1000]);
    for _ in 0..2 {
        // The right password has to wait as well, and waiting costs nothing more.
        let ClientError::Refused(error) = refused(keeper.login(slot, &password(), None).await) else {
            panic!("it was not the keeper that refused");
        };
        assert_eq!((error.code.as_str(), error.retry_after_ms), ("backoff", Some(1000)));
        keeper = keeper.restarted().await;
    }
    keeper.clock.forward(999);
    assert_eq!(
        refused(keeper.login(slot, &password(), None).await).code(),
        Some("backoff")
    );
    keeper.clock.forward(1);
    let fifth = refused(keeper.login(slot, &wrong, None).await);
    assert!(matches!(
        fifth,
        ClientError::WrongSecretOrKeeper {
            retry_after_ms: Some(2000)
        }
    ));
    keeper.clock.forward(2000);
    assert!(keeper.login(slot, &password(), None).await.is_ok());
    // A right password starts the count again.
    assert!(matches!(
        refused(keeper.login(slot, &wrong, None).await),
        ClientError::WrongSecretOrKeeper {
            retry_after_ms: Some(0)
        }
    ));
}

#[tokio::test]
async fn an_attempt_is_counted_even_when_the_client_does_not_say_how_it_ended() {
    use protocol::channel::{ClientHandshake, KeeperHandshake};
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    for n in 0..5 {
        let mut handshake = keeper.connect().await;
        let (_, request) = vault::opaque::ClientLogin::start(&password()).unwrap();
        let answer = async {
            use futures::{SinkExt as _, StreamExt as _};
            use tokio_tungstenite::tungstenite::Message;
            for message in [
                ClientHandshake::Hello { version: 1 },
                ClientHandshake::LoginStart { slot, request },
            ] {
                let text = serde_json::to_string(&message).unwrap();
                handshake.send(Message::text(text)).await.unwrap();
            }
            handshake.next().await.unwrap().unwrap();
            let answer = handshake.next().await.unwrap().unwrap();
            serde_json::from_str::<KeeperHandshake>(answer.to_text().unwrap()).unwrap()
        }
        .await;
        match answer {
            KeeperHandshake::LoginResponse { .. } if n < 4 => {}
            KeeperHandshake::Error(error) if n == 4 => assert_eq!(error.code, "backoff"),
            other => panic!("attempt {n}: {other:?}"),
        }
    }
}
