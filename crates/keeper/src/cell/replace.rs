//! The home makes way for that of a backup.

use protocol::channel::ChannelError;
use protocol::chat::CellPhase;

use super::Cell;
use super::start::Asked;
use crate::home::Home;

impl Cell {
    /// The home, for what goes beside the agent's own use of it.
    pub(crate) fn home(&self) -> &Home {
        &self.inner.parts.home
    }

    /// Ends the agent, lets `replace` write what counts from now on, and empties the folder. When `replace` fails, the home that
    /// was there still counts and the agent is started again.
    ///
    /// # Errors
    /// The error of `replace`; `home` when the folder could not be emptied.
    pub(crate) async fn replace_home(
        &self,
        replace: impl Future<Output = Result<(), ChannelError>>,
    ) -> Result<(), ChannelError> {
        let _busy = self.busy();
        self.stop_starting().await;
        let mut step = self.inner.step.lock().await;
        if step.home_is_live {
            self.inner.phases.enter(CellPhase::RestoringHome, None);
            self.stop_agent().await;
        }
        let replaced = replace.await;
        if replaced.is_err() {
            self.inner.phases.enter(CellPhase::OpeningVault, None);
            drop(step);
            // Without a model there is nothing to start, and that is no failure.
            let _started = self.start(Asked::ByTheWay);
            return replaced;
        }
        step.home_is_live = false;
        step.sealed = true;
        let emptied = self.home().give_way().await;
        emptied.map_err(|error| ChannelError::new("home", error.to_string()))
    }
}
