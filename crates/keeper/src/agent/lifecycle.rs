//! Start, watch and stop.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use protocol::bridge::ToBridge;
use protocol::control::AgentState;
use secrecy::SecretString;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::config::StartWith;
use super::link::{Ended, Link};
use super::{Agent, AgentError, Inner, config};
use crate::gateway::{Gateway, GatewayError};
use crate::limits;

impl Agent {
    /// Has OpenClaw's code loaded while the home is still sealed: the start that follows takes less.
    ///
    /// # Errors
    /// [`AgentError::Absent`] without a bridge.
    pub async fn prepare(&self) -> Result<(), AgentError> {
        self.inner.link.send(ToBridge::Prepare).await
    }

    /// Frees what was prepared, if it was not used.
    ///
    /// # Errors
    /// [`AgentError::Absent`] without a bridge: then nothing is prepared either.
    pub async fn unprepare(&self) -> Result<(), AgentError> {
        self.inner.link.send(ToBridge::Unprepare).await
    }

    /// Starts OpenClaw in the home, which must be complete, and returns once it answers. Does nothing when it runs. The token
    /// is what the keeper shows to its Gateway.
    ///
    /// # Errors
    /// [`AgentError`]; the state is then [`AgentState::Failed`], or [`AgentState::Absent`] without a bridge.
    pub async fn start(&self, with: StartWith<'_>, token: SecretString) -> Result<(), AgentError> {
        let _changing = self.inner.changing.lock().await;
        if self.gateway().is_some_and(|gateway| gateway.is_open()) || self.comes_back().await {
            return Ok(());
        }
        let mut under_way = UnderWay(Some(&*self.inner));
        let result = self.bring_up(&with, token).await;
        under_way.0 = None;
        match &result {
            Ok(()) => *self.inner.failure() = None,
            Err(error) => {
                tracing::warn!("the agent did not start: {error}");
                self.inner.fail(error);
            }
        }
        result
    }

    /// The process runs and only its connection broke: the watcher is about to make a new one.
    async fn comes_back(&self) -> bool {
        let is_watched = self
            .inner
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|watcher| !watcher.is_finished());
        if !is_watched {
            return false;
        }
        let mut state = self.inner.state.subscribe();
        let mut gateways = self.gateways();
        tokio::select! {
            again = gateways.wait_for(|gateway| gateway.as_ref().is_some_and(Gateway::is_open)) => again.is_ok(),
            _ = state.wait_for(|state| matches!(state, AgentState::Failed | AgentState::Absent)) => false,
        }
    }

    async fn bring_up(&self, with: &StartWith<'_>, token: SecretString) -> Result<(), AgentError> {
        let inner = &self.inner;
        let mut connected = inner.link.connected();
        timeout(limits::BRIDGE_APPEARS, connected.wait_for(|connected| *connected))
            .await
            .map_err(|_| AgentError::Absent)?
            .map_err(|_| AgentError::Absent)?;
        inner.set_state(AgentState::Starting);
        // Watches before it starts, so that no end is missed.
        let ends = inner.link.ends();
        let asks = inner.asks.get().is_some_and(|asks| asks());
        let text = config::render(with, &token, asks);
        let home = inner.paths.home.clone();
        tokio::task::spawn_blocking(move || config::install(&home, &text))
            .await
            .map_err(|error| AgentError::Listen(std::io::Error::other(error)))??;
        inner.link.send(ToBridge::Start).await?;
        let mut exits = inner.link.ends();
        let gateway = connect(&inner.link, &token, &mut exits, limits::AGENT_START).await?;
        tracing::info!(version = gateway.version(), "OpenClaw answers");
        *inner.suspension.lock().await = None;
        inner.gateway.send_replace(Some(gateway.clone()));
        inner.set_state(AgentState::Ready);
        let watcher = tokio::spawn(watch(Arc::downgrade(inner), gateway, token, ends));
        *inner.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(AbortOnDropHandle::new(watcher));
        Ok(())
    }

    /// Ends OpenClaw: it gets `grace` to end by itself. Returns when it is gone.
    ///
    /// # Errors
    /// [`AgentError::Absent`] without a bridge: then nothing runs either.
    pub async fn stop(&self, grace: Duration) -> Result<(), AgentError> {
        let _changing = self.inner.changing.lock().await;
        drop(self.inner.watcher.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.inner.gateway.send_replace(None);
        let mut ends = self.inner.link.ends();
        let mut connected = self.inner.link.connected();
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.inner.link.send(ToBridge::Stop { grace_ms }).await?;
        // The bridge goes on to SIGKILL by itself; the rest is for a machine under load.
        let patience = grace + limits::BRIDGE_DIAL;
        let ended = timeout(patience, async {
            tokio::select! {
                ended = ends.recv() => ended.map(drop).map_err(|_| AgentError::Absent),
                _ = connected.wait_for(|connected| !connected) => Err(AgentError::Absent),
            }
        })
        .await
        .map_err(|_| AgentError::Slow(patience))?;
        *self.inner.suspension.lock().await = None;
        if ended.is_ok() {
            self.inner.set_state(AgentState::Waiting);
        }
        ended
    }

    /// Takes what OpenClaw has deleted out of the files of its databases, where it would stay until something is written over it.
    ///
    /// # Errors
    /// [`AgentError`]: it is not out of them, and may be tried again.
    pub async fn scrub(&self) -> Result<(), AgentError> {
        self.inner.link.scrub().await
    }
}

/// A start that is not waited for any longer, because the vault is locked or its home replaced, leaves a process of which nobody
/// knows how far it is. It has failed, so that the next start takes the place of it instead of waiting for it.
struct UnderWay<'a>(Option<&'a Inner>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.0 {
            inner.fail(&AgentError::GivenUp);
        }
    }
}

/// Dials until OpenClaw lets the keeper in, or ends, or time is up.
async fn connect(
    link: &Link,
    token: &SecretString,
    ends: &mut broadcast::Receiver<Ended>,
    patience: Duration,
) -> Result<Gateway, AgentError> {
    let until = Instant::now() + patience;
    let mut connected = link.connected();
    loop {
        let attempt = async {
            let stream = link.dial().await?;
            Ok::<_, AgentError>(Gateway::connect(stream, token).await?)
        };
        let wait = tokio::select! {
            attempt = attempt => match attempt {
                Ok(gateway) => return Ok(gateway),
                Err(AgentError::Gateway(GatewayError::Starting { retry_after })) => retry_after,
                Err(AgentError::Gateway(GatewayError::Closed | GatewayError::TimedOut { .. })) => limits::AGENT_RETRY,
                Err(error) => return Err(error),
            },
            ended = ends.recv() => return Err(ended.map_or(AgentError::Absent, AgentError::from)),
            _ = connected.wait_for(|connected| !connected) => return Err(AgentError::Absent),
        };
        if Instant::now() + wait > until {
            return Err(AgentError::Slow(patience));
        }
        tokio::select! {
            () = sleep(wait) => {}
            ended = ends.recv() => return Err(ended.map_or(AgentError::Absent, AgentError::from)),
        }
    }
}

/// Follows one OpenClaw process: connects again when the connection breaks, and says so when it ends.
async fn watch(inner: Weak<Inner>, mut gateway: Gateway, token: SecretString, mut ends: broadcast::Receiver<Ended>) {
    loop {
        let ended = tokio::select! {
            ended = ends.recv() => Some(ended),
            () = gateway.closed() => None,
        };
        let Some(inner) = inner.upgrade() else { return };
        if let Some(ended) = ended {
            inner.fail(&ended.map_or(AgentError::Absent, AgentError::from));
            return;
        }
        inner.gateway.send_replace(None);
        inner.set_state(AgentState::Starting);
        match connect(&inner.link, &token, &mut ends, limits::AGENT_START).await {
            Ok(again) => {
                gateway = again.clone();
                inner.gateway.send_replace(Some(again));
                inner.set_state(AgentState::Ready);
            }
            Err(error) => {
                inner.fail(&error);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::bridge::{BRIDGE_SOCKET, Opening};
    use protocol::template::ToolsPolicy;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::UnixStream;

    use super::super::AgentPaths;
    use super::*;

    #[tokio::test]
    async fn a_start_that_is_broken_off_has_failed_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let paths = AgentPaths {
            sockets: dir.path().to_owned(),
            home: dir.path().to_owned(),
        };
        let agent = Agent::listen(paths).unwrap();
        let mut bridge = BufReader::new(UnixStream::connect(dir.path().join(BRIDGE_SOCKET)).await.unwrap());
        let opening = serde_json::to_string(&Opening::Control).unwrap() + "\n";
        bridge.write_all(opening.as_bytes()).await.unwrap();
        let mut state = agent.state();
        state.wait_for(|state| *state == AgentState::Waiting).await.unwrap();

        let (models, tools) = (&[], &ToolsPolicy::default());
        let with = StartWith { models, tools };
        let started = async {
            let mut asked = String::new();
            bridge.read_line(&mut asked).await.unwrap();
            asked
        };
        tokio::select! {
            _ = agent.start(with, SecretString::from("token")) => panic!("nothing answers"),
            asked = started => assert!(asked.contains("start"), "{asked}"),
        }
        assert_eq!(*state.borrow(), AgentState::Failed);
        assert!(agent.failure().unwrap().message.contains("broken off"));
    }
}
