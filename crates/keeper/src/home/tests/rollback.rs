use std::collections::BTreeMap;

use bytes::Bytes;

use super::workshop::{Living, Workshop, noise};
use crate::home::{HomeError, Pin};

/// A home sealed twice; the store as it was after the first time is returned too.
async fn sealed_twice(workshop: &Workshop) -> (Living, BTreeMap<String, Bytes>) {
    let living = workshop.new_home().await;
    living.write("a", noise(1, 100_000));
    living.write("b", noise(2, 100_000));
    living.snapshot().await.unwrap();
    let old = workshop.store.objects.lock().unwrap().clone();
    living.write("a", noise(3, 100_000));
    living.snapshot().await.unwrap();
    living.home.tidy().await;
    (living, old)
}

/// A keeper that finds files of its predecessor: they must be left alone when the sealed home is refused.
fn heir(workshop: &Workshop) -> Living {
    let heir = workshop.keeper();
    heir.write("left", "alone");
    heir
}

#[tokio::test]
async fn promise_02_an_old_sealed_home_is_refused_and_nothing_is_replaced() {
    let workshop = Workshop::new();
    let (_, old) = sealed_twice(&workshop).await;
    let newest = std::mem::replace(&mut *workshop.store.objects.lock().unwrap(), old);
    let heir = heir(&workshop);
    let error = heir.restore().await.unwrap_err();
    assert!(matches!(&error, HomeError::RolledBack { expected: 2, .. }), "{error}");
    assert!(error.to_string().contains("rollback refused"), "{error}");
    assert_eq!(heir.tree().len(), 1);
    assert_eq!(heir.snapshot().await, Err(HomeError::NotRestored));
    // Told the truth again, it goes on.
    *workshop.store.objects.lock().unwrap() = newest;
    heir.restore().await.unwrap();
    assert_eq!(heir.tree().len(), 2);
}

#[tokio::test]
async fn promise_02_an_old_manifest_under_the_new_name_is_refused() {
    let workshop = Workshop::new();
    let (_, old) = sealed_twice(&workshop).await;
    let name = workshop.store.manifests().pop().unwrap();
    let old_manifest = old
        .iter()
        .find(|(name, _)| name.starts_with("home/m/"))
        .unwrap()
        .1
        .clone();
    workshop.store.objects.lock().unwrap().insert(name, old_manifest);
    let error = heir(&workshop).restore().await.unwrap_err();
    assert!(matches!(error, HomeError::RolledBack { expected: 2, .. }), "{error}");
}

#[tokio::test]
async fn promise_02_swapped_changed_and_missing_chunks_are_refused_and_nothing_is_replaced() {
    let workshop = Workshop::new();
    sealed_twice(&workshop).await;
    let chunks = workshop.store.chunks();
    let truth = workshop.store.objects.lock().unwrap().clone();
    type Spoil<'a> = &'a dyn Fn(&mut BTreeMap<String, Bytes>);
    let spoil: [Spoil<'_>; 3] = [
        &|objects| {
            let (one, other) = (objects[&chunks[0]].clone(), objects[&chunks[1]].clone());
            objects.insert(chunks[0].clone(), other);
            objects.insert(chunks[1].clone(), one);
        },
        &|objects| {
            let mut bytes = objects[&chunks[0]].to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            objects.insert(chunks[0].clone(), bytes.into());
        },
        &|objects| drop(objects.remove(&chunks[0])),
    ];
    for spoil in spoil {
        *workshop.store.objects.lock().unwrap() = truth.clone();
        spoil(&mut workshop.store.objects.lock().unwrap());
        let heir = heir(&workshop);
        let error = heir.restore().await.unwrap_err();
        assert!(
            matches!(error, HomeError::Damaged { .. } | HomeError::Store(_)),
            "{error}"
        );
        assert_eq!(heir.tree().len(), 1, "something was replaced");
    }
}

#[tokio::test]
async fn promise_02_a_manifest_that_the_keeper_did_not_write_is_refused() {
    let workshop = Workshop::new();
    sealed_twice(&workshop).await;
    let forged = Bytes::from(noise(9, 500));
    let pin = Pin {
        number: 3,
        digest: super::super::manifest::digest(&forged),
    };
    workshop
        .store
        .objects
        .lock()
        .unwrap()
        .insert(super::super::manifest::object(&pin), forged);
    let error = heir(&workshop).restore().await.unwrap_err();
    assert!(matches!(error, HomeError::Foreign { number: 3, .. }), "{error}");
}

#[tokio::test]
async fn promise_02_a_home_that_is_newer_than_its_vault_is_refused() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let mut pins = vec![None];
    for turn in 0..3 {
        living.write("a", noise(turn, 1000));
        living.snapshot().await.unwrap();
        pins.push(*workshop.keys.pin.lock().unwrap());
    }
    // Nothing was tidied: all three manifests are there, and the vault is an old one.
    *workshop.keys.pin.lock().unwrap() = pins[1];
    let error = heir(&workshop).restore().await.unwrap_err();
    assert!(matches!(error, HomeError::Foreign { number: 3, .. }), "{error}");
}

#[tokio::test]
async fn promise_02_a_newer_home_that_follows_another_one_is_refused() {
    let workshop = Workshop::new();
    let pinned = || *workshop.keys.pin.lock().unwrap();
    let living = workshop.new_home().await;
    living.write("a", "one");
    living.snapshot().await.unwrap();
    let first = pinned();
    living.write("a", "two");
    living.snapshot().await.unwrap();
    // Another home begins, under the same key.
    let before = std::mem::take(&mut *workshop.store.objects.lock().unwrap());
    *workshop.keys.pin.lock().unwrap() = None;
    let other = workshop.new_home().await;
    other.write("a", "another");
    other.snapshot().await.unwrap();
    assert_ne!(pinned(), first);
    // Whoever stores both offers what follows the first as if it followed the other.
    workshop.store.objects.lock().unwrap().extend(before);
    let error = heir(&workshop).restore().await.unwrap_err();
    assert!(matches!(error, HomeError::Foreign { number: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_that_was_complete_but_not_acknowledged_is_taken_over() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("a", "one");
    living.snapshot().await.unwrap();
    let pinned = *workshop.keys.pin.lock().unwrap();
    living.write("a", "two");
    living.snapshot().await.unwrap();
    *workshop.keys.pin.lock().unwrap() = pinned;
    let heir = workshop.keeper();
    let restored = heir.restore().await.unwrap();
    assert!(restored.rolled_forward && restored.number == Some(2), "{restored:?}");
    assert_eq!(heir.tree(), living.tree());
    assert_eq!(workshop.keys.pin.lock().unwrap().unwrap().number, 2);
}
