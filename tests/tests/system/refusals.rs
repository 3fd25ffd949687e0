//! What keeps Holdfast from starting is one sentence that says what to do, and an exit code.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use system_tests::{Installation, refused};

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let refusal = refused(dir.path(), &["--port", &port], &[]);
    assert_eq!(refusal.code, Some(69));
    assert_eq!(
        refusal.sentence,
        format!("holdfast: Port {port} on 127.0.0.1 is taken: stop what uses it, or choose another with --port.")
    );
}

#[test]
fn a_missing_docker_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let socket = "/nowhere/docker.sock";
    let refusal = refused(
        dir.path(),
        &["--port", "0"],
        &[("HOLDFAST_CELLS__DOCKER_SOCKET", socket)],
    );
    assert_eq!(refusal.code, Some(69), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("Docker"), "{}", refusal.sentence);
    assert!(refusal.sentence.contains(socket), "{}", refusal.sentence);
}

#[test]
fn an_unreachable_postgres_is_named_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nothing answers there.
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://someone:secretpassword@127.0.0.1:{port}/holdfast");
    let refusal = refused(dir.path(), &["--port", "0"], &[("DATABASE_URL", &url)]);
    assert_eq!(refusal.code, Some(69), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("PostgreSQL"), "{}", refusal.sentence);
    assert!(!refusal.sentence.contains("secretpassword"), "{}", refusal.sentence);
}

#[test]
fn a_wrong_setting_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("holdfast.toml"), "[cells]\npause_afer = \"1m\"\n").unwrap();
    let refusal = refused(dir.path(), &["--port", "0"], &[]);
    assert_eq!(refusal.code, Some(78), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("pause_afer"), "{}", refusal.sentence);
}

#[test]
fn a_full_disk_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else {
        eprintln!("not run: only root can mount a small disk");
        return;
    };
    let refusal = refused(dir.path(), &["--port", "0"], &[]);
    assert_eq!(refusal.code, Some(73), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("full"), "{}", refusal.sentence);
}

#[tokio::test]
async fn a_second_server_on_one_data_directory_is_refused_and_the_first_goes_on() {
    let first = Installation::start().await;
    let refusal = refused(first.data_dir(), &["--port", "0"], &[]);
    assert_eq!(refusal.code, Some(75), "{}", refusal.sentence);
    let holder = format!("process {}", first.server_pid());
    assert!(refusal.sentence.contains(&holder), "{}", refusal.sentence);
    assert!(first.get("/readyz").await.status.is_success());
}

/// A disk of a few megabytes, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
