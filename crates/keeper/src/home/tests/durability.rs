use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::Ordering;

use futures::future::BoxFuture;

use super::store::Death;
use super::workshop::{Living, Workshop, noise};
use crate::home::{Depth, HomeError, HomeVault as _, Purpose, Still};

/// A small home with one of everything.
fn furnish(living: &Living) {
    living.write("openclaw.json", "{}");
    living.write("state/openclaw.sqlite", noise(1, 300_000));
    living.write("state/openclaw.sqlite-wal", "wal".repeat(4000));
    living.write("workspace/empty", "");
    living.write("workspace/deep/er/file", "deep");
    std::fs::create_dir(living.path.join("workspace/nothing")).unwrap();
    symlink("deep/er", living.path.join("workspace/link")).unwrap();
    let secret = living.path.join("openclaw.json");
    std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let script = living.path.join("workspace/deep/er/file");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o750)).unwrap();
}

/// What a turn changes.
fn turn(living: &Living, number: u64) {
    living.write("state/openclaw.sqlite-wal", noise(number, 40_000));
    living.write(
        &format!("agents/main/sessions/{number}.jsonl"),
        format!("turn {number}\n").repeat(500),
    );
    std::fs::remove_file(living.path.join(format!("agents/main/sessions/{}.jsonl", number - 1))).ok();
}

#[tokio::test]
async fn promise_05_a_sealed_home_comes_back_as_it_was() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    let snapshot = living.snapshot().await.unwrap();
    assert!(snapshot.changed);
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn an_unchanged_home_is_not_sealed_again_and_a_change_moves_few_chunks() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let mut large = noise(3, 8 * 1024 * 1024);
    living.write("large", &large);
    let first = living.snapshot().await.unwrap();
    assert!(first.chunks_sent > 60, "{first:?}");
    let again = living.snapshot().await.unwrap();
    assert!(!again.changed && again.number == 1, "{again:?}");
    let middle = large.len() / 2;
    large.splice(middle..middle, *b"a few bytes in the middle move everything after them");
    living.write("large", &large);
    let third = living.snapshot().await.unwrap();
    assert!(third.changed && (1..=3).contains(&third.chunks_sent), "{third:?}");
    assert_eq!(workshop.restored().await, living.tree());
}

/// Writes a file just before it is read, and again just after.
struct Hasty {
    file: std::path::PathBuf,
    content: [u8; 2],
}

impl Still for Hasty {
    fn freeze(&self) -> BoxFuture<'_, Result<(), HomeError>> {
        std::fs::write(&self.file, [self.content[0]; 5000]).unwrap();
        Box::pin(async { Ok(()) })
    }

    fn thaw(&self) -> BoxFuture<'_, ()> {
        std::fs::write(&self.file, [self.content[1]; 5000]).unwrap();
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_file_that_changes_within_a_tick_of_the_clock_is_not_missed() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    for round in 0..20_u8 {
        let hasty = Hasty {
            file: living.path.join("same-size"),
            content: [2 * round, 2 * round + 1],
        };
        living
            .home
            .snapshot(&living.vault, &hasty, Depth::Changed)
            .await
            .unwrap();
        living.snapshot().await.unwrap();
        assert_eq!(workshop.restored().await, living.tree(), "round {round}");
    }
}

#[tokio::test]
async fn promise_05_killed_at_any_step_of_a_snapshot_the_last_acknowledged_home_comes_back() {
    for takes_effect in [false, true] {
        for step in 0.. {
            let workshop = Workshop::new();
            let living = workshop.new_home().await;
            furnish(&living);
            turn(&living, 1);
            living.snapshot().await.unwrap();
            living.home.tidy().await;
            let before = living.tree();
            turn(&living, 2);
            let after = living.tree();

            workshop.store.steps.die_at(Death { step, takes_effect });
            let result = living.snapshot().await;
            living.home.tidy().await;
            let died = workshop.store.steps.revive();

            // A new keeper takes over.
            let heir = workshop.keeper();
            heir.restore().await.unwrap();
            let found = heir.tree();
            match result {
                Ok(_) => assert_eq!(found, after, "acknowledged, then lost at step {step}"),
                Err(_) => assert!(
                    found == before || found == after,
                    "neither one nor the other at step {step}"
                ),
            }
            heir.home.tidy().await;
            turn(&heir, 3);
            heir.snapshot().await.unwrap();
            heir.home.tidy().await;
            assert_eq!(workshop.restored().await, heir.tree(), "step {step}");
            assert_eq!(workshop.store.manifests().len(), 1, "garbage is left at step {step}");
            if !died {
                assert!(step > 6, "a snapshot has more steps than {step}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn promise_05_a_keeper_that_lives_through_a_failure_at_any_step_seals_the_next_time() {
    for takes_effect in [false, true] {
        for step in 0.. {
            let workshop = Workshop::new();
            let living = workshop.new_home().await;
            furnish(&living);
            turn(&living, 1);
            living.snapshot().await.unwrap();
            turn(&living, 2);
            workshop.store.steps.die_at(Death { step, takes_effect });
            let _failed = living.snapshot().await;
            living.home.tidy().await;
            let died = workshop.store.steps.revive();
            turn(&living, 3);
            living.snapshot().await.unwrap();
            assert_eq!(living.home.tidy().await, 0);
            assert_eq!(workshop.restored().await, living.tree(), "step {step}");
            assert_eq!(workshop.store.manifests().len(), 1, "garbage is left at step {step}");
            if !died {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_restored_home_replaces_what_an_earlier_keeper_left() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    living.snapshot().await.unwrap();
    let sealed = living.tree();
    living.write("unsealed", "was never acknowledged");
    living.write("state/openclaw.sqlite", "half a turn");
    let heir = workshop.keeper_at(&living.path);
    heir.restore().await.unwrap();
    assert_eq!(heir.tree(), sealed);
}

#[tokio::test]
async fn caches_are_left_out_and_their_folders_kept() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write(".openclaw/cache/compiled", "x");
    living.write(".cache/pip/wheel", "x");
    living.write(".openclaw/kept", "x");
    living.snapshot().await.unwrap();
    let found: Vec<_> = workshop
        .restored()
        .await
        .into_keys()
        .map(|name| String::from_utf8(name).unwrap())
        .collect();
    assert_eq!(found, [".cache", ".openclaw", ".openclaw/cache", ".openclaw/kept"]);
}

#[tokio::test]
async fn nothing_is_sealed_or_restored_while_the_vault_is_locked() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    living.snapshot().await.unwrap();
    workshop.keys.locked.store(true, Ordering::SeqCst);
    living.write("new", "x");
    assert_eq!(living.snapshot().await, Err(HomeError::Locked));
    assert_eq!(workshop.keeper().restore().await, Err(HomeError::Locked));
    workshop.keys.locked.store(false, Ordering::SeqCst);
    living.snapshot().await.unwrap();
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn promise_05_a_store_that_keeps_something_else_is_noticed_and_the_last_sealed_home_stays() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    living.snapshot().await.unwrap();
    let pin = *workshop.keys.pin.lock().unwrap();
    let sealed = workshop.store.objects.lock().unwrap().clone();
    living.write("new", "x");
    workshop.store.garbles.store(true, Ordering::SeqCst);
    let error = living.snapshot().await.unwrap_err();
    assert!(matches!(error, HomeError::ReadBack(_)), "{error}");
    assert_eq!(*workshop.keys.pin.lock().unwrap(), pin);
    let stored = workshop.store.objects.lock().unwrap().clone();
    assert!(sealed.iter().all(|(name, object)| stored.get(name) == Some(object)));
    workshop.store.garbles.store(false, Ordering::SeqCst);
    living.snapshot().await.unwrap();
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn promise_01_what_is_stored_holds_no_word_and_no_name_of_the_home() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("canary-name/canary-file", "canary-content ".repeat(3000));
    living.write("canary-small", "canary-inline");
    living.snapshot().await.unwrap();
    for (name, object) in workshop.store.objects.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(object);
        assert!(!name.contains("canary") && !text.contains("canary"), "{name}");
    }
    // The same content under another key has another name, so that nobody can look for a content that they know.
    let chunks = workshop.store.chunks();
    let other = Workshop::new();
    let elsewhere = other.new_home().await;
    elsewhere.write("canary-name/canary-file", "canary-content ".repeat(3000));
    elsewhere.snapshot().await.unwrap();
    let others = other.store.chunks();
    assert!(!others.is_empty() && others.iter().all(|name| !chunks.contains(name)));
    let name = &chunks[0];
    let sealed = workshop.store.objects.lock().unwrap()[name].clone();
    assert!(
        workshop
            .keys_of_another()
            .open(Purpose::Chunk, name, 1, &sealed)
            .is_err()
    );
}
