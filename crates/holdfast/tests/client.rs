//! The client's command line, as far as it goes without a platform: what it refuses, in which words, with which exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Runs the binary without a terminal: `setsid` takes away the one that a developer sits at.
fn holdfast(home: &TempDir, args: &[&str]) -> Output {
    Command::new("setsid")
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_holdfast"))
        .args(args)
        .env("XDG_STATE_HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .expect("setsid is part of every Linux system")
}

fn error(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A home in which somebody is signed in, at a port that nobody listens on.
fn signed_in(mode: u32) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = home.path().join("holdfast");
    let file = folder.join("client.json");
    fs::create_dir(&folder).expect("a folder can be made");
    let state = r#"{"version":1,"session":{"server":"http://127.0.0.1:1","user":"01930000-0000-7000-8000-000000000001","email":"mia@example.org","cookies":"holdfast_session=AAAA; holdfast_csrf=BBBB"}}"#;
    fs::write(&file, state).expect("a file can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its mode can be set");
    home
}

#[test]
fn a_password_cannot_be_given_as_an_argument() {
    let home = tempfile::tempdir().unwrap();
    for command in ["unlock", "lock"] {
        for secret in ["hunter2", "--password=hunter2", "--phrase=hunter2", "--key=hunter2"] {
            let refused = holdfast(&home, &[command, secret]);
            assert_eq!(refused.status.code(), Some(2), "{command} {secret}: {refused:?}");
        }
    }
    let refused = holdfast(&home, &["secrets", "set", "GitHub", "ghp-value"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let refused = holdfast(&home, &["login", "http://127.0.0.1:1", "--code", "123456"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn without_a_terminal_it_says_how_to_be_scripted() {
    let home = tempfile::tempdir().unwrap();
    let refused = holdfast(&home, &["login", "http://127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    assert_eq!(
        error(&refused),
        "holdfast: There is no terminal to ask for the e-mail address on. Pass --stdin and write it to standard input: a line for each \
         thing that is asked for.\n"
    );
    let ended = holdfast(&home, &["login", "http://127.0.0.1:1", "--stdin"]);
    assert_eq!(ended.status.code(), Some(65), "{ended:?}");
    assert_eq!(
        error(&ended),
        "holdfast: Standard input ended where the e-mail address was due.\n"
    );
}

#[test]
fn an_error_is_a_sentence_or_with_json_a_code_and_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    let refused = holdfast(&home, &["status"]);
    assert_eq!(refused.status.code(), Some(77));
    assert_eq!(
        error(&refused),
        "holdfast: Not signed in: run `holdfast login` first.\n"
    );
    for args in [
        &["status", "--json"][..],
        &["unlock", "--json"],
        &["sessions", "list", "--json"],
        &["secrets", "list", "--json"],
        &["backup", "--json", "x.hfb"],
        &["chat", "--json", "hello"],
    ] {
        let refused = holdfast(&home, args);
        assert_eq!(refused.status.code(), Some(77), "{args:?}");
        let told: serde_json::Value = serde_json::from_str(&error(&refused)).unwrap();
        assert_eq!(told["error"]["code"], "not_signed_in", "{args:?}");
    }
    let missing = holdfast(&home, &["restore", "not-there.hfb", "--json"]);
    assert_eq!(missing.status.code(), Some(66), "{missing:?}");
}

#[test]
fn a_session_that_others_can_read_is_not_used() {
    let refused = holdfast(&signed_in(0o644), &["status"]);
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    assert!(error(&refused).contains("can be read by others"), "{refused:?}");
}

#[test]
fn a_platform_that_cannot_be_reached_or_trusted_with_a_cookie_is_named() {
    let away = holdfast(&signed_in(0o600), &["status", "--json"]);
    assert_eq!(away.status.code(), Some(69), "{away:?}");
    assert!(
        error(&away).contains("http://127.0.0.1:1 cannot be reached"),
        "{away:?}"
    );

    let home = tempfile::tempdir().unwrap();
    let clear = holdfast(
        &home,
        &["login", "http://agents.example.org", "--email", "mia@example.org"],
    );
    assert_eq!(clear.status.code(), Some(64), "{clear:?}");
    assert!(error(&clear).contains("would travel in clear"), "{clear:?}");
}
