//! What keeps Holdfast from starting is one sentence that says what to do, and an exit code.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
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
    let what = format!("holdfast: Docker does not answer on {socket} (");
    let to_do = "): install Docker Engine and start it (`systemctl start docker`), or run as a user who may use it";
    assert!(refusal.sentence.starts_with(&what), "{}", refusal.sentence);
    assert!(refusal.sentence.ends_with(to_do), "{}", refusal.sentence);
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
    let to_do = "Check its URL (DATABASE_URL or `database.url_file`) and that the server runs";
    let what = "holdfast: cannot reach PostgreSQL: ";
    assert!(refusal.sentence.starts_with(what), "{}", refusal.sentence);
    assert!(refusal.sentence.ends_with(to_do), "{}", refusal.sentence);
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
    let _disk = match SmallDisk::mount(dir.path()) {
        Ok(disk) => disk,
        Err(why) if geteuid().is_root() => panic!("a small disk cannot be mounted: {why}"),
        Err(why) => return eprintln!("not run: only root can mount a small disk ({why})"),
    };
    let refusal = refused(dir.path(), &["--port", "0"], &[]);
    assert_eq!(refusal.code, Some(73), "{}", refusal.sentence);
    let what = format!("holdfast: The disk that holds {} is full (", dir.path().display());
    assert!(refusal.sentence.starts_with(&what), "{}", refusal.sentence);
    let to_do = " MiB free, 200 needed): make room and start again.";
    assert!(refusal.sentence.ends_with(to_do), "{}", refusal.sentence);
}

#[tokio::test]
async fn a_second_server_on_one_data_directory_is_refused_and_the_first_goes_on() {
    let first = Installation::start().await;
    let refusal = refused(first.data_dir(), &["--port", "0"], &[]);
    assert_eq!(refusal.code, Some(75), "{}", refusal.sentence);
    let what = format!(
        "holdfast: Another Holdfast (process {}) already uses ",
        first.server_pid()
    );
    assert!(refusal.sentence.starts_with(&what), "{}", refusal.sentence);
    let to_do = ": stop it, or choose another folder with --data-dir.";
    assert!(refusal.sentence.ends_with(to_do), "{}", refusal.sentence);
    assert!(first.get("/readyz").await.status.is_success());
}

/// A disk of a few megabytes, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Result<Self, String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(at);
        let mounted = mount.output().map_err(|error| error.to_string())?;
        match mounted.status.success() {
            true => Ok(Self(at)),
            false => Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned()),
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
