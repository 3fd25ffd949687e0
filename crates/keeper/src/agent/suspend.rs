//! Suspending: OpenClaw begins nothing new, so that it can be frozen and its home copied.

use protocol::control::AgentState;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{Agent, AgentError};
use crate::gateway::{Gateway, GatewayError};
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
        let_go(&gateway, &mut current).await?;
        // Known before it is asked for: an answer that comes too late must not leave OpenClaw suspended.
        let held = current.insert(Held::new());
        match settle(&gateway, held).await {
            Ok(true) => {
                self.inner.set_state(AgentState::Suspended);
                return Ok(true);
            }
            Ok(false) => {}
            Err(error) => {
                // Refused at once (OpenClaw allows it 30 times a minute), there is nothing to hold.
                if held.id.is_none() && matches!(error, GatewayError::Refused { .. }) {
                    *current = None;
                }
                return Err(error.into());
            }
        }
        let_go(&gateway, &mut current).await?;
        Ok(false)
    }

    /// Lets OpenClaw go on. Does nothing when it is not suspended, or when its lease is over.
    ///
    /// # Errors
    /// [`AgentError`] when OpenClaw cannot be asked; then the next call tries again.
    pub async fn resume(&self) -> Result<(), AgentError> {
        let mut current = self.inner.suspension.lock().await;
        if current.is_none() {
            return Ok(());
        }
        let gateway = self.gateway().ok_or(AgentError::NotRunning)?;
        let until = Instant::now() + limits::RESUME_RETRY;
        while let Err(error) = let_go(&gateway, &mut current).await {
            if matches!(error, GatewayError::Closed) || Instant::now() >= until {
                return Err(error.into());
            }
            tracing::info!("asking again: {error}");
            sleep(limits::RESUME_PAUSE).await;
        }
        self.inner.set_state(AgentState::Ready);
        Ok(())
    }
}

/// A suspension that was asked for.
#[derive(Debug)]
pub(super) struct Held {
    request: String,
    /// `None` until OpenClaw has named it.
    id: Option<String>,
}

impl Held {
    fn new() -> Self {
        Self {
            request: uuid::Uuid::new_v4().to_string(),
            id: None,
        }
    }
}

/// Waits a moment for what is nearly done; `false` when it goes on.
async fn settle(gateway: &Gateway, held: &mut Held) -> Result<bool, GatewayError> {
    let until = Instant::now() + limits::SUSPEND_SETTLE;
    loop {
        let suspension = match &held.id {
            Some(id) => gateway.suspend_status(id).await?,
            None => gateway.suspend(&held.request).await?,
        };
        held.id = suspension.id.or(held.id.take());
        if suspension.ready && held.id.is_some() {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(limits::SUSPEND_POLL).await;
    }
}

/// Ends a suspension; it is held until OpenClaw says so.
async fn let_go(gateway: &Gateway, current: &mut Option<Held>) -> Result<(), GatewayError> {
    let Some(held) = current else { return Ok(()) };
    if held.id.is_none() {
        // OpenClaw answers the same request with the same suspension.
        held.id = gateway.suspend(&held.request).await?.id;
    }
    if let Some(id) = &held.id {
        match gateway.suspend_resume(id).await {
            Ok(()) => {}
            // Not known any more: its lease is over. Any other refusal leaves OpenClaw suspended.
            Err(GatewayError::Refused { code, .. }) if code == "INVALID_REQUEST" => {}
            Err(error) => return Err(error),
        }
    }
    *current = None;
    Ok(())
}
