//! A keeper that is not the one that was registered with, and a platform that stands in for one.

use client::{ClientError, Handshake, password_secret};
use protocol::b64;
use protocol::channel::{KeeperHandshake, SlotKind};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vault::opaque::{ClientRegistration, Names, Registration, ServerSetup};

use super::bench::{TestKeeper, password, refused};
use super::middle::{rewrite, through};

/// Answers each `login_start` with what `respond` makes of the request.
async fn impostor(
    keeper: &TestKeeper,
    respond: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
) -> Handshake<tokio::io::DuplexStream> {
    let mut request = Vec::new();
    let socket = through(keeper, move |_, message| {
        rewrite(&message, "login_start", |value| {
            request = b64::decode(value["request"].as_str().unwrap()).unwrap();
        });
        let forged = rewrite(&message, "login_response", |value| {
            value["response"] = json!(b64::encode(respond(&request)));
        });
        vec![forged.unwrap_or(message)]
    })
    .await;
    Handshake::open(socket, None).await.unwrap()
}

fn assert_not_proved(outcome: super::bench::Opened, what: &str) {
    let error = refused(outcome);
    assert!(
        matches!(error, ClientError::WrongSecretOrKeeper { .. }),
        "{what}: {error}"
    );
}

#[tokio::test]
async fn promise_02_another_keeper_is_refused() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let names = Names {
        cell: keeper.cell.uuid(),
        slot: slot.uuid(),
    };
    // It has keys and a registration of its own, for a password that it made up.
    let setup = ServerSetup::random();
    let (registration, request) = ClientRegistration::start(&password_secret("made up").unwrap()).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let record = registration.finish(&response, &names).unwrap().record;
    let own = Registration::from_record(&record).unwrap();
    let own_setup = setup.clone();
    let mut handshake = impostor(&keeper, move |request| {
        own_setup.login_response(&own, request, &names).unwrap().1
    })
    .await;
    assert_not_proved(handshake.login(slot, &password()).await, "its own registration");

    // It has stolen the registration, but not the keeper's keys.
    let file = vault::VaultFile::decode(&std::fs::read(keeper.folder().join("vault")).unwrap()).unwrap();
    let stolen = file.slot(slot.uuid()).unwrap().registration().unwrap();
    let mut handshake = impostor(&keeper, move |request| {
        setup.login_response(&stolen, request, &names).unwrap().1
    })
    .await;
    assert_not_proved(handshake.login(slot, &password()).await, "a stolen registration");

    // It is a keeper like ours, made by somebody who knows the password: only its public key gives it away.
    let other = TestKeeper::new().await;
    let mut handshake = other.handshake(None).await;
    let registered = handshake
        .register(&other.claim(), SlotKind::Password, &password())
        .await
        .unwrap();
    let (made, _more) = handshake.login(registered.slot, &password()).await.unwrap();
    made.create_vault().await.unwrap();
    let mut known = channel.known();
    known.cell = other.cell;
    let outcome = other.login(registered.slot, &password(), Some(known)).await;
    assert!(matches!(refused(outcome), ClientError::AnotherKeeper));
}

#[tokio::test]
async fn promise_02_a_changed_public_key_or_any_other_changed_byte_of_the_answer_is_refused() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    // OPAQUE's KE2: evaluation 0..32, masking nonce 32..64, masked (public key, envelope) 64..192, key exchange 192..320.
    for at in [70, 100, 130, 200, 240, 300] {
        keeper.clock.forward(60 * 60 * 1000);
        let socket = through(&keeper, move |_, message| {
            let forged = rewrite(&message, "login_response", |value| {
                let mut response = b64::decode(value["response"].as_str().unwrap()).unwrap();
                assert_eq!(response.len(), 320);
                response[at] ^= 1;
                value["response"] = json!(b64::encode(response));
            });
            vec![forged.unwrap_or(message)]
        })
        .await;
        let outcome = Handshake::open(socket, None)
            .await
            .unwrap()
            .login(slot, &password())
            .await;
        match refused(outcome) {
            ClientError::WrongSecretOrKeeper { .. } | ClientError::Protocol(_) => {}
            other => panic!("byte {at}: {other}"),
        }
    }
}

#[tokio::test]
async fn promise_02_a_public_key_swapped_during_registration_is_found_at_the_first_log_in() {
    let keeper = TestKeeper::new().await;
    let foreign = ServerSetup::random().public_key();
    let socket = through(&keeper, move |_, message| {
        let forged = rewrite(&message, "register_response", |value| {
            // RegistrationResponse: evaluation 0..32, the keeper's public key 32..64.
            let mut response = b64::decode(value["response"].as_str().unwrap()).unwrap();
            response[32..].copy_from_slice(&foreign);
            value["response"] = json!(b64::encode(response));
        });
        vec![forged.unwrap_or(message)]
    })
    .await;
    let mut handshake = Handshake::open(socket, None).await.unwrap();
    let registered = handshake
        .register(&keeper.claim(), SlotKind::Password, &password())
        .await
        .unwrap();
    assert_not_proved(
        handshake.login(registered.slot, &password()).await,
        "swapped at registration",
    );
    assert_eq!(keeper.vault.state(), protocol::channel::VaultState::New);
}

#[tokio::test]
async fn promise_02_a_lowered_cost_of_guessing_is_refused() {
    // Nothing in a message can lower it: a field that says so is ignored ...
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    let socket = through(&keeper, |_, message| {
        let lowered = ["hello", "login_response"].into_iter().find_map(|kind| {
            rewrite(&message, kind, |value| {
                value["ksf"] = json!({"memory": 8, "iterations": 1, "parallelism": 1});
            })
        });
        vec![lowered.unwrap_or(message)]
    })
    .await;
    let opened = Handshake::open(socket, None)
        .await
        .unwrap()
        .login(slot, &password())
        .await;
    assert!(opened.is_ok());
    // ... and a registration that somebody made cheap, even for the right password, does not fit.
    let names = Names {
        cell: keeper.cell.uuid(),
        slot: slot.uuid(),
    };
    let setup = ServerSetup::random();
    let (registration, request) = ClientRegistration::start(&password()).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let cheap = registration.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
    let cheap = Registration::from_record(&cheap.record).unwrap();
    let mut handshake = impostor(&keeper, move |request| {
        setup.login_response(&cheap, request, &names).unwrap().1
    })
    .await;
    assert_not_proved(handshake.login(slot, &password()).await, "made cheap");
}

#[tokio::test]
async fn promise_02_a_hello_of_another_version_is_refused() {
    let (keeper, ..) = TestKeeper::with_vault().await;
    for version in [0, 2] {
        let socket = through(&keeper, move |way, message| {
            let forged = rewrite(&message, "hello", |value| {
                if way == super::middle::Way::ToClient {
                    value["version"] = json!(version);
                }
            });
            vec![forged.unwrap_or(message)]
        })
        .await;
        let outcome = Handshake::open(socket, None).await;
        assert!(matches!(refused(outcome), ClientError::Version(found) if found == version));
    }
}

#[tokio::test]
async fn promise_02_an_end_that_cannot_send_the_first_frame_is_not_a_keeper() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    let forgeries = [
        Message::binary(vec![1; 60]),
        Message::text(serde_json::to_string(&KeeperHandshake::Registered { slot }).unwrap()),
    ];
    for forged in forgeries {
        let socket = through(&keeper, move |_, message| {
            vec![if message.is_binary() { forged.clone() } else { message }]
        })
        .await;
        let outcome = Handshake::open(socket, None)
            .await
            .unwrap()
            .login(slot, &password())
            .await;
        assert!(matches!(refused(outcome), ClientError::Unproved));
    }
}
