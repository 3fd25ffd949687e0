//! A dump of the database, the disk, the blobs and the logs holds no secret and no word of a conversation, and neither does
//! what crossed the sockets of the platform's process, nor a backup that its owner takes away. What was packed is searched, too.

use std::path::Path;
use std::time::Duration;

use client::{BackupKey, NewSlot, SecretBytes};
use protocol::channel::SlotKind;
use serde_json::json;
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{asks, chooses, colleagues, meets};
use system_tests::docker::{containers, docker, inspect, logs, volumes};
use system_tests::trace::Trace;
use system_tests::{Session, Settings, secret, wait_until};

const CONTACTS_PASSWORD: &str = "correct horse battery staple";

/// Adds a printed key as a way in; what is printed, and the bytes that it stands for.
async fn print_key(session: &Session) -> [Canary; 2] {
    let mut bytes = vault::random_bytes::<32>();
    let canary = Canary::of_bytes("the bytes of the backup key", &bytes);
    let key = BackupKey::from_bytes(SecretBytes::take(&mut bytes));
    let new = NewSlot {
        kind: SlotKind::BackupKey,
        name: Some("In the safe"),
        passkey: None,
        secret: &key.secret(),
        replaces: None,
    };
    session.channel.add_slot(new).await.expect("the key is taken");
    [Canary::of("the backup key as it is printed", &key.text()), canary]
}

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

    // A secret that the agent uses through its keeper, and a host that it may not reach: both are in the activity.
    let (name, value, user) = (Canary::new("name"), Canary::new("value"), Canary::new("user"));
    let (service, host) = (Canary::new("service-"), Canary::new("host-"));
    let new = json!({"name": name.text, "kind": "login", "agent": "use", "username": user.text, "value": value.text});
    let id = session.call("secret.set", new).await["id"].clone();
    let route = json!({"name": service.text, "base_url": model.base_url(), "secret": id,
        "inject": {"as": "header", "name": "x-api-key", "prefix": ""}});
    session.call("route.set", route).await;
    let nowhere = json!({"mode": "allow_list", "hosts": []});
    session.call("egress.set", nowhere).await;
    let proxy = format!("http://127.0.0.1:{}", protocol::bridge::EGRESS_PORT);
    let command = format!(
        "curl --silent http://127.0.0.1:{}/x/{}/models; curl --silent --proxytunnel --proxy {proxy} http://{}.example.org/",
        protocol::bridge::BROKER_PORT,
        service.text,
        host.text
    );
    let tool = format!("[[tool: exec {}]] [[say: called]]", json!({ "command": command }));
    session.ask(&conversation, &tool).await;
    session.call("secret.reveal", json!({"id": id})).await;
    for (class, noted) in [
        ("person", &name),
        ("agent", &name),
        ("person", &service),
        ("refused", &host),
    ] {
        let activity = session.call("activity.list", json!({"class": class})).await;
        let told = activity.to_string();
        assert!(
            told.contains(&noted.text),
            "{class} has no {}: {activity:#}",
            noted.name
        );
    }

    // More ways in: a printed key, and two contacts with a share each, who release them.
    let printed = print_key(&session).await;
    let contacts = colleagues(&installation, (&owner, &session), CONTACTS_PASSWORD).await;
    let contacts: Vec<_> = contacts.iter().map(|(person, session)| (person, session)).collect();
    for (person, session) in &contacts {
        meets(person, session).await;
    }
    let slot = chooses((&owner, &session), &contacts).await;
    let released = asks(&owner, slot, &contacts).await;
    let joined = Canary::of_bytes("what the shares make", released.secret().expose());
    let values = released.values();
    let shares = values.iter().map(|value| Canary::of_bytes("a share", value));

    let taken = session.backup().await;
    assert!(taken.len() > 100_000, "a backup of {} bytes", taken.len());

    let mut canaries = vec![password, mistyped, phrase, key, said, title, in_file];
    canaries.extend([name, value, user, service, host, joined]);
    canaries.extend(printed.into_iter().chain(shares));
    let mut search = Search::new(&canaries);
    search.bytes("the backup", &taken);

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
    // What is in its memory goes into no file when it crashes.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", installation.server_pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core
        .into_iter()
        .flat_map(str::split_whitespace)
        .skip(4)
        .take(2)
        .collect();
    assert_eq!(core, ["0", "0"], "{limits}");

    // Asleep: every byte at rest.
    session.call("vault.lock", json!({})).await;
    for (_, session) in &contacts {
        session.call("vault.lock", json!({})).await;
    }
    wait_until("the cells sleep", Duration::from_secs(90), async || {
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
