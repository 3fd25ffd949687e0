//! Backups through a channel (`docs/protocol.md`, sections 1.6 and 2): out of an open vault, and into one. What is carried is sealed.

use protocol::channel::SlotInfo;
use protocol::{CellId, SlotId, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::ClientSecret;
use vault::keys;
use vault::opaque::{ClientLogin, Names, OpaqueError};
use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::error::ClientError;

/// A backup that is being made.
#[derive(Debug, Clone, Deserialize)]
pub struct BackupStarted {
    /// Its id, on this channel.
    pub backup: String,
    /// Pieces of the home that are going to be read.
    pub pieces: u64,
}

/// The next bytes of a backup's file.
#[derive(Deserialize)]
pub struct BackupPart {
    #[serde(with = "b64")]
    pub data: Vec<u8>,
    /// Pieces of the home that are still to be read.
    pub left: u64,
    pub done: bool,
}

/// How far a backup is that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreProgress {
    /// The vault in it is not there yet.
    Reading,
    /// [`Channel::open_restore`] comes next.
    NeedsKey,
    /// It is open; the rest is read and checked.
    Checking,
    /// All of it was checked: [`Channel::apply_restore`].
    Complete,
}

/// A backup that is read, and what is known of it.
#[derive(Debug, Clone, Deserialize)]
pub struct RestoreState {
    /// Its id, on this channel.
    pub backup: String,
    pub state: RestoreProgress,
    /// The cell that it was made in, once its vault was read.
    pub cell: Option<CellId>,
    /// The ways into the vault in it.
    pub slots: Vec<SlotInfo>,
    pub files: u64,
    pub conversations: u64,
}

fn read<T: for<'de> Deserialize<'de>>(answer: Value) -> Result<T, ClientError> {
    serde_json::from_value(answer).map_err(|error| ClientError::Protocol(error.to_string()))
}

impl Channel {
    /// Begins a backup of one moment of vault and home.
    ///
    /// # Errors
    /// `too_many_backups`, `vault_locked`.
    pub async fn start_backup(&self) -> Result<BackupStarted, ClientError> {
        read(self.call("backup.start", json!({})).await?)
    }

    /// The next part of its file.
    ///
    /// # Errors
    /// `unknown_backup`; `store` when a piece cannot be read now.
    pub async fn read_backup(&self, backup: &str) -> Result<BackupPart, ClientError> {
        read(self.call("backup.read", json!({"backup": backup})).await?)
    }

    /// Begins to read a backup. Nothing is replaced before [`Self::apply_restore`].
    ///
    /// # Errors
    /// `too_many_backups`, `vault_locked`.
    pub async fn start_restore(&self) -> Result<RestoreState, ClientError> {
        read(self.call("restore.start", json!({})).await?)
    }

    /// Hands over the next part of its file, at most `protocol::limits::BACKUP_PART_BYTES`.
    ///
    /// # Errors
    /// `backup_refused` names what in it is wrong.
    pub async fn write_restore(&self, backup: &str, part: &[u8]) -> Result<RestoreState, ClientError> {
        let params = json!({"backup": backup, "data": b64::encode(part)});
        read(self.call("restore.write", params).await?)
    }

    /// Opens the vault in a backup by one of its own ways in. The secret does not leave this process.
    ///
    /// # Errors
    /// [`ClientError::WrongSecretOrKeeper`]; `wrong_key` and `backup_refused` from the keeper.
    pub async fn open_restore(
        &self,
        state: &RestoreState,
        slot: SlotId,
        secret: &ClientSecret,
    ) -> Result<RestoreState, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(with = "b64")]
            response: Vec<u8>,
        }
        let malformed = |error: OpaqueError| ClientError::Protocol(error.to_string());
        let cell = state
            .cell
            .ok_or_else(|| ClientError::Protocol("a backup was to be opened before its vault was read".to_owned()))?;
        let (login, request) = ClientLogin::start(secret).map_err(malformed)?;
        let params = json!({"backup": state.backup, "slot": slot, "request": b64::encode(request)});
        let answer: Answer = read(self.call("restore.login", params).await?)?;
        let names = Names {
            cell: cell.uuid(),
            slot: slot.uuid(),
        };
        let proved = tokio::task::spawn_blocking(move || login.finish(&answer.response, &names))
            .await
            .map_err(|_| ClientError::Closed(None))?
            .map_err(|error| match error {
                OpaqueError::Malformed => malformed(error),
                _ => ClientError::WrongSecretOrKeeper { retry_after_ms: None },
            })?;
        let kek = keys::kek(&proved.export_key, slot.uuid());
        let kek = Zeroizing::new(b64::encode(kek.expose()));
        let params = json!({"backup": state.backup, "slot": slot, "kek": &*kek});
        read(self.call("restore.open", params).await?)
    }

    /// Puts a backup that was read to its end in the place of vault and home; needs a fresh proof. The vault locks, and that may end
    /// the channel before the answer comes.
    ///
    /// # Errors
    /// `proof_needed`, `backup_cut`.
    pub async fn apply_restore(&self, backup: &str) -> Result<(), ClientError> {
        self.call("restore.apply", json!({"backup": backup})).await.map(|_| ())
    }
}
