//! An agent that writes what it is told into its home and can be ended.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::Millis;
use protocol::control::AgentState;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use crate::agent::{StartWith, furnish};
use crate::cell::AgentPort;
use crate::guide::Told;
use crate::template::Furnishing;

pub struct PlayedAgent {
    home: PathBuf,
    state: watch::Sender<AgentState>,
    /// What was asked of it, in order.
    pub asked: Mutex<Vec<&'static str>>,
    /// What it was given to be recognised by, at each start.
    pub tokens: Mutex<Vec<String>>,
    /// The tools that its template forbade, at each start.
    pub forbidden: Mutex<Vec<Vec<String>>>,
    /// A tool runs: it does not suspend.
    pub working: AtomicBool,
    /// A warm-up does not end.
    pub warms_for_ever: AtomicBool,
    /// How many more starts fail.
    pub starts_to_fail: AtomicUsize,
}

impl PlayedAgent {
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            state: watch::Sender::new(AgentState::Waiting),
            asked: Mutex::default(),
            tokens: Mutex::default(),
            forbidden: Mutex::default(),
            working: AtomicBool::new(false),
            warms_for_ever: AtomicBool::new(false),
            starts_to_fail: AtomicUsize::new(0),
        }
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.home.join(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.home.join(name)).ok()
    }

    pub fn set(&self, state: AgentState) {
        self.state.send_replace(state);
    }

    pub fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }
}

impl AgentPort for PlayedAgent {
    fn state(&self) -> watch::Receiver<AgentState> {
        self.state.subscribe()
    }

    fn failure(&self) -> Option<String> {
        Some("out of memory".to_owned())
    }

    fn prepare(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.note("prepare");
            Ok(())
        })
    }

    fn unprepare(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.note("unprepare");
            Ok(())
        })
    }

    fn furnish(&self, furnishing: Furnishing) -> BoxFuture<'_, Result<(), String>> {
        let written = furnish(&self.home, &furnishing);
        Box::pin(async move {
            if written.map_err(|error| error.to_string())? {
                self.note("furnish");
            }
            Ok(())
        })
    }

    fn start<'a>(&'a self, with: StartWith<'a>, token: SecretString) -> BoxFuture<'a, Result<(), String>> {
        self.forbidden.lock().unwrap().push(with.tools.deny.clone());
        self.tokens.lock().unwrap().push(token.expose_secret().to_owned());
        Box::pin(async {
            self.note("start");
            let left = self.starts_to_fail.load(Ordering::SeqCst);
            if left > 0 {
                self.starts_to_fail.store(left - 1, Ordering::SeqCst);
                self.set(AgentState::Failed);
                return Err("it ended".to_owned());
            }
            self.set(AgentState::Ready);
            Ok(())
        })
    }

    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), String>> {
        match told.own {
            Some(text) => self.write("SKILL.md", &text),
            None => drop(std::fs::remove_file(self.home.join("SKILL.md"))),
        }
        Box::pin(async { Ok(()) })
    }

    fn warm_up(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.note("warm up");
            if self.warms_for_ever.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn suspend(&self) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async {
            self.note("suspend");
            if self.working.load(Ordering::SeqCst) {
                return Ok(false);
            }
            self.set(AgentState::Suspended);
            Ok(true)
        })
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.note("resume");
            if *self.state.borrow() == AgentState::Suspended {
                self.set(AgentState::Ready);
            }
            Ok(())
        })
    }

    fn stop(&self, _grace: Duration) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.note("stop");
            self.set(AgentState::Waiting);
            Ok(())
        })
    }

    fn next_wake_at(&self) -> BoxFuture<'_, Option<Millis>> {
        Box::pin(async { Some(1234) })
    }
}
