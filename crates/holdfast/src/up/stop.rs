//! Signals: TERM and INT stop the server and leave cells as they are; USR1 puts the cells to sleep first.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::refusal::Refusal;

/// What is to become of the cells when the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// They run on; a server that starts later finds them.
    LeaveCells,
    /// They are sealed and removed.
    SleepCells,
}

/// The signals that stop the server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    sleep: Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process.
    pub fn listen() -> Result<Self, Refusal> {
        let take =
            |kind| signal(kind).map_err(|error| Refusal::Other(format!("The system gives no signals: {error}.")));
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            sleep: take(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::LeaveCells,
            _ = self.interrupt.recv() => Stop::LeaveCells,
            _ = self.sleep.recv() => Stop::SleepCells,
        }
    }
}
