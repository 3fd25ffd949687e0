//! A vault whose keeper is killed in the middle of writing it, and a vault on a disk that is full: what was acknowledged is there,
//! and what was not is there whole or not at all.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keeper::clock::{Clock, SystemClock};
use keeper::vault_service::{VaultError, VaultService};
use protocol::{CellId, SlotId};
use tempfile::TempDir;
use uuid::Uuid;
use vault::opaque::{ClientRegistration, Names, Registration, ServerSetup};
use vault::{Body, DataKey, Kek, NewSlot, SlotChange, SlotKind, VaultFile, password_secret};

const CELL: Uuid = Uuid::from_u128(1);
const SLOT: Uuid = Uuid::from_u128(2);
const FOLDER: &str = "HOLDFAST_TEST_VAULT";
/// Large enough that a write takes more than one call.
const FILLER: usize = 300_000;
const KILLS: u32 = 25;

fn kek() -> Kek {
    Kek::copy_from(&[8; 32]).unwrap()
}

/// A vault with one slot whose key is known, in a folder.
fn make(folder: &Path) {
    let names = Names { cell: CELL, slot: SLOT };
    let setup = ServerSetup::random();
    let (enrol, request) = ClientRegistration::start(&password_secret("p").unwrap()).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = enrol.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
    let slot = NewSlot {
        id: SLOT,
        kind: SlotKind::Password,
        name: "Password".to_owned(),
        created: 0,
        passkey: None,
        registration: Registration::from_record(&registered.record).unwrap(),
        kek: kek(),
    };
    let change = SlotChange {
        add: Some(slot),
        ..SlotChange::default()
    };
    let mut body = Body::default();
    body.epoch = 1;
    let file = VaultFile::new(&setup).bound_to(CELL);
    let file = file.written(&DataKey::random(), &body, change).unwrap();
    std::fs::write(folder.join("vault"), file.encode()).unwrap();
}

async fn open(folder: &Path) -> VaultService {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vault = VaultService::open(folder, clock).unwrap();
    vault.bind_cell(CellId::from(CELL)).await.unwrap();
    vault.unlock(SlotId::from(SLOT), &kek()).unwrap();
    vault
}

fn filler(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(FILLER / 8)
}

/// Both records of the newest write; a panic if they are of two writes, or cut.
fn newest(vault: &VaultService) -> u64 {
    let Some(record) = vault.get_record("test/number").unwrap() else {
        return 0;
    };
    let number = u64::from_be_bytes(record.as_slice().try_into().unwrap());
    let other = vault.get_record("test/filler").unwrap().unwrap();
    assert!(other.as_slice() == filler(number), "half of a write");
    number
}

#[tokio::test]
async fn promise_01_what_is_written_of_a_vault_is_read_by_its_keeper_alone() {
    let folder = TempDir::new().unwrap();
    make(folder.path());
    open(folder.path()).await.put_record("test/first", b"1").await.unwrap();
    let mut files = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    assert!(files.all(|file| file.metadata().unwrap().permissions().mode() & 0o077 == 0));
    assert!(folder.path().join("vault").is_file());
}

/// Not a test: what the keeper that is killed does. Says each number that was acknowledged.
#[tokio::test]
#[ignore = "run by another test, as a process of its own"]
async fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let vault = open(&PathBuf::from(folder)).await;
    let mut number = newest(&vault);
    loop {
        number += 1;
        let records = vec![
            ("test/number".to_owned(), Some(number.to_be_bytes().to_vec())),
            ("test/filler".to_owned(), Some(filler(number))),
        ];
        vault.put_records(records).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nwritten {number}").unwrap();
        out.flush().unwrap();
    }
}

fn writer(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn promise_05_a_kill_in_the_middle_of_a_write_leaves_the_old_vault_or_the_new_one() {
    let folder = TempDir::new().unwrap();
    make(folder.path());
    let mut last = 0;
    for round in 0..KILLS {
        let mut child = writer(folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = last;
        let mut said = |most: u32| {
            let mut seen = 0;
            for line in lines.by_ref() {
                if let Some(number) = line.unwrap().strip_prefix("written ") {
                    acknowledged = number.parse().unwrap();
                    seen += 1;
                    if seen == most {
                        break;
                    }
                }
            }
            acknowledged
        };
        said(1 + round % 3);
        // Another moment of a write each time: nothing is waited for here, the moment is the point.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 397 % 9000));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died is in the pipe.
        let acknowledged = said(u32::MAX);
        let vault = open(folder.path()).await;
        last = newest(&vault);
        assert!(
            last == acknowledged || last == acknowledged + 1,
            "{acknowledged} was acknowledged, {last} is there"
        );
        drop(vault);
        settle(folder.path()).await;
    }
    assert!(last >= u64::from(KILLS));
}

/// Waits until a keeper in this process has let go of the folder.
async fn settle(folder: &Path) {
    let lock = std::fs::File::open(folder.join("lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

/// A small disk of its own, unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where nothing may be mounted.
    fn new(kib: usize) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _done = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn promise_05_a_full_disk_is_said_and_costs_nothing_that_was_written() {
    let Some(disk) = SmallDisk::new(1024) else {
        eprintln!("not run: mounting a small disk needs root");
        return;
    };
    let folder = disk.0.path();
    make(folder);
    let vault = open(folder).await;
    // Made by itself when the vault is opened first: from here on nothing is written but by this test.
    vault.identity().await.unwrap();
    vault.put_record("test/first", b"1").await.unwrap();
    let others = folder.join("somebody-else");
    let mut file = std::fs::File::create(&others).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let epoch = vault.epoch().unwrap();

    let error = vault.put_record("test/second", &[2; 8192]).await.unwrap_err();
    assert!(matches!(error, VaultError::DiskFull(_)), "{error}");
    assert_eq!(vault.epoch(), Some(epoch));
    assert!(vault.get_record("test/second").unwrap().is_none());
    drop(vault);
    settle(folder).await;
    let vault = open(folder).await;
    assert_eq!(vault.get_record("test/first").unwrap().unwrap().as_slice(), b"1");
    assert_eq!(vault.epoch(), Some(epoch));

    // Room again: the same write goes through, and nothing has to be mended.
    std::fs::remove_file(&others).unwrap();
    vault.put_record("test/second", &[2; 8192]).await.unwrap();
    assert!(vault.epoch() > Some(epoch));
    assert_eq!(vault.get_record("test/second").unwrap().unwrap().len(), 8192);
}
