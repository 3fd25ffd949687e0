//! A dump of the database, the disk, the blobs and the logs holds no secret and no word of a conversation, and neither does
//! what crossed the sockets of the platform's process.

use std::path::Path;
use std::time::Duration;

use protocol::channel::SlotKind;
use serde_json::json;
use system_tests::canary::{Canary, Search};
use system_tests::docker::{containers, docker, inspect, logs, volumes};
use system_tests::trace::Trace;
use system_tests::{Settings, secret, wait_until};

#[tokio::test]
async fn promise_01_no_secret_and_no_word_of_a_conversation_is_written_or_crosses_the_platform() {
    let installation = Settings::default().separate_model().start().await;
    let model = installation.separate_model().await;
    let traces = tempfile::tempdir().unwrap();
    let trace = Trace::of(installation.server_pid(), &traces.path().join("server.strace")).await;

    let password = Canary::new("password");
    let mistyped = Canary::new("mistyped");
    let key = Canary::new("sk-");
    let said = Canary::new("said");
    let title = Canary::new("title");
    let in_file = Canary::new("file");

    // Use everything.
    let owner = installation.owner().await;
    let vault = owner.make_vault(&password.text).await;
    let phrase = Canary::of("phrase", &vault.phrase);
    let session = vault.session;
    session.connect_model(&model.base_url(), &key.text).await;
    session.ready().await;
    let conversation = session.conversation().await;
    let renamed = json!({ "conversation": conversation, "title": title.text });
    session.call("chat.rename", renamed).await;
    let answer = session.ask(&conversation, &format!("[[say: you {}]]", said.text)).await;
    assert!(answer.text.contains(&said.text), "{answer:#?}");
    let command = format!("echo {} > notes.txt; cat notes.txt", in_file.text);
    let tool = format!("[[tool: exec {}]] [[say: written]]", json!({ "command": command }));
    let written = session.ask(&conversation, &tool).await;
    assert!(
        written
            .events
            .iter()
            .any(|event| event.to_string().contains(&in_file.text)),
        "{written:#?}"
    );
    let known = session.channel.known();
    let wrong = owner
        .try_unlock(SlotKind::Password, &secret(&mistyped.text), Some(known))
        .await;
    assert!(wrong.is_err(), "a mistyped password opened the vault");

    let canaries = [password, mistyped, phrase, key, said, title, in_file];
    let mut search = Search::new(&canaries);

    // While it is awake: what Docker knows and what the containers wrote.
    for container in containers(&installation.id()) {
        search.bytes("docker inspect", docker(&["inspect", &container]).as_bytes());
        if inspect(&container, "{{.HostConfig.LogConfig.Type}}") != "none" {
            search.bytes("docker logs", logs(&container).as_bytes());
        }
        search.bytes("docker top", docker(&["top", &container]).as_bytes());
    }
    for file in ["environ", "cmdline"] {
        let path = format!("/proc/{}/{file}", installation.server_pid());
        search.bytes(&path, &std::fs::read(&path).unwrap());
    }

    // Asleep: every byte at rest.
    session.call("vault.lock", json!({})).await;
    wait_until("the cell sleeps", Duration::from_secs(90), async || {
        containers(&installation.id()).is_empty().then_some(())
    })
    .await;
    let volumes = volumes(&installation.id());
    assert!(!volumes.is_empty(), "the vault's volume stays");
    for volume in volumes {
        search.bytes(
            "docker volume inspect",
            docker(&["volume", "inspect", &volume]).as_bytes(),
        );
        let folder = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]);
        search.folder(Path::new(&folder));
    }
    search.folder(installation.data_dir());
    let crossed = trace.end();
    search.bytes("what crossed the server's sockets", &crossed);
    assert!(search.found().is_empty(), "{:#?}", search.found());

    // The search can find: what the platform may know is there, in each kind of place.
    let open = [Canary::of("the owner's address", "owner@example.org")];
    let mut control = Search::new(&open);
    control.folder(&installation.data_dir().join("postgres"));
    assert!(!control.found().is_empty(), "the database was searched in vain");
    let mut control = Search::new(&open);
    control.bytes("sockets", &crossed);
    assert!(!control.found().is_empty(), "the sockets were searched in vain");
    let blobs = installation.data_dir().join("blobs");
    let mut control = Search::new(&open);
    control.folder(&blobs);
    assert!(
        control.searched() > 100_000,
        "the sealed home is {} bytes",
        control.searched()
    );
}
