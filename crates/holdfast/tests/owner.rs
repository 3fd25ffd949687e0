//! `holdfast owner reset-factors`: where it does nothing, and what it says. What it does is in the tests of management.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Runs the program: what it ended with, and said.
fn reset(data_dir: &Path, email: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(["owner", "reset-factors", email, "--data-dir"])
        .arg(data_dir)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary was just built");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn it_makes_no_installation_and_waits_for_no_server() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    // PostgreSQL does not run as root, and has to come in.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("it is ours");
    let (code, said) = reset(folder.path(), "anna@acme.example");
    assert_eq!(code, Some(70), "{said}");
    assert!(said.contains("No server has started with"), "{said}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("it is there").count(),
        0,
        "nothing is made"
    );

    let id = serde_json::json!({"id": protocol::InstallationId::new()});
    fs::write(folder.path().join("installation.json"), id.to_string()).expect("it is ours");
    let lock = File::create(folder.path().join("lock")).expect("it is ours");
    lock.lock().expect("nobody holds it");
    let (code, said) = reset(folder.path(), "anna@acme.example");
    assert_eq!(code, Some(75), "{said}");
    assert!(said.contains("already uses"), "{said}");

    // With the database of its own that it finds or makes.
    drop(lock);
    let (code, said) = reset(folder.path(), "anna@acme.example");
    assert_eq!(code, Some(70), "{said}");
    assert!(said.contains("anna@acme.example owns no organisation alone"), "{said}");
    let (code, said) = reset(folder.path(), "anna");
    assert_eq!(code, Some(70), "{said}");
    assert!(said.contains("anna is no e-mail address"), "{said}");
}
