//! What keepers say waits for their owners, on its way to management: of each cell the last word, until management has taken it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cells::CellApprovals;
use management::Management;
use protocol::CellId;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// Words that wait for management.
const WORDS: usize = 4096;
/// When what management did not take is offered again.
const AGAIN: Duration = Duration::from_secs(5);

/// Management's end.
pub struct Asked(mpsc::Receiver<CellApprovals>);

/// The two ends.
pub fn asked() -> (mpsc::Sender<CellApprovals>, Asked) {
    let (sender, receiver) = mpsc::channel(WORDS);
    (sender, Asked(receiver))
}

/// Management is told until this is dropped.
pub type Telling = AbortOnDropHandle<()>;

impl Asked {
    /// Tells management from now on.
    pub fn tell(self, management: &Arc<Management>) -> Telling {
        AbortOnDropHandle::new(tokio::spawn(self.run(Arc::clone(management))))
    }

    async fn run(mut self, management: Arc<Management>) {
        let mut untold = HashMap::<CellId, CellApprovals>::new();
        loop {
            tokio::select! {
                word = self.0.recv() => match word {
                    Some(word) => {
                        untold.insert(word.cell, word);
                    }
                    None => return,
                },
                () = tokio::time::sleep(AGAIN), if !untold.is_empty() => {}
            }
            let mut left = HashMap::new();
            for (cell, word) in untold {
                if let Err(error) = management.approvals_wait(cell, word.tenant, &word.approvals).await {
                    warn!(%cell, %error, "what waits for its owner could not be kept; it is tried again");
                    left.insert(cell, word);
                }
            }
            untold = left;
        }
    }
}
