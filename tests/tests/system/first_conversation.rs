//! The main job from end to end: a new person makes a vault, connects a model, talks to their own OpenClaw, leaves and comes back.

use std::process::Command;

use serde_json::json;
use system_tests::docker::{Part, container, containers, exec, inspect};
use system_tests::{Installation, wait_until};

const PASSWORD: &str = "correct horse battery staple";

/// How `io_uring_setup` (number 425 on every architecture) answers to a null pointer.
const IO_URING_SETUP: &[&str] = &[
    "-MErrno",
    "-e",
    "syscall(425, 1, 0); print grep { $!{$_} } qw(EPERM EFAULT ENOSYS)",
];

#[tokio::test]
async fn a_new_person_talks_to_their_own_agent_and_finds_the_conversation_again_after_sleep() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let mia = installation.member(&owner, "Mia", "mia@example.org").await;
    let vault = mia.make_vault(PASSWORD).await;
    let session = vault.session;
    session.connect_model(&installation.model().base_url(), "demo").await;
    session.ready().await;

    let conversation = session.conversation().await;
    let first = session
        .ask(
            &conversation,
            "[[say: The tide is turning.]] [[slow: 20 chunks every 100ms]]",
        )
        .await;
    assert!(first.text.contains("The tide is turning."), "{first:#?}");
    assert!(
        first.kinds.iter().filter(|kind| *kind == "text").count() > 1,
        "it streams: {:?}",
        first.kinds
    );

    let tool = session
        .ask(
            &conversation,
            "[[tool: exec {\"command\":\"echo from-the-cell\"}]] [[say: Done.]]",
        )
        .await;
    let result = tool
        .events
        .iter()
        .find(|event| event["kind"] == "tool" && event["phase"] == "result");
    assert!(
        result.is_some_and(|event| event["output"].as_str().unwrap_or_default().contains("from-the-cell")),
        "{tool:#?}"
    );

    // Asleep, no container is left; the sealed home is.
    session.call("vault.lock", json!({})).await;
    wait_until("the cell sleeps", std::time::Duration::from_secs(60), async || {
        containers(&installation.id()).is_empty().then_some(())
    })
    .await;
    assert_eq!(mia.get("/api/v1/cell").await.ok()["state"], "asleep");

    let back = mia.unlock(PASSWORD).await;
    let transcript = back.transcript(&conversation).await;
    assert!(
        transcript.iter().any(|line| line.contains("The tide is turning.")),
        "{transcript:#?}"
    );
    back.ready().await;
    let again = back.ask(&conversation, "[[say: And back again.]]").await;
    assert!(again.text.contains("And back again."), "{again:#?}");

    // The phrase opens it too.
    back.call("vault.lock", json!({})).await;
    mia.unlock_with_phrase(&vault.phrase).await;
}

#[tokio::test]
async fn the_agents_container_is_as_closed_as_the_design_says() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    owner.claim().await;
    let agent = wait_until(
        "the agent's container runs",
        std::time::Duration::from_secs(60),
        async || container(owner.cell(), Part::Agent),
    )
    .await;
    let look = |format| inspect(&agent, format);
    assert_eq!(look("{{.HostConfig.NetworkMode}}"), "none");
    assert_eq!(look("{{.HostConfig.ReadonlyRootfs}}"), "true");
    assert_eq!(look("{{.Config.User}}"), "1000:1000");
    assert_eq!(look("{{.HostConfig.CapDrop}}"), "[ALL]");
    assert_eq!(look("{{.HostConfig.CapAdd}}"), "[]");
    assert_eq!(look("{{.HostConfig.Privileged}}"), "false");
    assert_eq!(look("{{.HostConfig.Memory}}"), (2048_u64 * 1024 * 1024).to_string());
    assert!(look("{{.HostConfig.SecurityOpt}}").contains("no-new-privileges"));
    // Outside its argument is bad; inside it is not looked at.
    assert_eq!(
        Command::new("perl").args(IO_URING_SETUP).output().unwrap().stdout,
        b"EFAULT",
        "this machine has no io_uring itself"
    );
    let inside = exec(&agent, &[&["perl"], IO_URING_SETUP].concat());
    assert_eq!(inside, (true, "EPERM".to_owned()));
    assert!(look("{{.HostConfig.PidsLimit}}").parse::<i64>().unwrap() > 0);
    let mounts = look("{{range .Mounts}}{{.Source}} {{.Destination}} {{end}}");
    assert!(!mounts.contains("docker.sock"), "{mounts}");
    assert!(!mounts.contains("vault"), "{mounts}");
}
