use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::channel::{PasskeyRequest, SlotInfo, VaultState};
use protocol::{CellId, Millis, SlotId, b64};
use secrecy::SecretString;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::timeout;
use vault::opaque::ServerSetup;
use vault::{Kek, LocalKey, SlotKind, VaultFile};
use zeroize::Zeroizing;

use super::attempts::AttemptLog;
use super::disk::{CLAIM, Disk, VAULT};
use super::error::VaultError;
use super::idle::{BeforeLock, Idle, LockReason};
use super::keyring::{Keyring, Sealer};
use super::proof::Proofs;
use super::registration::Pending;
use super::rotation;
use super::writer::{Change, Writer};
use crate::clock::Clock;
use crate::limits::LEAVING;

/// Notices that a slow listener may lag behind.
const NOTICES: usize = 64;

/// What happened to the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultNotice {
    Unlocked,
    Locked {
        reason: LockReason,
        /// Everything was saved before.
        saved: bool,
    },
    /// It locks by itself after this time unless somebody uses it.
    LocksIn(Duration),
    /// It was written; a client refuses a vault with a lower epoch than one it has seen.
    Epoch(u64),
    ModelChanged,
    /// A way in took the place of another one, asked for on this channel (by its number).
    SlotReplaced {
        slot: SlotId,
        by: SlotId,
        channel: u64,
    },
    /// The data key was changed; what is sealed elsewhere is still under the old one.
    Rotated,
    /// Nothing is under the old one any more.
    RotationFinished,
    /// How it locks by itself was changed.
    PolicyChanged,
}

/// What unlocking gives the client.
pub struct Unlocked {
    pub local_key: LocalKey,
    pub epoch: u64,
}

/// What the service and its tasks share.
pub(super) struct Shared {
    pub disk: Arc<Disk>,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    file: Mutex<VaultFile>,
    claim: Mutex<Option<Zeroizing<[u8; 32]>>>,
    state: watch::Sender<VaultState>,
    notices: broadcast::Sender<VaultNotice>,
    /// Until when nobody unlocks, because the keeper is about to be ended.
    leaving_until: Mutex<Millis>,
    /// It is not ended after all.
    stays: Notify,
}

impl Shared {
    pub fn file(&self) -> VaultFile {
        lock(&self.file).clone()
    }

    pub fn set_file(&self, file: VaultFile) {
        *lock(&self.file) = file;
    }

    pub fn forget_claim(&self) {
        *lock(&self.claim) = None;
    }

    pub fn claim(&self) -> Option<Zeroizing<[u8; 32]>> {
        lock(&self.claim).clone()
    }

    pub fn set_state(&self, state: VaultState) {
        self.state
            .send_if_modified(|now| std::mem::replace(now, state) != state);
    }

    pub fn state(&self) -> VaultState {
        *self.state.borrow()
    }

    pub fn notice(&self, notice: VaultNotice) {
        // Nobody needs to be listening.
        let _ = self.notices.send(notice);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is replaced whole: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The vault of this cell. Cheap to clone; all clones are the same vault.
#[derive(Clone)]
pub struct VaultService {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    writer: Writer,
    attempts: AttemptLog,
    pending: Mutex<Pending>,
    proofs: Proofs,
    idle: Arc<Idle>,
}

impl VaultService {
    /// Opens the vault's folder; makes server keys and a claim if it is empty. Nothing is unlocked.
    ///
    /// Must be called inside a tokio runtime; blocks for a few file operations.
    ///
    /// # Errors
    /// [`VaultError::Refused`] for a file that is not understood (it is left alone), [`VaultError::InUse`], the disk's errors.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, VaultError> {
        let disk = Arc::new(Disk::open(dir)?);
        let file = match disk.read(VAULT, vault::VAULT_BYTES)? {
            Some(bytes) => VaultFile::decode(&bytes).map_err(VaultError::Refused)?,
            None => {
                let file = VaultFile::new(&ServerSetup::random());
                disk.replace(VAULT, &file.encode(), |_| Ok(()))?;
                file
            }
        };
        file.server_setup()?;
        let claim = Self::load_claim(&disk, file.is_new())?;
        let initial = if file.is_new() {
            VaultState::New
        } else {
            VaultState::Locked
        };
        let shared = Arc::new(Shared {
            keyring: Arc::new(Keyring::default()),
            file: Mutex::new(file),
            claim: Mutex::new(claim),
            state: watch::Sender::new(initial),
            notices: broadcast::Sender::new(NOTICES),
            clock,
            disk: Arc::clone(&disk),
            leaving_until: Mutex::new(0),
            stays: Notify::new(),
        });
        let service = Self {
            inner: Arc::new(Inner {
                writer: Writer::spawn(Arc::clone(&shared)),
                attempts: AttemptLog::load(disk)?,
                pending: Mutex::new(Pending::default()),
                proofs: Proofs::default(),
                idle: Arc::new(Idle::new(shared.clock.now())),
                shared,
            }),
        };
        service.spawn_idle_timer();
        Ok(service)
    }

    fn load_claim(disk: &Disk, is_new: bool) -> Result<Option<Zeroizing<[u8; 32]>>, VaultError> {
        if !is_new {
            disk.remove(CLAIM)?;
            return Ok(None);
        }
        let stored = disk.read(CLAIM, 32)?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let claim = match stored {
            Some(claim) => claim,
            None => {
                let claim = vault::random_bytes::<32>();
                disk.replace(CLAIM, &claim, |_| Ok(()))?;
                claim
            }
        };
        Ok(Some(Zeroizing::new(claim)))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(super) fn idle(&self) -> &Arc<Idle> {
        &self.inner.idle
    }

    pub(super) fn attempts(&self) -> &AttemptLog {
        &self.inner.attempts
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.inner.pending)
    }

    pub(super) fn proofs(&self) -> &Proofs {
        &self.inner.proofs
    }

    pub(super) async fn change(&self, change: Change) -> Result<(), VaultError> {
        self.inner.writer.change(change).await
    }

    pub(crate) fn downgrade(&self) -> WeakVault {
        WeakVault(Arc::downgrade(&self.inner))
    }

    /// Binds the vault to the cell that this keeper serves: recorded the first time.
    ///
    /// # Errors
    /// [`VaultError::WrongCell`] when it belongs to another one; the disk's errors.
    pub async fn bind_cell(&self, cell: CellId) -> Result<(), VaultError> {
        self.change(Change::Bind(cell)).await
    }

    /// The cell that it is bound to.
    ///
    /// # Errors
    /// [`VaultError::NotBound`].
    pub fn cell(&self) -> Result<CellId, VaultError> {
        self.shared()
            .file()
            .cell()
            .map(CellId::from)
            .ok_or(VaultError::NotBound)
    }

    /// Whether it can be read now.
    pub fn state(&self) -> VaultState {
        self.shared().state()
    }

    /// Follows [`Self::state`].
    pub fn watch(&self) -> watch::Receiver<VaultState> {
        self.shared().state.subscribe()
    }

    /// Follows what happens to it.
    pub fn notices(&self) -> broadcast::Receiver<VaultNotice> {
        self.shared().notices.subscribe()
    }

    /// What opens the first registration, as text, while the vault is new.
    pub fn claim(&self) -> Option<String> {
        self.shared().claim().map(|claim| b64::encode(claim.as_slice()))
    }

    /// Which unlock this is: what is kept in memory of one is worth nothing in the next.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn unlock_number(&self) -> Result<u64, VaultError> {
        self.shared().keyring.with(|open| open.generation)
    }

    /// Now, by the vault's clock.
    pub(crate) fn now(&self) -> Millis {
        self.shared().clock.now()
    }

    /// How often the vault was written; known while it is unlocked.
    pub fn epoch(&self) -> Option<u64> {
        self.shared().keyring.with(|open| open.body.epoch).ok()
    }

    /// The slots as anyone may see them.
    pub fn slots(&self) -> Vec<SlotInfo> {
        public_slots(&self.shared().file())
    }

    /// A handle that seals and opens objects of one purpose until the next lock.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn sealer(&self, purpose: &'static str) -> Result<Sealer, VaultError> {
        self.shared().keyring.sealer(purpose)
    }

    pub(super) fn entry(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.shared()
            .keyring
            .with(|open| open.body.get(name).map(|value| Zeroizing::new(value.to_vec())))
    }

    /// The token for the agent's Gateway. It stays the same as long as the vault does: OpenClaw takes a configuration that
    /// differs in anything for a new one, and checks and migrates its whole state again.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn gateway_token(&self) -> Result<SecretString, VaultError> {
        self.shared().keyring.with(|open| {
            let token = vault::keys::gateway_token(&rotation::local_key(&open.data_key, &open.body));
            SecretString::from(b64::encode(token.expose()))
        })
    }

    /// Opens the vault with one slot's key.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]; [`VaultError::Refused`] names what was changed in the file; [`VaultError::New`];
    /// [`VaultError::Leaving`].
    pub fn unlock(&self, slot: SlotId, kek: &Kek) -> Result<Unlocked, VaultError> {
        let shared = self.shared();
        let file = shared.file();
        if file.is_new() {
            return Err(VaultError::New);
        }
        let (data_key, body) = file.open(slot.uuid(), kek)?;
        let unlocked = Unlocked {
            local_key: rotation::local_key(&data_key, &body),
            epoch: body.epoch,
        };
        self.touch();
        let leaving_until = lock(&shared.leaving_until);
        if !shared.keyring.is_open() {
            if shared.clock.now() < *leaving_until {
                return Err(VaultError::Leaving);
            }
            shared.keyring.unlock(data_key, body);
            self.follow_policy();
            shared.set_state(VaultState::Unlocked);
            shared.notice(VaultNotice::Unlocked);
            self.idle().changed();
            self.make_identity_later();
        }
        Ok(unlocked)
    }

    /// The keeper is about to be ended: for [`LEAVING`] nobody unlocks any more, so that nobody who has is thrown out.
    /// `false`, and nothing changes, when somebody has.
    pub fn leave(&self) -> bool {
        let shared = self.shared();
        let mut leaving_until = lock(&shared.leaving_until);
        if shared.keyring.is_open() {
            return false;
        }
        let most = Millis::try_from(LEAVING.as_millis()).unwrap_or(Millis::MAX);
        *leaving_until = shared.clock.now().saturating_add(most);
        true
    }

    /// It is not ended after all.
    pub fn stay(&self) {
        let shared = self.shared();
        *lock(&shared.leaving_until) = 0;
        shared.stays.notify_waiters();
    }

    /// Waits while the vault is being locked, and while the keeper is about to be ended: until it stays after all, or for good.
    pub async fn staying(&self) {
        drop(self.idle().locking().await);
        let shared = self.shared();
        loop {
            let stays = shared.stays.notified();
            let left = *lock(&shared.leaving_until) - shared.clock.now();
            match u64::try_from(left) {
                Ok(left @ 1..) => drop(timeout(Duration::from_millis(left), stays).await),
                _ => return,
            }
        }
    }

    /// Locks the vault: runs what has to happen before, then wipes the keys. Does not stop half-way when the caller goes away. Says whether
    /// everything was saved before.
    ///
    /// # Errors
    /// [`VaultError::Ending`] when the keeper is ending.
    pub async fn lock(&self, reason: LockReason) -> Result<bool, VaultError> {
        let service = self.clone();
        tokio::spawn(async move { service.lock_now(reason).await })
            .await
            .map_err(|_| VaultError::Ending)?
    }

    async fn lock_now(&self, reason: LockReason) -> Result<bool, VaultError> {
        let mut saved = self.idle().locking().await;
        if !self.shared().keyring.is_open() {
            return Ok(*saved);
        }
        *saved = self.idle().run_hooks(reason).await;
        self.proofs().forget_all();
        self.idle().grant_until(0);
        self.change(Change::Wipe).await?;
        self.pending().clear();
        self.shared().notice(VaultNotice::Locked { reason, saved: *saved });
        Ok(*saved)
    }

    /// Adds something that must happen before the keys are wiped; they are run in the order they were added.
    pub fn before_lock(&self, hook: Arc<dyn BeforeLock>) {
        self.idle().add_hook(hook);
    }

    /// Adds something that must happen before everything that was added so far.
    pub fn first_before_lock(&self, hook: Arc<dyn BeforeLock>) {
        self.idle().add_first_hook(hook);
    }

    /// Somebody uses the vault: the idle time starts again.
    pub fn touch(&self) {
        self.idle().touch(self.shared().clock.now());
    }

    /// After how long without use it locks by itself.
    pub fn set_lock_after(&self, after: Duration) {
        self.idle().set_lock_after(after);
    }

    /// When it locks by itself unless it is used; none while it is not unlocked.
    pub fn locks_at(&self) -> Option<Millis> {
        self.shared().keyring.is_open().then(|| self.idle().locks_at())
    }

    pub(super) fn model_changed(&self) {
        self.shared().notice(VaultNotice::ModelChanged);
    }
}

/// For tasks that must not keep the vault alive.
pub(crate) struct WeakVault(std::sync::Weak<Inner>);

impl WeakVault {
    pub fn upgrade(&self) -> Option<VaultService> {
        self.0.upgrade().map(|inner| VaultService { inner })
    }
}

/// The slots of a vault file as anyone may see them.
pub(crate) fn public_slots(file: &VaultFile) -> Vec<SlotInfo> {
    file.slots()
        .iter()
        .map(|slot| SlotInfo {
            id: slot.id.into(),
            kind: public_kind(slot.kind),
            name: slot.name.clone(),
            created: slot.created,
            passkey: slot.passkey.as_ref().map(|header| PasskeyRequest {
                credential_id: header.credential_id.clone(),
                prf_salt: header.prf_salt.clone(),
                rp_id: header.rp_id.clone(),
            }),
        })
        .collect()
}

pub(super) fn public_kind(kind: SlotKind) -> protocol::channel::SlotKind {
    match kind {
        SlotKind::Password => protocol::channel::SlotKind::Password,
        SlotKind::RecoveryPhrase => protocol::channel::SlotKind::RecoveryPhrase,
        SlotKind::Passkey => protocol::channel::SlotKind::Passkey,
        SlotKind::BackupKey => protocol::channel::SlotKind::BackupKey,
        SlotKind::Social => protocol::channel::SlotKind::Social,
        SlotKind::Platform => protocol::channel::SlotKind::Platform,
    }
}

pub(super) fn stored_kind(kind: protocol::channel::SlotKind) -> SlotKind {
    match kind {
        protocol::channel::SlotKind::Password => SlotKind::Password,
        protocol::channel::SlotKind::RecoveryPhrase => SlotKind::RecoveryPhrase,
        protocol::channel::SlotKind::Passkey => SlotKind::Passkey,
        protocol::channel::SlotKind::BackupKey => SlotKind::BackupKey,
        protocol::channel::SlotKind::Social => SlotKind::Social,
        protocol::channel::SlotKind::Platform => SlotKind::Platform,
    }
}
