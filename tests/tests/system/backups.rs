//! A backup opens by each way in that its vault had, and brings secrets, conversation and files to another installation, where
//! there is nothing of the first but the file.

use client::{BackupKey, ClientSecret, NewSlot, PasskeyRequest, Phrase, SecretBytes, passkey_secret, social_secret};
use protocol::channel::SlotKind;
use serde_json::{Value, json};
use system_tests::contacts::{asks, chooses, colleagues};
use system_tests::{Installation, Session, secret, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const ELSEWHERE: &str = "another password on another machine";
const VALUE: &str = "value-0123456789abcdef";

async fn add(session: &Session, kind: SlotKind, secret: &ClientSecret, passkey: Option<PasskeyRequest>) {
    let new = NewSlot {
        kind,
        name: Some("Another way in"),
        passkey,
        secret,
        replaces: None,
    };
    session.channel.add_slot(new).await.expect("the way in is taken");
}

/// What an authenticator would give for this request: the test has no other use for one.
fn authenticator() -> (PasskeyRequest, ClientSecret) {
    let request = PasskeyRequest {
        credential_id: vault::random_bytes::<64>().to_vec(),
        prf_salt: vault::random_bytes::<32>().to_vec(),
        rp_id: "localhost".to_owned(),
    };
    let secret = passkey_secret(&SecretBytes::random(), &request.prf_salt, &request.rp_id);
    (request, secret)
}

fn tool(command: &str) -> String {
    format!("[[tool: exec {}]]", json!({ "command": command }))
}

fn secret_of(list: &Value) -> &Value {
    &list["secrets"][0]
}

#[tokio::test]
async fn a_backup_opens_by_each_way_in_and_restores_everything_on_another_installation() {
    // Somebody with every way in, a secret, a conversation and a file.
    let first = Installation::start().await;
    let owner = first.owner().await;
    let made = owner.make_vault(PASSWORD).await;
    let session = made.session;
    session.connect_model(&first.model().base_url(), "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;
    let written = tool("echo from-the-first > kept.txt; cat kept.txt");
    session
        .ask(&conversation, &format!("{written} [[say: kept-words]]"))
        .await;
    let new = json!({"name": "Deploy key", "kind": "text", "agent": "nothing", "value": VALUE});
    session.call("secret.set", new).await;
    let printed = BackupKey::random();
    add(&session, SlotKind::BackupKey, &printed.secret(), None).await;
    let (request, from_passkey) = authenticator();
    add(&session, SlotKind::Passkey, &from_passkey, Some(request)).await;
    let contacts = colleagues(&first, (&owner, &session), PASSWORD).await;
    let contacts: Vec<_> = contacts.iter().map(|(person, session)| (person, session)).collect();
    let slot = chooses((&owner, &session), &contacts).await;
    let file = session.backup().await;
    let joined = asks(&owner, slot, &contacts).await.secret();
    let ways = [
        (SlotKind::Password, secret(PASSWORD)),
        (
            SlotKind::RecoveryPhrase,
            Phrase::parse(&made.phrase).expect("a phrase").secret(),
        ),
        (SlotKind::BackupKey, printed.secret()),
        (SlotKind::Passkey, from_passkey),
        (SlotKind::Social, social_secret(&joined)),
    ];
    drop(session);
    drop(first);

    // Elsewhere, with a password of its own. Opening and checking a backup replaces nothing.
    let second = Installation::start().await;
    let owner = second.owner().await;
    let session = owner.make_vault(ELSEWHERE).await.session;
    for (kind, secret) in &ways {
        let state = session.read_backup(&file, *kind, secret).await;
        assert_eq!(state.conversations, 1, "{kind:?}: {state:?}");
        assert!(state.files > 0, "{kind:?}: {state:?}");
        let none = session.call("secret.list", json!({})).await;
        assert_eq!(none["secrets"], json!([]), "{kind:?}");
    }
    let state = session.read_backup(&file, SlotKind::Password, &secret(PASSWORD)).await;
    // The vault locks, and that may be quicker than the answer.
    let _ = session.channel.apply_restore(&state.backup).await;
    let session = wait_until("the restored vault opens", system_tests::CELL_START, async || {
        owner
            .try_unlock(SlotKind::Password, &secret(ELSEWHERE), None)
            .await
            .ok()
    })
    .await;

    let listed = session.call("secret.list", json!({})).await;
    assert_eq!(secret_of(&listed)["name"], "Deploy key", "{listed}");
    let shown = session
        .call("secret.reveal", json!({"id": secret_of(&listed)["id"]}))
        .await;
    assert_eq!(shown["value"], VALUE);
    let transcript = session.transcript(&conversation).await;
    assert!(
        transcript.iter().any(|line| line.contains("assistant: kept-words")),
        "{transcript:#?}"
    );
    // The agent of the other place goes on from there, in the same conversation, with its file.
    session.connect_model(&second.model().base_url(), "demo").await;
    session.ready().await;
    session.open(&conversation).await;
    let read = session
        .ask(&conversation, &format!("{} [[say: read]]", tool("cat kept.txt")))
        .await;
    assert!(json!(read.events).to_string().contains("from-the-first"), "{read:#?}");
}
