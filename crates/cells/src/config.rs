//! What the operator decides about cells.

use std::path::PathBuf;
use std::time::Duration;

use protocol::control::{ApprovalNotice, CellConfig, Deeds, FromPlatform, GroupTie, Outcome};
use protocol::relay::MailboxKey;
use protocol::{CellId, InstallationId, TenantId};
use tokio::io::DuplexStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::limits;

/// Settings of the cells of one installation.
#[derive(Debug, Clone)]
pub struct CellsConfig {
    pub installation: InstallationId,
    /// `<data_dir>/run/<cell>/platform.sock` is where a keeper reaches us.
    pub data_dir: PathBuf,
    /// Time without use after which a cell is paused.
    pub pause_after: Duration,
    /// Time without use after which a cell sleeps. Not longer than `pause_after`: cells are never paused.
    pub sleep_after: Duration,
    /// Cells that are not asleep at once.
    pub capacity: usize,
    /// Sealed bytes one cell may keep.
    pub blob_quota_bytes: u64,
    /// What each keeper is told when it attaches.
    pub keeper: CellConfig,
    /// Where keepers' connections to the relay go; without it there is none.
    pub relay: Option<RelayAddress>,
    /// Who hears what keepers say waits for their owners; without it nobody does.
    pub approvals: Option<mpsc::Sender<CellApprovals>>,
    /// Who knows people and the members of groups, and keeps the audit log; without it every such question is answered with "not known", and nothing that
    /// hangs on it is done.
    pub questions: Option<mpsc::Sender<CellQuestion>>,
}

/// What a keeper asks of who knows the people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Do two people still have their places in a group?
    Tie(GroupTie),
    /// Is nobody who is known by this mailbox suspended or removed?
    Stands(MailboxKey),
    /// Is it in the audit log that this was done?
    Deeds(Deeds),
}

/// It, and whose keeper asks.
#[derive(Debug)]
pub struct CellQuestion {
    pub cell: CellId,
    pub tenant: TenantId,
    pub question: Question,
    /// Where the answer goes. Dropped without one, the keeper takes it for "not known" after a while.
    pub answer: QuestionAnswer,
}

/// The way back to the keeper that asked, while it is still connected.
#[derive(Debug)]
pub struct QuestionAnswer {
    id: u64,
    to_keeper: mpsc::WeakSender<FromPlatform>,
    /// One of `QUESTIONS_PER_CELL`: so that no keeper fills the queue for all.
    _permit: OwnedSemaphorePermit,
}

impl QuestionAnswer {
    pub(crate) fn new(id: u64, to_keeper: &mpsc::Sender<FromPlatform>, permit: OwnedSemaphorePermit) -> Self {
        Self {
            id,
            to_keeper: to_keeper.downgrade(),
            _permit: permit,
        }
    }

    /// Answers.
    pub fn say(self, outcome: Outcome) {
        let reply = FromPlatform::Reply { id: self.id, outcome };
        // One that does not read, or is gone, goes without.
        let _not_heard = self.to_keeper.upgrade().map(|keeper| keeper.try_send(reply));
    }
}

/// What a keeper says waits for its owner now, whole: what is not in it any more does not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellApprovals {
    pub cell: CellId,
    pub tenant: TenantId,
    pub approvals: Vec<ApprovalNotice>,
}

/// Where the relay is.
#[derive(Debug, Clone)]
pub enum RelayAddress {
    /// In this process: it takes the other end of each connection.
    Here(mpsc::Sender<DuplexStream>),
    /// `host:port`.
    Tcp(String),
}

impl CellsConfig {
    /// The defaults; the vault locks when the cell is paused.
    pub fn new(installation: InstallationId, data_dir: PathBuf) -> Self {
        Self {
            installation,
            data_dir,
            pause_after: limits::PAUSE_AFTER,
            sleep_after: limits::SLEEP_AFTER,
            capacity: limits::CELLS_AWAKE,
            blob_quota_bytes: limits::CELL_BLOB_BYTES,
            keeper: CellConfig {
                private_model_addresses: Vec::new(),
                lock_after_ms: u64::try_from(limits::PAUSE_AFTER.as_millis()).unwrap_or(u64::MAX),
                public_url: String::new(),
            },
            relay: None,
            approvals: None,
            questions: None,
        }
    }
}
