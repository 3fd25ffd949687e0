use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::{SlotKind, VaultState};
use protocol::{CellId, SlotId, b64};
use tempfile::TempDir;
use vault::Kek;
use vault::opaque::{ClientRegistration, Names};

use super::*;
use crate::clock::{Clock, TokioClock};
use crate::limits::{TURN_LONGEST, TURN_SILENCE};

/// A vault in a folder of its own, made and open; registered without stretching, to be quick.
pub(crate) struct Made {
    _dir: TempDir,
    pub(crate) vault: VaultService,
    slot: SlotId,
    kek: Kek,
}

pub(crate) async fn made() -> Made {
    let dir = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(1_000_000));
    let vault = VaultService::open(dir.path(), clock).unwrap();
    let cell = CellId::new();
    vault.bind_cell(cell).await.unwrap();
    let claim = b64::decode(&vault.claim().unwrap()).unwrap();
    let secret = vault::password_secret("p").unwrap();
    let (registration, request) = ClientRegistration::start(&secret).unwrap();
    let (slot, response) = vault
        .first_registration_start(&claim, SlotKind::Password, &request)
        .unwrap();
    let names = Names {
        cell: cell.uuid(),
        slot: slot.uuid(),
    };
    let registered = registration.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
    vault.first_registration_finish(slot, &registered.record).unwrap();
    let kek = Kek::random();
    vault.create(slot, &kek).await.unwrap();
    Made {
        _dir: dir,
        vault,
        slot,
        kek,
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn an_unused_vault_gives_notice_and_then_locks() {
    let made = made().await;
    let mut notices = made.vault.notices();
    made.vault.set_lock_after(30 * MINUTE);
    assert_eq!(made.vault.locks_at(), Some(1_000_000 + 30 * 60_000));
    assert_eq!(notices.recv().await.unwrap(), VaultNotice::LocksIn(MINUTE));
    assert_eq!(made.vault.state(), VaultState::Unlocked);
    assert_eq!(
        notices.recv().await.unwrap(),
        VaultNotice::Locked {
            reason: LockReason::Idle,
            saved: true
        }
    );
    assert_eq!(made.vault.state(), VaultState::Locked);
    assert_eq!(made.vault.locks_at(), None);
    let locked_at = made.vault.shared().clock.now();
    assert!((1_000_000 + 30 * 60_000..1_000_000 + 31 * 60_000).contains(&locked_at));
}

#[tokio::test(start_paused = true)]
async fn a_vault_in_use_stays_open() {
    let made = made().await;
    made.vault.set_lock_after(5 * MINUTE);
    for _ in 0..10 {
        tokio::time::sleep(4 * MINUTE).await;
        assert_eq!(made.vault.state(), VaultState::Unlocked);
        made.vault.touch();
    }
    let mut state = made.vault.watch();
    state.wait_for(|state| *state == VaultState::Locked).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_keeps_the_vault_open_as_long_as_it_is_heard_of() {
    let made = made().await;
    made.vault.set_lock_after(MINUTE);
    let turn = made.vault.under_way();
    let other = made.vault.under_way();
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(
        made.vault.state(),
        VaultState::Unlocked,
        "a model that says nothing yet"
    );
    drop(other);
    tokio::time::sleep(3 * MINUTE).await;
    turn.heard();
    tokio::time::sleep(TURN_SILENCE - MINUTE / 2).await;
    assert_eq!(made.vault.state(), VaultState::Unlocked);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(made.vault.state(), VaultState::Locked, "it is not heard of any more");
    drop(turn);

    made.vault.unlock(made.slot, &made.kek).unwrap();
    let turn = made.vault.under_way();
    tokio::time::sleep(3 * MINUTE).await;
    drop(turn);
    tokio::time::sleep(MINUTE / 2).await;
    assert_eq!(made.vault.state(), VaultState::Unlocked, "its end was a use");
    tokio::time::sleep(MINUTE).await;
    assert_eq!(made.vault.state(), VaultState::Locked);
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_for_hours_keeps_the_vault_open_no_longer_however_much_is_heard_of_it() {
    let made = made().await;
    made.vault.set_lock_after(MINUTE);
    let turn = made.vault.under_way();
    let state = made.vault.watch();
    let mut open = Duration::ZERO;
    while *state.borrow() == VaultState::Unlocked {
        tokio::time::sleep(MINUTE).await;
        turn.heard();
        open += MINUTE;
    }
    assert!((TURN_LONGEST..TURN_LONGEST + 5 * MINUTE).contains(&open), "{open:?}");
}

/// A vault whose key is old after 7 days, and which does not lock meanwhile.
async fn made_to_rotate_weekly() -> Made {
    let made = made().await;
    let policy = Policy {
        lock_after_minutes: None,
        rotate_after_days: 7,
    };
    let proof = FreshProof::given(made.slot);
    made.vault.set_policy(&proof, policy).await.unwrap();
    made.vault.set_lock_after(30 * DAY);
    made
}

async fn until_rotated(notices: &mut tokio::sync::broadcast::Receiver<VaultNotice>) {
    loop {
        let notice = notices.recv().await.unwrap();
        assert!(
            !matches!(notice, VaultNotice::Locked { .. }),
            "it is locked, and its key is old"
        );
        if notice == VaultNotice::Rotated {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_vault_that_stays_open_is_changed_when_it_comes_of_age() {
    let made = made_to_rotate_weekly().await;
    let mut notices = made.vault.notices();
    // Nothing happens in it but time.
    until_rotated(&mut notices).await;
    let after = made.vault.shared().clock.now() - 1_000_000;
    let day = i64::try_from(DAY.as_millis()).unwrap();
    assert!((7 * day..7 * day + 2 * 60 * 60 * 1000).contains(&after), "{after} ms");
    assert_eq!(made.vault.rotation_number().unwrap(), 1);
    // The next one is not begun before this one is done, and counts from it.
    tokio::time::sleep(8 * DAY).await;
    assert_eq!(made.vault.rotation_number().unwrap(), 1);
    made.vault.finish_rotation(1).await.unwrap();
    until_rotated(&mut notices).await;
    assert_eq!(made.vault.rotation_number().unwrap(), 2);
    assert_eq!(made.vault.state(), VaultState::Unlocked);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_old_for_two_who_come_in_at_one_moment_is_changed_once_and_refused_to_neither() {
    let made = made_to_rotate_weekly().await;
    tokio::time::advance(7 * DAY).await;
    // The vault's own look at its age may come between.
    let (one, other) = tokio::join!(made.vault.rotate_if_old(), made.vault.rotate_if_old());
    assert!(!(one.unwrap() && other.unwrap()));
    assert_eq!(made.vault.rotation_number().unwrap(), 1);
}

/// Notes whether the vault was still open when it was called.
struct Hook {
    vault: VaultService,
    seen: Mutex<Vec<LockReason>>,
    was_open: AtomicBool,
}

impl BeforeLock for Hook {
    fn before_lock(&self, reason: LockReason) -> BoxFuture<'_, bool> {
        async move {
            self.seen.lock().unwrap().push(reason);
            let written = self.vault.put_record("home/last", b"sealed before the lock").await;
            self.was_open.store(written.is_ok(), Ordering::Relaxed);
            written.is_ok()
        }
        .boxed()
    }
}

#[tokio::test]
async fn what_has_to_happen_before_a_lock_happens_once_and_with_the_keys() {
    let made = made().await;
    let hook = Arc::new(Hook {
        vault: made.vault.clone(),
        seen: Mutex::default(),
        was_open: AtomicBool::new(false),
    });
    made.vault.before_lock(Arc::clone(&hook) as Arc<dyn BeforeLock>);
    let both = tokio::join!(made.vault.lock(LockReason::Asked), made.vault.lock(LockReason::Sleep));
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(*hook.seen.lock().unwrap(), [LockReason::Asked]);
    assert!(hook.was_open.load(Ordering::Relaxed));
    made.vault.unlock(made.slot, &made.kek).unwrap();
    let record = made.vault.get_record("home/last").unwrap().unwrap();
    assert_eq!(record.as_slice(), b"sealed before the lock");
}

/// Never comes to an end.
struct Stuck;

impl BeforeLock for Stuck {
    fn before_lock(&self, _: LockReason) -> BoxFuture<'_, bool> {
        std::future::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_wiped_even_when_what_comes_before_is_stuck_and_the_caller_has_gone() {
    let made = made().await;
    made.vault.before_lock(Arc::new(Stuck));
    let mut state = made.vault.watch();
    tokio::select! {
        biased;
        _ = made.vault.lock(LockReason::Asked) => panic!("it cannot be done yet"),
        () = tokio::task::yield_now() => {}
    }
    state.wait_for(|state| *state == VaultState::Locked).await.unwrap();
    assert!(
        !made.vault.lock(LockReason::Asked).await.unwrap(),
        "whoever asks again hears of it"
    );
}

#[tokio::test]
async fn a_handle_to_seal_with_fails_after_a_lock_for_good() {
    let made = made().await;
    let sealer = made.vault.sealer("home/chunk").unwrap();
    let sealed = sealer.seal("a", 1, b"content").unwrap();
    let id = sealer.chunk_id(b"content").unwrap();
    made.vault.lock(LockReason::Asked).await.unwrap();
    assert!(matches!(sealer.seal("a", 1, b"content"), Err(VaultError::Locked)));
    assert!(matches!(sealer.open("a", 1, &sealed), Err(VaultError::Locked)));
    assert!(matches!(sealer.chunk_id(b"content"), Err(VaultError::Locked)));
    assert!(matches!(made.vault.sealer("home/chunk"), Err(VaultError::Locked)));

    made.vault.unlock(made.slot, &made.kek).unwrap();
    assert!(
        matches!(sealer.open("a", 1, &sealed), Err(VaultError::Locked)),
        "an old handle stays dead"
    );
    let again = made.vault.sealer("home/chunk").unwrap();
    assert_eq!(again.open("a", 1, &sealed).unwrap().as_slice(), b"content");
    assert_eq!(again.chunk_id(b"content").unwrap(), id);
    assert!(matches!(again.open("a", 2, &sealed), Err(VaultError::Sealed(_))));
}

#[tokio::test]
async fn records_are_kept_listed_replaced_and_deleted_and_several_change_together() {
    let made = made().await;
    let vault = &made.vault;
    let many = (0..50).map(|n| vault.put_record_owned(format!("chat/{n:02}"), vec![n]));
    for outcome in futures::future::join_all(many).await {
        outcome.unwrap();
    }
    assert_eq!(vault.list_records("chat/").unwrap().len(), 50);
    assert!(vault.epoch().unwrap() < 50, "puts that wait together are one write");
    let together = vec![
        ("chat/00".to_owned(), None),
        ("chat/01".to_owned(), Some(b"new".to_vec())),
        ("other/x".to_owned(), Some(b"x".to_vec())),
    ];
    vault.put_records(together).await.unwrap();
    assert_eq!(vault.get_record("chat/00").unwrap(), None);
    assert_eq!(vault.get_record("chat/01").unwrap().unwrap().as_slice(), b"new");
    assert_eq!(vault.list_records("").unwrap().len(), 50);

    let before = vault.epoch();
    let one_too_large = vec![
        ("chat/02".to_owned(), None),
        ("chat/large".to_owned(), Some(vec![0; vault::ENTRY_BYTES + 1])),
    ];
    assert!(matches!(
        vault.put_records(one_too_large).await,
        Err(VaultError::Limit(_))
    ));
    assert!(vault.get_record("chat/02").unwrap().is_some(), "all or none");
    assert_eq!(vault.epoch(), before);
    for bad in ["", "vault/model", "UPPER", "with space", "ü"] {
        assert!(
            matches!(vault.put_record(bad, b"x").await, Err(VaultError::RecordName)),
            "{bad}"
        );
    }
}

impl VaultService {
    async fn put_record_owned(&self, name: String, bytes: Vec<u8>) -> Result<(), VaultError> {
        self.put_record(&name, &bytes).await
    }
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let made = made().await;
    let vault = made.vault.clone();
    let mut notices = vault.notices();
    let put = tokio::spawn(async move { vault.put_record("chat/x", b"x").await });
    // It waits in the queue or is being written; either way it is the writer's now, or was never accepted.
    tokio::task::yield_now().await;
    put.abort();
    while !matches!(notices.recv().await.unwrap(), VaultNotice::Epoch(_)) {}
    assert!(made.vault.get_record("chat/x").unwrap().is_some());
    made.vault.put_record("chat/y", b"y").await.unwrap();
    made.vault.lock(LockReason::Asked).await.unwrap();
    made.vault.unlock(made.slot, &made.kek).unwrap();
    assert_eq!(made.vault.list_records("chat/").unwrap(), ["chat/x", "chat/y"]);
}
