//! Down and up the ladder: awake → paused → asleep when nobody uses the cell, and back. A busy agent is never paused:
//! its keeper refuses, and only the keeper knows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::control::{Outcome, PlatformOp};
use tokio::time::Instant;
use tracing::{info, warn};

use super::CellState;
use super::actor::{Actor, BeforeSleep, Hold, Stage, timed};
use crate::driver::{DriverError, Part};
use crate::{CellsError, limits};

impl Actor {
    /// When the next step down is due.
    pub(super) fn ladder_deadline(&self) -> Option<Instant> {
        self.keeper.as_ref()?;
        if matches!(self.hold, Hold::Freeze { .. }) {
            return None;
        }
        let after = match self.stage {
            Stage::Awake if self.status().is_some_and(|s| s.busy) => return None,
            Stage::Awake => self.config.pause_after.min(self.config.sleep_after),
            Stage::Paused if self.used_since_pause() => Duration::ZERO,
            Stage::Paused => self.config.sleep_after,
            _ => return None,
        };
        let due = self.shared.activity.last() + after;
        Some(self.ladder_retry_at.map_or(due, |retry| due.max(retry)))
    }

    /// Takes the step that is due, if one is.
    pub(super) async fn step_down(&mut self, now: Instant) {
        if self.stage == Stage::Paused && self.used_since_pause() {
            self.wake().await;
            return;
        }
        if self.ladder_deadline().is_none_or(|due| due > now) {
            return;
        }
        let idle = now.saturating_duration_since(self.shared.activity.last());
        if idle >= self.config.sleep_after {
            self.ask_to_sleep();
        } else if self.stage == Stage::Awake {
            self.ask_to_pause(now);
        }
    }

    fn used_since_pause(&self) -> bool {
        self.shared.activity.since(self.pause_asked)
    }

    pub(super) fn ask_to_pause(&mut self, now: Instant) {
        // From here on, a client that writes says so; whoever wrote before is seen by `used_since_pause`.
        self.pause_asked = now;
        self.shared.activity.pausing.store(true, Ordering::SeqCst);
        match self.ask(PlatformOp::Pause) {
            Some(id) => {
                let by = now + limits::PAUSE_ANSWER;
                self.stage = Stage::Pausing {
                    id,
                    by,
                    cancelled: false,
                };
            }
            None => self.ladder_retry_at = Some(now + limits::LADDER_RETRY),
        }
    }

    pub(super) async fn on_reply(&mut self, reply: u64, outcome: Outcome) {
        match self.stage {
            Stage::Pausing { id, cancelled, .. } if id == reply => match outcome {
                Outcome::Ok => self.pause_now(cancelled).await,
                Outcome::Error { code, message } => {
                    if code != "busy" {
                        warn!(cell = %self.shared.cell, code, message, "the keeper cannot pause its agent");
                    }
                    self.pause_problem = Some(CellsError::Keeper { code, message });
                    self.stage = Stage::Awake;
                    self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY);
                    self.sleep_if_asked().await;
                }
            },
            Stage::Sleeping { id, from, .. } if id == reply => match outcome {
                Outcome::Ok => self.fall_asleep().await,
                Outcome::Error { code, message } => {
                    self.sleep_refused(from, CellsError::Keeper { code, message }).await;
                }
            },
            // The answer to `Resumed`, or one that came after its time.
            _ => {}
        }
    }

    /// The keeper has suspended the agent: freeze it, unless it is wanted again.
    async fn pause_now(&mut self, cancelled: bool) {
        if !cancelled && !self.used_since_pause() && self.wakers.is_empty() {
            let pause = timed("pausing the agent", self.driver.pause(self.shared.cell, Part::Agent)).await;
            match pause {
                Ok(()) => {
                    self.hold = Hold::Pause;
                    self.stage = Stage::Paused;
                    info!(cell = %self.shared.cell, "paused");
                }
                Err(DriverError::NotRunning { .. }) => {
                    self.hold = Hold::None;
                    self.stage = Stage::Paused;
                }
                Err(error) => {
                    warn!(cell = %self.shared.cell, %error, "the agent could not be paused");
                    self.pause_problem = Some(error.into());
                    self.run_on();
                    self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY);
                }
            }
        } else {
            self.run_on();
        }
        self.sleep_if_asked().await;
    }

    /// The keeper never answered `Pause`: it may have suspended its agent all the same.
    pub(super) fn pause_unanswered(&mut self) {
        warn!(cell = %self.shared.cell, "the keeper did not answer the pause");
        self.pause_problem = Some(CellsError::KeeperSilent {
            cell: self.shared.cell,
            limit: limits::PAUSE_ANSWER,
        });
        self.run_on();
        self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY);
    }

    /// Awake again, with the agent's container running.
    fn run_on(&mut self) {
        self.stage = Stage::Awake;
        self.ask(PlatformOp::Resumed);
    }

    /// Up the ladder, from wherever the cell is.
    pub(super) async fn wake(&mut self) {
        match &mut self.stage {
            Stage::Asleep | Stage::Failed { .. } => {
                if !self.wakers.is_empty() {
                    self.start().await;
                }
            }
            // Whoever waits is answered when the keeper has said hello, or by the end of the sleep.
            Stage::Starting(_) | Stage::Adopting(_) | Stage::Sleeping { .. } => {}
            Stage::Pausing { cancelled, .. } => {
                *cancelled = true;
                if self.keeper.is_some() {
                    self.answer_wakers(&Ok(()));
                }
            }
            Stage::Paused => self.unpause().await,
            Stage::Awake => {
                if self.keeper.is_some() {
                    self.answer_wakers(&Ok(()));
                }
            }
        }
    }

    async fn unpause(&mut self) {
        if self.hold != Hold::None
            && let Err(error) = timed("resuming the agent", self.driver.resume(self.shared.cell, Part::Agent)).await
            && !matches!(error, DriverError::NotRunning { .. })
        {
            warn!(cell = %self.shared.cell, %error, "the agent could not be resumed");
            // Not tried again before the next use: that one calls here.
            self.pause_asked = Instant::now() + Duration::from_millis(1);
            self.answer_wakers(&Err(error.into()));
            return;
        }
        self.hold = Hold::None;
        self.shared.activity.touch();
        self.run_on();
        if self.keeper.is_some() {
            self.answer_wakers(&Ok(()));
        }
    }

    /// Whoever asked for sleep gets it as soon as the cell is at a stage where it can.
    pub(super) async fn sleep_if_asked(&mut self) {
        if self.sleepers.is_empty() {
            return;
        }
        match self.stage {
            Stage::Asleep => self.answer_sleepers(&Ok(())),
            Stage::Failed { .. } => {
                self.clean_up().await;
            }
            Stage::Awake | Stage::Paused if self.keeper.is_some() => self.ask_to_sleep(),
            // Answered when the stage changes.
            _ => {}
        }
    }

    /// The owner may not use the cell any more: it sleeps, whatever goes on in it and whatever its keeper says.
    pub(super) async fn sleep_whatever_runs(&mut self) {
        // A start may have come between.
        self.shared.relay_way.close();
        let again = std::mem::replace(&mut self.sleeps_now, self.stage != Stage::Asleep);
        if !again {
            // They were let in before.
            let cell = self.shared.cell;
            self.answer_wakers(&Err(CellsError::SentToSleep { cell }));
        }
        match self.stage {
            // What was asked before may be refused: its answer is passed over.
            Stage::Sleeping { .. } | Stage::Pausing { .. } if !again && self.keeper.is_some() => self.ask_to_sleep(),
            _ => self.sleep_if_asked().await,
        }
    }

    pub(super) fn ask_to_sleep(&mut self) {
        let from = match self.stage {
            Stage::Paused => BeforeSleep::Paused,
            Stage::Sleeping { from, .. } => from,
            _ => BeforeSleep::Awake,
        };
        let knows = self.keeper.as_ref().is_some_and(|keeper| keeper.sleeps_now);
        let op = match self.sleeps_now && knows {
            true => PlatformOp::SleepNow,
            false => PlatformOp::PrepareSleep,
        };
        match self.ask(op) {
            Some(id) => {
                let by = Instant::now() + limits::SLEEP_ANSWER;
                self.stage = Stage::Sleeping { id, by, from };
            }
            None => self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY),
        }
    }

    /// The keeper could not seal the home: nothing is removed, what is there stays; unless the owner may not use it any more.
    pub(super) async fn sleep_refused(&mut self, from: BeforeSleep, error: CellsError) {
        self.shared.history.problem(self.shared.state(), error.to_string());
        if self.sleeps_now {
            warn!(cell = %self.shared.cell, %error, "the cell sleeps without its keeper's word: of its home, what was sealed last is kept");
            self.fall_asleep().await;
            return;
        }
        warn!(cell = %self.shared.cell, %error, "the cell cannot sleep yet");
        self.stage = match from {
            BeforeSleep::Awake => Stage::Awake,
            BeforeSleep::Paused => Stage::Paused,
        };
        self.ladder_retry_at = Some(Instant::now() + limits::LADDER_RETRY);
        self.answer_sleepers(&Err(error));
        if !self.wakers.is_empty() {
            self.wake().await;
        }
    }

    /// The home is sealed and the keys are wiped: nothing of the cell need run.
    pub(super) async fn fall_asleep(&mut self) {
        self.forget_keeper();
        match self.remove_parts().await {
            Ok(()) => {
                info!(cell = %self.shared.cell, "asleep");
                self.settle(Stage::Asleep);
                self.answer_sleepers(&Ok(()));
            }
            Err(error) => {
                warn!(cell = %self.shared.cell, %error, "the containers could not be removed");
                self.shared.history.problem(CellState::Failed, error.to_string());
                self.settle(Stage::Failed {
                    clean_up_at: Some(Instant::now() + limits::LADDER_RETRY),
                });
                self.answer_sleepers(&Err(error.into()));
            }
        }
        if !self.wakers.is_empty() {
            self.wake().await;
        }
    }
}
