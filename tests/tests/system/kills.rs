//! `kill -9` of what a cell stands on, in the middle of something: what is killed, when, and whether it came in time.

use std::time::Duration;

use protocol::channel::SlotKind;
use system_tests::docker::{Part, process};
use system_tests::{Installation, Person, Session, http, kill_now, secret, wait_until};

pub const PASSWORD: &str = "correct horse battery staple";
/// Until what was killed is back, on a busy machine.
pub const SOON: Duration = Duration::from_secs(120);

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    Keeper,
    Agent,
    Server,
    Postgres,
}

/// A process that is about to be killed. It was looked up before: to ask Docker takes longer than what it is killed in.
pub struct Aim(Victim, u32);

impl Victim {
    /// None where it does not run.
    pub fn aim(self, installation: &Installation, person: &Person) -> Option<Aim> {
        let process = match self {
            Self::Keeper => process(person.cell(), Part::Keeper),
            Self::Agent => process(person.cell(), Part::Agent),
            Self::Server => Some(installation.server_pid()),
            Self::Postgres => installation.postgres_pid(),
        };
        Some(Aim(self, process?))
    }

    /// As soon as it runs.
    pub async fn first_aim(self, installation: &Installation, person: &Person) -> Aim {
        wait_until("what is to be killed runs", SOON, async || {
            self.aim(installation, person)
        })
        .await
    }
}

impl Aim {
    pub fn process(&self) -> u32 {
        self.1
    }

    /// Kills it where it stands. A server comes back as a service manager brings it back, the rest by itself.
    pub async fn strike(self, installation: &mut Installation) {
        let Self(victim, process) = self;
        match victim {
            Victim::Server => {
                installation.kill();
                installation.run().await;
            }
            Victim::Postgres => {
                kill_now(process);
                let back = async || {
                    let other = installation.postgres_pid().filter(|now| *now != process);
                    other?;
                    let ready = http().get(format!("{}/readyz", installation.url())).send();
                    ready.await.ok().filter(|answer| answer.status().is_success())
                };
                wait_until("PostgreSQL is back", SOON, back).await;
            }
            // What was quicker than the kill has ended by itself.
            Victim::Keeper | Victim::Agent => drop(kill_now(process)),
        }
    }
}

/// Of the kills that were aimed by time or by phase, those that came while what they were aimed at was under way.
#[derive(Debug, Default)]
pub struct Hits {
    aimed: usize,
    hit: usize,
}

impl Hits {
    pub fn count(&mut self, hit: bool) {
        self.aimed += 1;
        self.hit += usize::from(hit);
    }

    /// A test whose kills all came too late, or too early, has proved nothing.
    pub fn prove(&self, step: &str) {
        let Self { aimed, hit } = self;
        eprintln!("{hit} of {aimed} kills came in the middle of {step}");
        assert!(*hit > 0, "none of {aimed} kills came in the middle of {step}");
    }
}

/// Asks for a step and strikes after so many milliseconds: what was answered, and whether the strike came before the answer.
pub async fn struck<T>(asked: impl Future<Output = T>, after: u64, strike: impl Future<Output = ()>) -> (T, bool) {
    let answered = std::cell::Cell::new(false);
    let asking = async {
        let answer = asked.await;
        answered.set(true);
        answer
    };
    let striking = async {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let under_way = !answered.get();
        strike.await;
        under_way
    };
    // In this order: an answer that is there is seen before the strike.
    tokio::join!(biased; asking, striking)
}

/// As soon as it can be had: a channel to an open vault.
pub async fn get_in(person: &Person) -> Session {
    let password = secret(PASSWORD);
    wait_until("the person gets in", SOON, async || {
        let opened = person.try_unlock(SlotKind::Password, &password, None);
        opened.await.ok()
    })
    .await
}
