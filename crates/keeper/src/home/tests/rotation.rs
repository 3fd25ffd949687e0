//! After a change of the key: everything opens at every moment, and nothing is left under the old key at the end.

use super::store::Death;
use super::workshop::{Living, Workshop, noise};

fn furnish(living: &Living) {
    living.write("openclaw.json", "{}");
    living.write("state/openclaw.sqlite", noise(1, 150_000));
    living.write("agents/main/sessions/1.jsonl", "said\n".repeat(900));
}

#[tokio::test]
async fn promise_05_a_change_of_the_key_that_is_killed_at_any_step_leaves_everything_readable_and_is_finished_later() {
    let mut step = 0;
    let mut deaths = 0;
    loop {
        let mut died = false;
        for takes_effect in [false, true] {
            let workshop = Workshop::new();
            let living = workshop.new_home().await;
            furnish(&living);
            living.snapshot().await.unwrap();
            let before = living.tree();
            workshop.keys.rotate();
            workshop.store.steps.die_at(Death { step, takes_effect });
            // Whether it says that it worked does not matter here: the keeper dies.
            let _unheard = living.snapshot_of_everything().await;
            living.home.tidy().await;
            died |= workshop.store.steps.revive();
            let what = format!(
                "step {step}, which {}",
                if takes_effect { "took effect" } else { "did not" }
            );

            let next = workshop.keeper();
            next.restore().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(next.tree(), before, "{what}");
            next.snapshot_of_everything().await.unwrap();
            assert!(workshop.keys.has_one(), "{what}: the old key is still there");
            next.home.tidy().await;
            assert_eq!(workshop.restored().await, before, "{what}: without the old key");
            deaths += 1;
        }
        if !died {
            break;
        }
        step += 1;
    }
    assert!(deaths > 12, "only {deaths} deaths were tried");
}

#[tokio::test]
async fn promise_05_what_is_sealed_between_the_change_of_the_key_and_its_end_opens_with_either() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    living.snapshot().await.unwrap();
    workshop.keys.rotate();
    // A turn ends: what did not change stays as it is stored, under the old key.
    living.write("agents/main/sessions/2.jsonl", "more\n".repeat(900));
    living.snapshot().await.unwrap();
    assert!(!workshop.keys.has_one());
    assert_eq!(workshop.restored().await, living.tree());
    // Locked and unlocked: the whole home is read, and the old key goes.
    living.home.forget_files().await;
    living.snapshot_of_everything().await.unwrap();
    assert!(workshop.keys.has_one());
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn a_home_of_small_files_is_sealed_anew_although_nothing_in_it_changed() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    living.write("openclaw.json", "{}");
    living.snapshot().await.unwrap();
    let before = workshop.store.manifests();
    workshop.keys.rotate();
    assert!(living.snapshot_of_everything().await.unwrap().changed);
    living.home.tidy().await;
    assert!(workshop.store.manifests().iter().all(|name| !before.contains(name)));
    assert_eq!(workshop.restored().await, living.tree());
}

#[tokio::test]
async fn promise_02_objects_of_before_the_change_of_the_key_are_refused_after_it() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    furnish(&living);
    living.snapshot().await.unwrap();
    let old = workshop.store.objects.lock().unwrap().clone();
    workshop.keys.rotate();
    living.snapshot_of_everything().await.unwrap();
    living.home.tidy().await;
    // The platform has kept all that was deleted, and serves it in place of what is there now.
    *workshop.store.objects.lock().unwrap() = old;
    assert!(workshop.keeper().restore().await.is_err());
}
