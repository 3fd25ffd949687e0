//! `kill -9` of keeper, agent, server and PostgreSQL in the middle of making a vault, pausing, sleeping, waking and restoring a
//! backup: afterwards the person gets in, and what was acknowledged last is there.

use std::time::Duration;

use client::{Handshake, Phrase};
use protocol::channel::{SlotKind, VaultState};
use serde_json::{Value, json};
use system_tests::model::Model;
use system_tests::{Installation, Person, Session, Settings, secret, wait_until};

use crate::kills::Victim::{self, Agent, Keeper, Postgres, Server};
use crate::kills::{Aim, Hits, PASSWORD, SOON, get_in, struck};

/// In what of a step the kill comes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When its process is there.
    Runs,
    /// When the cell tells this phase.
    Phase(&'static str),
    /// So many milliseconds after the request.
    After(u64),
}

use Moment::{After, Phase, Runs};

/// What a cell goes through when it wakes. One that was killed before it slept has its home and is ready at once.
const WAKING: [&str; 4] = ["restoring_home", "starting_agent", "warming_up", "ready"];

/// This phase and those after it.
fn since(phase: &str) -> &'static [&'static str] {
    let at = WAKING.iter().position(|known| *known == phase);
    &WAKING[at.expect("a phase of waking")..]
}

/// One person's cell, and what was acknowledged last.
struct Trial {
    installation: Installation,
    person: Person,
    conversation: String,
    secret: Value,
    /// Values that the secret may have: the acknowledged one, and others where a step under way may have replaced it.
    values: Vec<String>,
    sleeping: Hits,
    waking: Hits,
    restoring: Hits,
}

impl Trial {
    /// A cell that pauses after three seconds without use, with one answer and one secret in it.
    async fn new() -> (Self, Session, Model) {
        // A model that the server's end does not end.
        let settings = Settings::default()
            .set("cells.pause_after", "3s")
            .set("cells.sleep_after", "1h");
        let installation = settings.separate_model().start().await;
        let model = installation.separate_model().await;
        let person = installation.owner().await;
        let session = person.make_vault(PASSWORD).await.session;
        session.connect_model(&model.base_url(), "demo").await;
        session.ready().await;
        let conversation = session.conversation().await;
        session.ask(&conversation, "[[say: kept-words]]").await;
        let new = json!({"name": "Deploy key", "kind": "text", "agent": "nothing", "value": "value-0"});
        let secret = session.call("secret.set", new).await["id"].clone();
        let trial = Self {
            installation,
            person,
            conversation,
            secret,
            values: vec!["value-0".to_owned()],
            sleeping: Hits::default(),
            waking: Hits::default(),
            restoring: Hits::default(),
        };
        (trial, session, model)
    }

    fn aim(&self, victim: Victim) -> Option<Aim> {
        victim.aim(&self.installation, &self.person)
    }

    /// The person gets in, and the secret has a value that it may have.
    async fn back(&mut self, after: &str) -> Session {
        let session = get_in(&self.person).await;
        let shown = session.call("secret.reveal", json!({"id": self.secret})).await;
        let value = shown["value"].as_str().expect("text").to_owned();
        assert!(
            self.values.contains(&value),
            "after {after}: {value}, not one of {:?}",
            self.values
        );
        self.values = vec![value];
        session
    }

    /// Stores another value, which is acknowledged.
    async fn change(&mut self, session: &Session, value: &str) {
        let new = json!({"id": self.secret, "name": "Deploy key", "kind": "text", "agent": "nothing", "value": value});
        session.call("secret.set", new).await;
        self.values = vec![value.to_owned()];
    }

    /// The conversation is there once, and goes on.
    async fn goes_on(&self, session: &Session, word: &str) {
        session.ready().await;
        let transcript = session.transcript(&self.conversation).await;
        let kept = transcript.iter().filter(|line| line.contains("kept-words")).count();
        assert_eq!(kept, 2, "{transcript:#?}");
        let asked = session.ask(&self.conversation, &format!("[[say: {word}]]")).await;
        assert!(asked.text.contains(word), "{asked:#?}");
    }

    /// Idle, the cell pauses; the kill comes while it seals its home for that.
    async fn killed_in_a_pause(&mut self, session: Session, victim: Victim) -> Session {
        session.ready().await;
        self.change(&session, &format!("before-a-pause-{victim:?}")).await;
        let aim = self.aim(victim).expect("it runs");
        // The keeper says so before it seals.
        let paused = |event: &Value| event["event"] == "cell" && event["data"]["phase"] == "paused";
        session.event(SOON, paused).await.expect("an idle cell pauses");
        aim.strike(&mut self.installation).await;
        self.back(&format!("a kill of {victim:?} in a pause")).await
    }

    /// Locked by its person; the kill comes while the home is sealed, the keys are wiped or the containers go.
    async fn killed_in_sleeping(&mut self, session: Session, victim: Victim, moment: Moment) {
        // Its home is there to be sealed.
        session.comes_to(since("starting_agent")).await;
        self.change(&session, &format!("before-sleep-{victim:?}-{moment:?}"))
            .await;
        let aim = self.aim(victim).expect("it runs");
        let keeper = self.aim(Keeper).expect("it runs").process();
        let locking = session.channel.call("vault.lock", json!({}));
        let killing = async {
            match moment {
                Runs => {}
                Phase(phase) => {
                    let now = |event: &Value| event["event"] == "cell" && event["data"]["phase"] == phase;
                    session.event(SOON, now).await.expect("the phase comes");
                }
                After(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            }
            // The keeper goes last.
            self.sleeping.count(runs(keeper));
            aim.strike(&mut self.installation).await;
        };
        // Whether it was still answered does not matter here: who locks loses nothing either way.
        drop(tokio::join!(locking, killing));
    }

    /// The person comes in; the kill comes while the containers start, the home is restored or the agent starts.
    async fn killed_in_waking(&mut self, victim: Victim, moment: Moment) {
        match moment {
            Runs => {
                let person = self.person.clone();
                let password = secret(PASSWORD);
                let coming_in = person.try_unlock(SlotKind::Password, &password, None);
                let killing = async {
                    let aim = victim.first_aim(&self.installation, &self.person).await;
                    aim.strike(&mut self.installation).await;
                };
                drop(tokio::join!(coming_in, killing));
            }
            Phase(phase) => {
                let session = get_in(&self.person).await;
                let aim = victim.first_aim(&self.installation, &self.person).await;
                let phase = session.comes_to(since(phase)).await;
                self.waking.count(phase != "ready");
                aim.strike(&mut self.installation).await;
            }
            After(_) => unreachable!("a start is followed by its phases"),
        }
    }

    /// A backup takes the place of what is there; the kill comes meanwhile.
    async fn killed_in_a_restore(&mut self, file: &[u8], (victim, after): (Victim, u64)) {
        // A channel of its own: its proof is fresh.
        let session = get_in(&self.person).await;
        self.change(&session, &format!("before-a-restore-{victim:?}-{after}"))
            .await;
        let state = session.read_backup(file, SlotKind::Password, &secret(PASSWORD)).await;
        let aim = self.aim(victim).expect("it runs");
        let applying = session.channel.apply_restore(&state.backup);
        let (applied, hit) = struck(applying, after, aim.strike(&mut self.installation)).await;
        self.restoring.count(hit);
        if applied.is_ok() {
            self.values.clear();
        }
        self.values.push("value-0".to_owned());
        drop(session);
        drop(
            self.back(&format!("a kill of {victim:?} {after} ms into a restore"))
                .await,
        );
    }
}

/// Whether a process is there.
fn runs(pid: u32) -> bool {
    std::path::Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn promise_05_kills_while_a_cell_pauses_sleeps_wakes_and_is_restored_lose_nothing_that_was_acknowledged() {
    let (mut trial, mut session, _model) = Trial::new().await;
    let file = session.backup().await;

    // The last kill of these leaves no agent.
    for victim in [Server, Keeper] {
        session = trial.killed_in_a_pause(session, victim).await;
    }

    let steps = [
        (Keeper, After(1), Runs),
        (Keeper, After(30), Phase("restoring_home")),
        (Keeper, Phase("paused"), Phase("starting_agent")),
        (Agent, After(1), Phase("starting_agent")),
        (Server, After(10), Phase("restoring_home")),
        (Postgres, After(10), Phase("starting_agent")),
    ];
    for (victim, sleeping, waking) in steps {
        trial.killed_in_sleeping(session, victim, sleeping).await;
        trial.killed_in_waking(victim, waking).await;
        let after = format!("kills of {victim:?} at {sleeping:?} of sleeping and at {waking:?} of waking");
        session = trial.back(&after).await;
    }
    drop(session);

    // All of what was there, or all of the backup.
    for step in [(Keeper, 1), (Keeper, 10), (Keeper, 40), (Server, 5), (Postgres, 5)] {
        trial.killed_in_a_restore(&file, step).await;
    }
    let session = trial.back("all of them").await;
    trial.goes_on(&session, "goes-on").await;
    trial.sleeping.prove("going to sleep");
    trial.waking.prove("waking");
    trial.restoring.prove("a restore");
}

/// Until where the first visit comes before the kill.
#[derive(Debug, Clone, Copy)]
enum Until {
    Registered,
    LoggedIn,
    /// The vault is being made since so many milliseconds.
    Making(u64),
    Made,
}

/// Whether the person was told that the vault is made.
async fn first_visit(
    installation: &mut Installation,
    person: &Person,
    (victim, until): (Victim, Until),
    hits: &mut Hits,
) -> bool {
    let claim = person.claim().await;
    let password = secret(PASSWORD);
    let mut handshake: Handshake<_> = person.dial(None).await.expect("the channel opens");
    assert_eq!(handshake.hello().vault, VaultState::New);
    let aim = victim.aim(installation, person).expect("it runs");
    let registered = handshake.register(&claim, SlotKind::Password, &password).await;
    let slot = registered.expect("the keeper takes the registration").slot;
    if matches!(until, Until::Registered) {
        aim.strike(installation).await;
        return false;
    }
    let (channel, _events) = handshake.login(slot, &password).await.expect("the channel stands");
    match until {
        Until::Registered | Until::LoggedIn => {
            aim.strike(installation).await;
            false
        }
        Until::Making(millis) => {
            let (made, hit) = struck(channel.create_vault(), millis, aim.strike(installation)).await;
            hits.count(hit);
            made.is_ok()
        }
        Until::Made => {
            channel.create_vault().await.expect("the vault is made");
            aim.strike(installation).await;
            true
        }
    }
}

#[tokio::test]
async fn promise_05_kills_while_a_vault_is_made_leave_one_that_opens_or_none() {
    let mut installation = Installation::start().await;
    let owner = installation.owner().await;
    let steps = [
        (Keeper, Until::Registered),
        (Keeper, Until::LoggedIn),
        (Keeper, Until::Making(1)),
        (Keeper, Until::Making(4)),
        (Server, Until::Making(1)),
        (Postgres, Until::Making(1)),
        (Keeper, Until::Made),
    ];
    let mut person = None;
    let mut making = Hits::default();
    for (number, (victim, until)) in steps.into_iter().enumerate() {
        let who = match person.take() {
            Some(who) => who,
            None => {
                let address = format!("person{number}@example.org");
                installation.member(&owner, "Person", &address).await
            }
        };
        let told = first_visit(&mut installation, &who, (victim, until), &mut making).await;
        let what = format!("a kill of {victim:?} at {until:?}");
        let hello = wait_until("the keeper is back", SOON, async || {
            let handshake = who.dial(None).await.ok()?;
            Some(handshake.hello().clone())
        })
        .await;
        match hello.vault {
            // There is none: the person begins again, and may.
            VaultState::New => {
                assert!(!told, "after {what}: told that there is a vault, and there is none");
                assert_eq!(hello.slots.len(), 0, "after {what}");
                person = Some(who);
            }
            VaultState::Locked | VaultState::Unlocked => {
                let session = get_in(&who).await;
                let status = session.call("vault.status", json!({})).await;
                assert_eq!(status["vault"], "unlocked", "after {what}: {status}");
                assert_eq!(
                    status["slots"].as_array().map(Vec::len),
                    Some(1),
                    "after {what}: {status}"
                );
            }
        }
    }
    assert!(person.is_none(), "the vault that was told of last is there");
    making.prove("making a vault");

    // The phrase that was shown is a way in from then on.
    let last = installation.member(&owner, "Last", "last@example.org").await;
    let made = last.make_vault(PASSWORD).await;
    let aim = Keeper.aim(&installation, &last).expect("the keeper runs");
    aim.strike(&mut installation).await;
    let phrase = Phrase::parse(&made.phrase).expect("a phrase").secret();
    wait_until("the phrase opens the vault", SOON, async || {
        let opened = last.try_unlock(SlotKind::RecoveryPhrase, &phrase, None);
        opened.await.ok()
    })
    .await;
}
