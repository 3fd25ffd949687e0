use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::workshop::{Workshop, noise};
use crate::home::HomeError;
use crate::home::folder::{self, What};
use crate::limits;

#[tokio::test]
async fn promise_04_symbolic_links_are_kept_as_links_and_never_followed() {
    let workshop = Workshop::new();
    let secret = workshop.path().join("vault-file");
    std::fs::write(&secret, "the vault's secret").unwrap();
    let living = workshop.new_home().await;
    symlink("/etc/passwd", living.path.join("passwd")).unwrap();
    symlink(&secret, living.path.join("vault")).unwrap();
    symlink(workshop.path(), living.path.join("folder")).unwrap();
    symlink("nowhere", living.path.join("dangling")).unwrap();
    symlink("/", living.path.join("root")).unwrap();
    living.snapshot().await.unwrap();
    let restored = workshop.restored().await;
    assert_eq!(restored, living.tree());
    assert!(
        restored.values().all(|what| what.starts_with("link to")),
        "{restored:?}"
    );
}

#[tokio::test]
async fn promise_04_a_folder_that_turns_into_a_link_while_it_is_read_leads_nowhere() {
    let workshop = Workshop::new();
    let outside = workshop.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "the vault's secret").unwrap();
    let living = workshop.new_home().await;
    living.write("real/file", "the agent's own");
    let stop = Arc::new(AtomicBool::new(false));
    let racer = std::thread::spawn({
        let (path, stop) = (living.path.clone(), stop.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(path.join("real"), path.join("aside")).unwrap();
                symlink(&outside, path.join("real")).unwrap();
                std::fs::remove_file(path.join("real")).unwrap();
                std::fs::rename(path.join("aside"), path.join("real")).unwrap();
                std::fs::rename(path.join("real/file"), path.join("file-aside")).unwrap();
                symlink(outside.join("file"), path.join("real/file")).unwrap();
                std::fs::rename(path.join("file-aside"), path.join("real/file")).unwrap();
            }
        }
    });
    for _ in 0..200 {
        living.snapshot().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    racer.join().unwrap();
    let secret = super::super::manifest::digest(b"the vault's secret");
    let mut hex = String::new();
    super::super::chunk::push_hex(&mut hex, &secret);
    // Nothing but what is in the home was ever read: its one file, under one of its names.
    for what in workshop.restored().await.values() {
        assert!(!what.contains(&hex), "{what}");
    }
}

#[test]
fn promise_04_a_file_that_turns_into_a_link_between_look_and_open_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "the agent's own").unwrap();
    let root = folder::open_root(folder.path()).unwrap();
    let mut seen = 0;
    folder::walk(&root, &mut |visit| {
        let What::File(file) = visit.what else {
            panic!("a file was there")
        };
        std::fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert!(file.open()?.is_none(), "the link was followed");
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(file.open()?.is_none(), "a pipe was opened");
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn pipes_and_sockets_are_passed_over_and_do_not_hold_the_keeper() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    rustix::fs::mkfifoat(rustix::fs::CWD, living.path.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(living.path.join("socket")).unwrap();
    living.write("file", "x");
    living.snapshot().await.unwrap();
    assert_eq!(
        workshop.restored().await.into_keys().collect::<Vec<_>>(),
        [b"file".to_vec()]
    );
}

#[tokio::test]
async fn hard_links_come_back_as_files_of_their_own() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("one", noise(1, 50_000));
    std::fs::hard_link(living.path.join("one"), living.path.join("other")).unwrap();
    living.snapshot().await.unwrap();
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn any_name_that_a_file_can_have_is_kept() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let long = "x".repeat(255);
    for name in [
        &b"new\nline"[..],
        b"\xff\xfe not UTF-8",
        b"-rf",
        b"back\\slash",
        b" ",
        b"...",
        long.as_bytes(),
    ] {
        std::fs::write(living.path.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    living.snapshot().await.unwrap();
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn promise_04_set_user_id_does_not_come_back() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("program", "x");
    let program = living.path.join("program");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o6755)).unwrap();
    living.snapshot().await.unwrap();
    let restored = workshop.restored().await;
    assert!(restored[&b"program"[..]].starts_with("file 100755"), "{restored:?}");
}

#[tokio::test]
async fn promise_11_a_home_beyond_a_limit_is_refused_by_name_and_the_last_sealed_one_stays() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("file", "sealed");
    living.snapshot().await.unwrap();
    let sealed = living.tree();
    let deep = (0..=limits::HOME_DEPTH).map(|_| "d").collect::<Vec<_>>().join("/");
    std::fs::create_dir_all(living.path.join(&deep)).unwrap();
    assert_eq!(living.snapshot().await, Err(HomeError::TooDeep));
    std::fs::remove_dir_all(living.path.join("d")).unwrap();
    let long = (0..20).map(|_| "x".repeat(250)).collect::<Vec<_>>();
    let mut folder = rustix::fs::open(&living.path, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for name in &long {
        rustix::fs::mkdirat(&folder, name.as_str(), rustix::fs::Mode::RWXU).unwrap();
        folder = rustix::fs::openat(
            &folder,
            name.as_str(),
            rustix::fs::OFlags::DIRECTORY,
            rustix::fs::Mode::empty(),
        )
        .unwrap();
    }
    assert_eq!(living.snapshot().await, Err(HomeError::PathTooLong));
    assert_eq!(workshop.restored().await, sealed);
}

#[tokio::test]
async fn a_home_too_large_for_its_limit_is_refused_before_it_is_read() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let sparse = std::fs::File::create(living.path.join("sparse")).unwrap();
    sparse.set_len(limits::HOME_BYTES + 1).unwrap();
    assert_eq!(living.snapshot().await, Err(HomeError::TooLarge));
    assert_eq!(workshop.store.names().len(), 0);
}

#[tokio::test]
async fn folders_nested_deeper_than_descriptors_reach_are_wiped() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("kept", "x");
    living.snapshot().await.unwrap();
    let sealed = living.tree();
    let mut folder = rustix::fs::open(&living.path, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&folder, "d", rustix::fs::Mode::RWXU).unwrap();
        rustix::fs::symlinkat("/etc", &folder, "link").unwrap();
        folder = rustix::fs::openat(&folder, "d", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    let heir = workshop.keeper_at(&living.path);
    heir.restore().await.unwrap();
    assert_eq!(heir.tree(), sealed);
    assert!(std::path::Path::new("/etc/passwd").exists());
}

#[tokio::test]
async fn promise_04_removing_a_file_never_leaves_the_home() {
    let workshop = Workshop::new();
    let outside = workshop.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "x").unwrap();
    let living = workshop.new_home().await;
    symlink(&outside, living.path.join("link")).unwrap();
    living.write("folder/file", "x");
    for path in [
        "link/file",
        "../outside/file",
        "/etc/passwd",
        "folder/../../outside/file",
        "",
    ] {
        assert!(living.home.remove_files(&[path.to_owned()]).await.is_err(), "{path}");
    }
    assert!(outside.join("file").exists());
    let paths = ["folder/file".to_owned(), "not/there".to_owned(), "link".to_owned()];
    living.home.remove_files(&paths).await.unwrap();
    assert!(!living.path.join("folder/file").exists() && outside.join("file").exists());
}
