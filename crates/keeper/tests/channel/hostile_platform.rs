//! What a platform can do that forwards something else than it was given, or that plays what it once recorded.

use std::sync::{Arc, Mutex};

use client::{ClientError, Handshake, NewSlot, Phrase, password_secret};
use futures::{SinkExt as _, StreamExt as _};
use protocol::channel::SlotKind;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::bench::{Socket, TestKeeper, password, refused};
use super::middle::{Way, rewrite, through};

/// The code of the next message, which is an error; none when the keeper closes with 4000.
async fn refusal(socket: &mut Socket) -> Option<String> {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["type"], "error", "{value}");
            Some(value["code"].as_str().unwrap().to_owned())
        }
        Message::Close(Some(close)) => {
            assert_eq!(u16::from(close.code), 4000);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn promise_02_a_log_in_that_is_led_to_another_slot_opens_nothing_even_with_the_same_secret() {
    // Two slots whose OPAQUE secret is the same: only their names tell them apart.
    let phrase = Phrase::random();
    let words = phrase.words().collect::<Vec<_>>().join(" ");
    let secret = password_secret(&words).unwrap();
    assert!(secret.expose() == phrase.secret().expose());
    let keeper = TestKeeper::new().await;
    let mut handshake = keeper.handshake(None).await;
    let registered = handshake
        .register(&keeper.claim(), SlotKind::Password, &secret)
        .await
        .unwrap();
    let (channel, _events) = handshake.login(registered.slot, &secret).await.unwrap();
    channel.create_vault().await.unwrap();
    let new = NewSlot {
        kind: SlotKind::RecoveryPhrase,
        name: None,
        passkey: None,
        secret: &phrase.secret(),
        replaces: None,
    };
    let other = channel.add_slot(new).await.unwrap();
    let (channel, _events) = keeper.login(other, &secret, None).await.unwrap();
    channel.unlock().await.unwrap();

    let socket = through(&keeper, move |_, message| {
        let led = ["login_start", "login_finish"]
            .iter()
            .find_map(|kind| rewrite(&message, kind, |value| value["slot"] = json!(other)));
        vec![led.unwrap_or(message)]
    })
    .await;
    let mut handshake = Handshake::open(socket, None).await.unwrap();
    let error = refused(handshake.login(registered.slot, &secret).await);
    assert!(matches!(error, ClientError::WrongSecretOrKeeper { .. }), "{error}");
}

#[tokio::test]
async fn promise_02_a_recorded_log_in_is_not_one_again() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    drop(channel);
    let recorded: Arc<Mutex<Vec<Message>>> = Arc::default();
    let tape = Arc::clone(&recorded);
    let socket = through(&keeper, move |way, message| {
        if way == Way::ToKeeper {
            tape.lock().unwrap().push(message.clone());
        }
        vec![message]
    })
    .await;
    let (channel, _events) = Handshake::open(socket, None)
        .await
        .unwrap()
        .login(slot, &password())
        .await
        .unwrap();
    channel.unlock().await.unwrap();
    drop(channel);

    let tape = recorded.lock().unwrap().clone();
    let texts: Vec<&Message> = tape.iter().filter(|message| message.is_text()).collect();
    assert_eq!(texts.len(), 3, "hello, login_start, login_finish");
    let mut socket = keeper.connect().await;
    for message in &texts[..2] {
        socket.send((*message).clone()).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert!(!answer.to_text().unwrap().contains("error"), "{answer}");
    }
    socket.send(texts[2].clone()).await.unwrap();
    assert_eq!(refusal(&mut socket).await.as_deref(), Some("wrong_secret"));
    // Nor does what the client said afterwards open anything.
    let frame = tape.iter().find(|message| message.is_binary()).unwrap();
    socket.send(frame.clone()).await.unwrap();
    assert_eq!(refusal(&mut socket).await.as_deref(), Some("malformed"));
    assert_eq!(refusal(&mut socket).await, None);
}

#[tokio::test]
async fn promise_02_nothing_is_done_for_who_leaves_out_the_proof() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    channel.call("test.echo", json!(1)).await.unwrap();
    let request = json!({"id": 1, "method": "vault.status", "params": {}}).to_string();
    // A request in clear, as a frame without a seal, and as a frame sealed with a key of nothing.
    let no_key = vault::SecretBytes::copy_from(&[0; 32]).unwrap();
    let sealed = vault::FrameSealer::new(&no_key).seal(request.as_bytes()).unwrap();
    let bare = [&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0], request.as_bytes()].concat();
    let finish = json!({"type": "login_finish", "slot": slot, "finish": protocol::b64::encode([0; 64])}).to_string();
    let attempts = [
        Message::text(request),
        Message::binary(bare),
        Message::binary(sealed),
        Message::text(finish),
    ];
    for attempt in attempts {
        let mut socket = keeper.connect().await;
        socket
            .send(Message::text(r#"{"type":"hello","version":1}"#))
            .await
            .unwrap();
        let hello = socket.next().await.unwrap().unwrap();
        assert!(hello.to_text().unwrap().contains("\"unlocked\""), "{hello}");
        socket.send(attempt.clone()).await.unwrap();
        assert_eq!(refusal(&mut socket).await.as_deref(), Some("malformed"), "{attempt}");
        assert_eq!(refusal(&mut socket).await, None, "{attempt}");
    }
}
