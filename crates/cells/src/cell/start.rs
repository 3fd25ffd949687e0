//! Starting a cell, keeping hold of its keeper, and removing what is left when one of them ends.

use std::sync::Arc;

use protocol::control::AgentState;
use tokio::time::Instant;
use tracing::{info, warn};

use super::actor::{Actor, Hold, Stage, timed};
use super::awaited::Awaited;
use super::{Attachment, CellState};
use crate::driver::{DriverError, Part, PartState};
use crate::limits;
use crate::{CellsError, socket};

impl Actor {
    /// From nothing to two running containers; the keeper's hello ends it.
    pub(super) async fn start(&mut self) {
        if self.permit.is_none() {
            match Arc::clone(&self.capacity).try_acquire_owned() {
                Ok(permit) => self.permit = Some(permit),
                Err(_) => {
                    let capacity = self.config.capacity;
                    self.answer_wakers(&Err(CellsError::Full { capacity }));
                    return;
                }
            }
        }
        let now = Instant::now();
        // Whoever asked for the start is let in.
        self.shared.relay_way.open();
        self.stage = Stage::Starting(Awaited::within(limits::ATTACH));
        self.publish();
        let started = async {
            self.open_socket().await?;
            tokio::try_join!(self.make(Part::Keeper), self.make(Part::Agent))?;
            Ok::<_, CellsError>(())
        }
        .await;
        match started {
            Ok(()) => {
                info!(cell = %self.shared.cell, ms = now.elapsed().as_millis(), "containers started");
                self.stage = Stage::Starting(Awaited::within(limits::ATTACH));
            }
            Err(error) => self.fail(error).await,
        }
    }

    async fn make(&self, part: Part) -> Result<(), DriverError> {
        let Self { driver, shared, .. } = self;
        timed("making a container", driver.create(shared.cell, shared.tenant, part)).await?;
        timed("starting a container", driver.start(shared.cell, part)).await
    }

    pub(super) async fn open_socket(&mut self) -> Result<(), CellsError> {
        if let (None, Some(service)) = (&self.socket, &self.sockets) {
            self.socket = Some(service.open(&self.folder(), Arc::clone(&self.shared)).await?);
        }
        Ok(())
    }

    /// The keeper said hello, for the first time or again.
    pub(super) async fn on_attached(&mut self, attachment: Attachment) {
        if matches!(self.stage, Stage::Asleep | Stage::Failed { .. }) {
            // A keeper that outlived its cell's sleep: dropping the attachment closes its connection.
            return;
        }
        let status = attachment.status.clone();
        self.note_wake_at(&status);
        self.tell_approvals(&status.approvals);
        self.shared.set_to_keeper(Some(attachment.to_keeper.clone()));
        self.keeper = Some(attachment);
        self.away = None;
        match self.stage.clone() {
            Stage::Starting(_) => {
                self.shared.activity.touch();
                self.stage = Stage::Awake;
            }
            Stage::Adopting(_) if self.hold == Hold::Pause => {
                // Frozen for idleness or in the middle of a snapshot? The keeper knows.
                self.pause_asked = Instant::now() + std::time::Duration::from_millis(1);
                self.stage = Stage::Paused;
                if status.busy || status.agent != AgentState::Suspended {
                    self.wake().await;
                }
            }
            Stage::Adopting(_) => self.stage = Stage::Awake,
            Stage::Pausing { .. } => {
                // It was asked on the old connection and cannot answer on the new one.
                self.pause_unanswered();
            }
            Stage::Sleeping { .. } => self.ask_to_sleep(),
            Stage::Paused if status.busy => self.wake().await,
            _ => {}
        }
        if matches!(self.hold, Hold::Freeze { .. }) {
            self.thaw().await;
        }
        if !self.wakers.is_empty() {
            self.wake().await;
        }
        self.sleep_if_asked().await;
    }

    /// The control connection broke: the keeper died, or comes back.
    pub(super) async fn on_detached(&mut self) {
        self.keeper = None;
        self.prepared = None;
        self.shared.set_to_keeper(None);
        if matches!(self.hold, Hold::Freeze { .. }) {
            self.thaw().await;
        }
        if let Stage::Pausing { .. } = self.stage {
            self.stage = Stage::Awake;
            self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY);
        }
        if self.keeper_lives().await == Some(false) {
            self.give_up_keeper().await;
        } else {
            self.away = Some(Awaited::within(limits::REATTACH));
        }
    }

    /// `None` if the driver cannot tell.
    async fn keeper_lives(&self) -> Option<bool> {
        match timed("inspecting the cell", self.driver.inspect(self.shared.cell)).await {
            Ok(view) => Some(view.is_some_and(|view| view.keeper == PartState::Running)),
            Err(error) => {
                warn!(cell = %self.shared.cell, %error, "cannot tell whether the keeper lives");
                None
            }
        }
    }

    /// `None` when its time is over, or when the keeper has ended and will not come.
    pub(super) async fn still_awaited(&self, mut awaited: Awaited, now: Instant) -> Option<Awaited> {
        if awaited.is_over(now) || self.keeper_lives().await == Some(false) {
            return None;
        }
        awaited.looked();
        Some(awaited)
    }

    /// A keeper that ended while its cell starts will not say hello.
    pub(super) async fn ended_while_starting(&mut self) {
        let cell = self.shared.cell;
        if let Ok(Ok(lines)) = tokio::time::timeout(limits::DRIVER_CALL, self.driver.logs(cell, Part::Keeper, 20)).await
        {
            warn!(%cell, log = lines.join("\n"), "the keeper ended while starting");
        }
        self.fail(CellsError::KeeperEnded { cell }).await;
    }

    /// The keeper is gone, or does not come back: whatever is left of the cell goes too, and the next wake starts afresh.
    /// Nothing that was shown as saved is lost: that was sealed before.
    pub(super) async fn give_up_keeper(&mut self) {
        if self.keeper.is_some() {
            return;
        }
        warn!(cell = %self.shared.cell, "the keeper is gone: removing what is left of the cell");
        let gone = "the keeper ended without being asked to; what was saved is kept".to_owned();
        self.shared.history.problem(self.shared.state(), gone);
        self.fall_asleep().await;
    }

    pub(super) async fn fail(&mut self, error: CellsError) {
        warn!(cell = %self.shared.cell, %error, "the cell did not start");
        self.shared.history.problem(CellState::Failed, error.to_string());
        self.forget_keeper();
        let clean_up_at = match self.remove_parts().await {
            Ok(()) => None,
            Err(_) => Some(Instant::now() + limits::LADDER_RETRY),
        };
        self.settle(Stage::Failed { clean_up_at });
        self.answer_sleepers(&Ok(()));
        self.answer_wakers(&Err(error));
    }

    /// Tries again to remove what a failed removal left.
    pub(super) async fn clean_up(&mut self) {
        match self.remove_parts().await {
            Ok(()) => {
                self.settle(Stage::Asleep);
                self.answer_sleepers(&Ok(()));
            }
            Err(error) => {
                self.settle(Stage::Failed {
                    clean_up_at: Some(Instant::now() + limits::LADDER_RETRY),
                });
                self.answer_sleepers(&Err(error.into()));
            }
        }
    }

    pub(super) fn forget_keeper(&mut self) {
        self.keeper = None;
        self.prepared = None;
        self.shared.set_to_keeper(None);
        self.shared.forget_channels();
        self.away = None;
    }

    /// Into a stage in which nothing runs; a permit is kept only where containers may be left.
    pub(super) fn settle(&mut self, stage: Stage) {
        self.forget_keeper();
        self.socket = None;
        self.hold = Hold::None;
        self.sleeps_now = false;
        self.ladder_retry_at = None;
        if !matches!(stage, Stage::Failed { clean_up_at: Some(_) }) {
            self.permit = None;
        }
        self.stage = stage;
        self.publish();
    }

    /// Removes everything of the cell but its blobs, which its service removes.
    pub(super) async fn destroy(&mut self) -> Result<(), CellsError> {
        self.forget_keeper();
        let removed = async {
            self.remove_parts().await?;
            timed("removing the volumes", self.driver.destroy(self.shared.cell)).await
        }
        .await;
        if let Err(error) = removed {
            self.settle(Stage::Failed {
                clean_up_at: Some(Instant::now() + limits::LADDER_RETRY),
            });
            return Err(error.into());
        }
        self.settle(Stage::Asleep);
        let cell = self.shared.cell;
        self.answer_wakers(&Err(CellsError::Removed { cell }));
        self.answer_sleepers(&Ok(()));
        debug_assert_eq!(self.shared.state(), CellState::Asleep);
        socket::remove_folder(&self.folder()).await
    }
}
