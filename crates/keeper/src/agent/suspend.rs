//! Suspending: OpenClaw begins nothing new, so that it can be frozen and its home copied.

use protocol::control::AgentState;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{Agent, AgentError};
use crate::gateway::Gateway;
use crate::limits;

impl Agent {
    /// Asks OpenClaw to hold still. `false`: a turn or a tool runs, and everything goes on as before.
    ///
    /// # Errors
    /// [`AgentError`] when OpenClaw cannot be asked.
    pub async fn suspend(&self) -> Result<bool, AgentError> {
        let agent = self.clone();
        let (answer, answered) = oneshot::channel();
        // On a task of its own: a caller that stops waiting must not leave OpenClaw suspended under an id that nobody knows.
        tokio::spawn(async move {
            let result = agent.suspend_now().await;
            if let Err(Ok(true)) = answer.send(result)
                && let Err(error) = agent.resume().await
            {
                tracing::warn!("OpenClaw resumes by itself within two minutes: {error}");
            }
        });
        answered.await.unwrap_or(Err(AgentError::NotRunning))
    }

    async fn suspend_now(&self) -> Result<bool, AgentError> {
        let gateway = self.gateway().ok_or(AgentError::NotRunning)?;
        let mut current = self.inner.suspension.lock().await;
        let request = uuid::Uuid::new_v4().to_string();
        let Some(id) = settle(&gateway, &request).await? else {
            return Ok(false);
        };
        *current = Some(id);
        self.inner.set_state(AgentState::Suspended);
        Ok(true)
    }

    /// Lets OpenClaw go on. Does nothing when it is not suspended, or when its lease is over.
    ///
    /// # Errors
    /// [`AgentError`] when OpenClaw cannot be asked.
    pub async fn resume(&self) -> Result<(), AgentError> {
        let mut current = self.inner.suspension.lock().await;
        let Some(id) = current.take() else { return Ok(()) };
        let gateway = self.gateway().ok_or(AgentError::NotRunning)?;
        match gateway.suspend_resume(&id).await {
            Ok(()) | Err(crate::gateway::GatewayError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.inner.set_state(AgentState::Ready);
        Ok(())
    }
}

/// Waits a moment for what is nearly done; `None` when it goes on, with the suspension taken back.
async fn settle(gateway: &Gateway, request: &str) -> Result<Option<String>, AgentError> {
    let until = Instant::now() + limits::SUSPEND_SETTLE;
    let mut suspension = gateway.suspend(request).await?;
    loop {
        if let (true, Some(id)) = (suspension.ready, &suspension.id) {
            return Ok(Some(id.clone()));
        }
        if Instant::now() >= until {
            if let Some(id) = &suspension.id {
                gateway.suspend_resume(id).await?;
            }
            return Ok(None);
        }
        sleep(limits::SUSPEND_POLL).await;
        suspension = match &suspension.id {
            Some(id) => gateway.suspend_status(id).await?,
            None => gateway.suspend(request).await?,
        };
    }
}
