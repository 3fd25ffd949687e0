//! A keeper that is told to end (SIGTERM), as at the host's restart, seals the home first.

use std::path::Path;
use std::time::Duration;

use protocol::channel::SlotKind;
use system_tests::docker::{Part, container, containers, exec, inspect, pid};
use system_tests::{Installation, end, kill_now, secret, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(120);
/// In the agent's home, where its conversations are.
const LATE: &str = "/home/node/.openclaw/workspace/late.txt";

#[tokio::test]
async fn promise_05_a_keeper_that_is_told_to_end_seals_the_home_first() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(&installation.model().base_url(), "demo").await;
    session.ready().await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: kept-words]]").await;

    // Written by no turn, after the last one was sealed.
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let (written, said) = exec(&agent, &["sh", "-c", &format!("echo written-late > {LATE}")]);
    assert!(written, "{said}");
    let keeper = container(owner.cell(), Part::Keeper).expect("the keeper runs");
    let (agents_process, keepers_process) = (pid(&agent), pid(&keeper));
    end(keepers_process);
    let runs = |process: u32| Path::new("/proc").join(process.to_string()).exists();
    let ended = async || (!runs(keepers_process)).then_some(());
    wait_until("the keeper has ended", SOON, ended).await;
    drop(session);
    // What is left is what was sealed: the home in memory goes with the last container that has it.
    if runs(agents_process) {
        kill_now(agents_process);
    }
    let gone = async || (!containers(&installation.id()).contains(&agent)).then_some(());
    wait_until("the agent is gone", SOON, gone).await;

    let password = secret(PASSWORD);
    let session = wait_until("the person is back", SOON, async || {
        let opened = owner.try_unlock(SlotKind::Password, &password, None);
        opened.await.ok()
    })
    .await;
    session.ready().await;
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs again");
    assert_eq!(inspect(&agent, "{{.State.Running}}"), "true");
    let (_, read) = exec(&agent, &["cat", LATE]);
    assert_eq!(read.trim(), "written-late");
    let transcript = session.transcript(&conversation).await;
    assert!(
        transcript.iter().any(|line| line.contains("kept-words")),
        "{transcript:#?}"
    );
}
