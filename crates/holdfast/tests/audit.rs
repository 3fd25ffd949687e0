//! `holdfast audit verify`: what it is told, what it says, and what it ends with.

use std::path::Path;
use std::process::Command;

use ed25519_dalek::{Signer as _, SigningKey};
use protocol::b64;
use serde_json::json;
use sha2::{Digest as _, Sha256};

const TENANT: [u8; 16] = [7; 16];

fn tenant() -> String {
    protocol::TenantId::from(uuid::Uuid::from_bytes(TENANT)).to_string()
}

/// An export of two events, as an installation with this key writes it.
fn export(key: &SigningKey) -> String {
    let public = b64::encode(key.verifying_key().as_bytes());
    let mut lines = vec![json!({"holdfast_audit": 1, "tenant": tenant(), "key": public})];
    let mut hash = [0_u8; 32];
    for seq in 1..=2 {
        let event = json!({"action": "cell.woken", "seq": seq, "tenant": tenant()});
        hash = Sha256::new()
            .chain_update(b"holdfast/audit/v1\0")
            .chain_update(hash)
            .chain_update(event.to_string())
            .finalize()
            .into();
        lines.push(json!({"event": event, "hash": b64::encode(hash)}));
    }
    let (seq, at) = (2_i64, 1000_i64);
    let signed = [
        b"holdfast/audit-end/v1\0".as_slice(),
        &TENANT,
        &seq.to_be_bytes(),
        &hash,
        &at.to_be_bytes(),
    ]
    .concat();
    let signature = b64::encode(key.sign(&signed).to_bytes());
    lines.push(json!({"end": {"seq": seq, "hash": b64::encode(hash), "at": at, "signature": signature}}));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Runs the program in this folder: what it ended with, and said.
fn verify(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .current_dir(folder)
        .args(["audit", "verify"])
        .args(arguments)
        .output()
        .expect("the binary was just built");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn promise_10_the_program_says_whether_an_export_is_whole_and_ends_accordingly() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
    let (own, other) = (SigningKey::from_bytes(&[9; 32]), SigningKey::from_bytes(&[1; 32]));
    let public = |key: &SigningKey| format!("{}\n", b64::encode(key.verifying_key().as_bytes()));
    let whole = export(&own);
    write("log.jsonl", &whole);
    write("audit.pub", &public(&own));
    write("other.pub", &public(&other));
    write("changed.jsonl", &whole.replacen("cell.woken", "cell.slept", 1));
    write("anew.jsonl", &export(&other));
    let cut = whole
        .lines()
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    write("cut.jsonl", &cut);

    for (arguments, code, words) in [
        (
            &["log.jsonl", "--key", "audit.pub"][..],
            0,
            "log.jsonl is whole: 2 events of organisation",
        ),
        (&["log.jsonl"], 0, "Compare it with the installation's keys/audit.pub"),
        (
            &["changed.jsonl", "--key", "audit.pub"],
            65,
            "changed.jsonl is not whole: line 2: event 1",
        ),
        (&["changed.jsonl"], 65, "is not whole"),
        (
            &["cut.jsonl", "--key", "audit.pub"],
            65,
            "the file was cut after event 2",
        ),
        (
            &["log.jsonl", "--key", "other.pub"],
            65,
            "signed by another installation's key",
        ),
        (
            &["anew.jsonl", "--key", "audit.pub"],
            65,
            "signed by another installation's key",
        ),
        // What the key in the file says of itself is all that is known without one.
        (&["anew.jsonl"], 0, "Compare it"),
        (&["nowhere.jsonl"], 70, "nowhere.jsonl cannot be read"),
        (&["log.jsonl", "--key", "nowhere.pub"], 70, "nowhere.pub cannot be read"),
        (&[], 2, "Usage"),
    ] {
        let (ended, said) = verify(folder.path(), arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let (_, said) = verify(folder.path(), &["log.jsonl", "--key", "audit.pub"]);
    assert!(!said.contains("Compare"), "{said}");
}
