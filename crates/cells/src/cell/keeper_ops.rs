//! What a keeper may ask of the platform: to freeze its agent for a snapshot, to replace it, to be put to sleep.

use std::sync::Arc;
use std::time::Duration;

use protocol::control::{FREEZE_LIMIT_MS, FromPlatform, KeeperOp, Outcome};
use tokio::time::Instant;
use tracing::warn;

use super::actor::{Actor, Hold, Stage, timed};
use crate::driver::{DriverError, Part};
use crate::{CellQuestion, Question, QuestionAnswer, limits};

/// Before a thaw that failed is tried again.
const THAW_RETRY: Duration = Duration::from_secs(1);

impl Actor {
    pub(super) async fn on_request(&mut self, id: u64, op: KeeperOp) {
        let outcome = match op {
            KeeperOp::Freeze => self.freeze().await,
            KeeperOp::Thaw => self.thaw().await,
            KeeperOp::RestartAgent => self.restart_agent().await,
            KeeperOp::Prepare => self.may_prepare().await,
            KeeperOp::Unprepare => {
                self.prepared = None;
                Outcome::Ok
            }
            KeeperOp::Sleep => {
                self.reply(id, Outcome::Ok);
                self.fall_asleep().await;
                return;
            }
            KeeperOp::GroupTie(tie) => match self.pass_on(id, Question::Tie(tie)) {
                Some(outcome) => outcome,
                None => return,
            },
            KeeperOp::Stands { mailbox } => match self.pass_on(id, Question::Stands(mailbox)) {
                Some(outcome) => outcome,
                None => return,
            },
            KeeperOp::Deeds(_) if self.deeds_at.is_some_and(|at| at.elapsed() < limits::DEEDS_APART) => {
                Outcome::Error {
                    code: "too_often".into(),
                    message: format!(
                        "the audit log is told once in {} s (DEEDS_APART): keep it, and tell it later",
                        limits::DEEDS_APART.as_secs()
                    ),
                }
            }
            KeeperOp::Deeds(deeds) => {
                self.deeds_at = Some(Instant::now());
                match self.pass_on(id, Question::Deeds(deeds)) {
                    Some(outcome) => outcome,
                    None => return,
                }
            }
        };
        self.reply(id, outcome);
    }

    fn reply(&mut self, id: u64, outcome: Outcome) {
        self.tell(FromPlatform::Reply { id, outcome });
    }

    /// Passes on a question to who knows the people, which is answered past this task; an outcome if it is not.
    fn pass_on(&self, id: u64, question: Question) -> Option<Outcome> {
        let not_asked = |message: &str| {
            Some(Outcome::Error {
                code: "unavailable".into(),
                message: message.into(),
            })
        };
        let Some(asked) = &self.config.questions else {
            return not_asked("nobody here knows people and groups");
        };
        let keeper = self.keeper.as_ref()?;
        let Ok(permit) = Arc::clone(&self.shared.questions).try_acquire_owned() else {
            return not_asked("too many questions at once (QUESTIONS_PER_CELL): ask again");
        };
        let asks = CellQuestion {
            cell: self.shared.cell,
            tenant: self.shared.tenant,
            question,
            answer: QuestionAnswer::new(id, &keeper.to_keeper, permit),
        };
        match asked.try_send(asks) {
            Ok(()) => None,
            Err(_) => not_asked("too many questions at once: ask again"),
        }
    }

    async fn freeze(&mut self) -> Outcome {
        // An agent that is paused stays paused, and is not thawed by the `Thaw` that follows.
        if self.hold != Hold::None {
            return Outcome::Ok;
        }
        let pause = timed("freezing the agent", self.driver.pause(self.shared.cell, Part::Agent)).await;
        match pause {
            Ok(()) => {
                let until = Instant::now() + Duration::from_millis(FREEZE_LIMIT_MS);
                self.hold = Hold::Freeze { until };
                Outcome::Ok
            }
            Err(error) => refused(&error),
        }
    }

    /// Ends a freeze for a snapshot; a pause for idleness stays.
    pub(super) async fn thaw(&mut self) -> Outcome {
        if !matches!(self.hold, Hold::Freeze { .. }) {
            return Outcome::Ok;
        }
        let resume = timed("thawing the agent", self.driver.resume(self.shared.cell, Part::Agent)).await;
        match resume {
            Ok(()) => {
                self.hold = Hold::None;
                Outcome::Ok
            }
            Err(error @ DriverError::NotRunning { .. }) => {
                self.hold = Hold::None;
                refused(&error)
            }
            Err(error) => {
                warn!(cell = %self.shared.cell, %error, "the agent could not be thawed: trying again");
                let until = Instant::now() + THAW_RETRY;
                self.hold = Hold::Freeze { until };
                refused(&error)
            }
        }
    }

    /// Whether an agent may load its code before anybody has unlocked.
    async fn may_prepare(&mut self) -> Outcome {
        if self.prepared.is_some() {
            return Outcome::Ok;
        }
        let Ok(permit) = Arc::clone(&self.preparing).try_acquire_owned() else {
            let most = limits::PREPARED_AGENTS;
            return Outcome::Error {
                code: "too_many".into(),
                message: format!("{most} agents are prepared already (PREPARED_AGENTS)"),
            };
        };
        let free = timed("asking for free memory", self.driver.free_memory(self.shared.cell)).await;
        match free {
            Ok(Some(free)) if free < limits::PREPARE_FREE_MEMORY => Outcome::Error {
                code: "no_memory".into(),
                message: format!(
                    "{} MiB of memory are free, and {} are needed (PREPARE_FREE_MEMORY)",
                    free >> 20,
                    limits::PREPARE_FREE_MEMORY >> 20
                ),
            },
            Ok(_) => {
                self.prepared = Some(permit);
                Outcome::Ok
            }
            Err(error) => refused(&error),
        }
    }

    async fn restart_agent(&mut self) -> Outcome {
        if self.stage != Stage::Awake {
            return Outcome::Error {
                code: "not_awake".into(),
                message: "the agent is replaced only in a cell that is awake".into(),
            };
        }
        let (cell, tenant) = (self.shared.cell, self.shared.tenant);
        let restarted = async {
            timed("removing the agent", self.driver.remove(cell, Part::Agent)).await?;
            timed("making the agent", self.driver.create(cell, tenant, Part::Agent)).await?;
            timed("starting the agent", self.driver.start(cell, Part::Agent)).await
        }
        .await;
        self.hold = Hold::None;
        self.prepared = None;
        match restarted {
            Ok(()) => Outcome::Ok,
            Err(error) => {
                warn!(%cell, %error, "the agent could not be replaced");
                refused(&error)
            }
        }
    }
}

fn refused(error: &DriverError) -> Outcome {
    let code = match error {
        DriverError::NotRunning { .. } => "agent_gone",
        DriverError::Timeout { .. } => "timeout",
        _ => "driver",
    };
    Outcome::Error {
        code: code.into(),
        message: error.to_string(),
    }
}
