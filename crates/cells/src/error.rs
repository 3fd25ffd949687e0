//! What can go wrong with a cell, in words for the person or operator who can do something about it.

use std::time::Duration;

use protocol::CellId;

use crate::driver::DriverError;
use crate::limits;

/// Why a cell could not be woken, put to sleep or reached.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CellsError {
    /// `limits::CELLS_AWAKE`, or what the operator set instead.
    #[error("this installation runs {capacity} cells at once (`cells.capacity`) and all are in use: try again shortly")]
    Full { capacity: usize },
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("the keeper of cell {cell} did not report within {} s of its start", limits::ATTACH.as_secs())]
    NotAttached { cell: CellId },
    #[error("the keeper of cell {cell} ended while the cell was starting")]
    KeeperEnded { cell: CellId },
    #[error("the keeper refused: {message} ({code})")]
    Keeper { code: String, message: String },
    #[error("the keeper of cell {cell} did not answer within {} s", .limit.as_secs())]
    KeeperSilent { cell: CellId, limit: Duration },
    #[error("this vault did not answer within {} s: try again", limits::DIAL.as_secs())]
    ChannelNotDialled,
    #[error(
        "this cell has {} channels open (`CHANNELS_PER_CELL`): close one",
        protocol::limits::CHANNELS_PER_CELL
    )]
    TooManyChannels,
    /// The cell belongs to another tenant than the caller's.
    #[error("there is no such cell in this tenant")]
    WrongTenant,
    #[error("the cell is not awake, so it cannot be paused")]
    NotAwake { cell: CellId },
    #[error("the cell was used just now, so it was not paused")]
    InUse { cell: CellId },
    /// Its owner, or their organisation, was suspended.
    #[error("cell {cell} was sent to sleep: its owner may not use it now")]
    SentToSleep { cell: CellId },
    #[error("cell {cell} has been removed")]
    Removed { cell: CellId },
    #[error("{path}: {message}")]
    Folder { path: String, message: String },
    #[error("the blob store failed: {message}")]
    Blobs { message: String },
    #[error("the platform is shutting down")]
    ShuttingDown,
}

impl CellsError {
    /// Nothing failed: a cell in this state, or one in the middle of something, is left as it is.
    pub fn is_not_now(&self) -> bool {
        match self {
            Self::NotAwake { .. } | Self::InUse { .. } | Self::SentToSleep { .. } => true,
            Self::Keeper { code, .. } => code == "busy",
            Self::Driver(error) => matches!(error, DriverError::Unfreezable { .. }),
            _ => false,
        }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "cells_full",
            Self::Driver(_) => "driver",
            Self::NotAttached { .. } | Self::KeeperEnded { .. } => "cell_failed",
            Self::Keeper { .. } => "keeper_refused",
            Self::KeeperSilent { .. } | Self::ChannelNotDialled => "keeper_silent",
            Self::TooManyChannels => "too_many_channels",
            Self::WrongTenant => "not_found",
            Self::NotAwake { .. } => "not_awake",
            Self::SentToSleep { .. } => "sent_to_sleep",
            Self::InUse { .. } => "in_use",
            Self::Removed { .. } => "removed",
            Self::Folder { .. } => "folder",
            Self::Blobs { .. } => "blobs",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// When trying again makes sense; `None` where it does not.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full { .. } => Some(limits::FULL_RETRY_AFTER),
            Self::Driver(_)
            | Self::NotAttached { .. }
            | Self::KeeperEnded { .. }
            | Self::KeeperSilent { .. }
            | Self::ChannelNotDialled
            | Self::ShuttingDown => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}
