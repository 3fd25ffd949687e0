//! The agent is what its template says: its home is furnished before it starts, and it is started again when there is another template.

use protocol::chat::CellPhase;
use protocol::template::ToolsPolicy;

use super::start::StartError;
use super::{Cell, Step};
use crate::template::Furnishing;
use crate::vault_service::VaultError;

/// Starts the agent again at each change, between the steps of the cell's life.
pub(super) async fn run(cell: Cell) {
    let Some(templates) = &cell.inner.parts.templates else {
        return;
    };
    let mut changes = templates.changes();
    while changes.changed().await.is_ok() {
        cell.restart_for_template().await;
    }
}

fn unread(error: VaultError) -> StartError {
    match error {
        VaultError::Locked => StartError::Locked,
        other => StartError::Agent(format!("its template cannot be read: {other}")),
    }
}

impl Cell {
    /// What the template says; none where there never was one.
    pub(super) fn furnishing(&self) -> Result<Option<Furnishing>, StartError> {
        let templates = self.inner.parts.templates.as_ref();
        templates.map_or(Ok(None), |templates| templates.furnishing().map_err(unread))
    }

    /// Puts what the template says into the home, before the agent starts there.
    pub(super) async fn furnish(&self, step: &mut Step) -> Result<(), StartError> {
        let Some(furnishing) = self.furnishing()? else {
            return Ok(());
        };
        let version = Some(furnishing.version());
        if step.furnished_with != version {
            // One that still runs began with another.
            self.stop_agent().await;
        }
        self.agent().furnish(furnishing).await.map_err(StartError::Agent)?;
        step.furnished_with = version;
        Ok(())
    }

    /// The tools that the template lets the agent's model have.
    pub(super) fn tools(&self) -> Result<ToolsPolicy, StartError> {
        let furnishing = self.furnishing()?;
        let template = furnishing.as_ref().and_then(Furnishing::template);
        Ok(template.map(|template| template.tools.clone()).unwrap_or_default())
    }

    /// There is another template: the agent is started again, when no answer is under way. One that does not run yet, or not any more, has it at its next start.
    async fn restart_for_template(&self) {
        let mut step = self.between_turns().await;
        let _busy = self.busy();
        if !step.home_is_live || !self.inner.phases.is(CellPhase::Ready) {
            return;
        }
        match self.furnishing() {
            Ok(furnishing) if furnishing.as_ref().map(Furnishing::version) != step.furnished_with => {}
            _ => return,
        }
        self.start_again(&mut step).await;
    }
}
