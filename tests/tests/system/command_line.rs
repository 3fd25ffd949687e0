//! The client on the command line against the real platform, keeper and OpenClaw: everything that a person does without a browser.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use system_tests::canary::{Canary, Search};
use system_tests::{CommandLine, Installation, Person, wait_until};
use totp_rs::{Builder, Secret};

const OWNER: &str = "owner@example.org";

#[tokio::test]
async fn everything_is_done_from_the_command_line_from_signing_in_to_a_restored_backup() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let password = Canary::new("password");
    let vault = owner.make_vault(&password.text).await;
    let phrase = Canary::of("phrase", &vault.phrase);
    vault
        .session
        .connect_model(&installation.model().base_url(), "demo")
        .await;
    vault.session.channel.close().await;
    let typed = format!("{}\n", password.text);

    let me = CommandLine::default();
    assert_eq!(
        me.run(&["status"], "").await.refusal(),
        (Some(77), "not_signed_in".to_owned())
    );
    let signed_in = me.login(&installation, OWNER, "").await.json();
    assert_eq!(signed_in["user"]["email"], OWNER);
    assert_eq!(signed_in["cell"], owner.cell());
    let mode = fs::metadata(me.state_file()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    // A wrong password opens nothing; the right one opens the vault, wakes the agent, and may leave it open.
    let wrong = me.run(&["unlock", "--stdin"], "not my password\n").await;
    assert_eq!(wrong.refusal(), (Some(77), "wrong_secret".to_owned()));
    let open = me.run(&["unlock", "--stdin", "--for", "10m"], &typed).await.json();
    assert_eq!((&open["vault"], &open["agent"]), (&json!("unlocked"), &json!("ready")));
    assert!(open["granted_until"].is_i64(), "{open}");
    the_organisations_ceiling_binds(&owner, &me, &typed).await;
    let status = me.run(&["status"], "").await.json();
    assert_eq!(
        (&status["vault"], &status["cell"]["state"]),
        (&json!("unlocked"), &json!("awake"))
    );
    let kinds: Vec<_> = status["slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| &slot["kind"])
        .collect();
    assert_eq!(kinds, ["password", "recovery_phrase"]);

    // Secrets: the value is what is left of the input, over several lines.
    let value = Canary::new("value");
    let set = ["secrets", "set", "Deploy key", "--stdin", "--kind", "text"];
    let kept = me
        .run(&set, &format!("{typed}{}\nsecond line\n", value.text))
        .await
        .json();
    assert_eq!(kept["new"], true);
    let listed = me.run(&["secrets", "list", "--stdin"], &typed).await.json();
    assert_eq!(listed["secrets"][0]["name"], "Deploy key");
    let session = owner.unlock(&password.text).await;
    let shown = session.call("secret.reveal", json!({"id": kept["id"]})).await;
    assert_eq!(shown["value"], format!("{}\nsecond line", value.text));
    session.channel.close().await;

    // Talking: as an argument, and from standard input in the same session.
    let said = me
        .run(&["chat", "--stdin", "[[say: The tide is turning.]]"], &typed)
        .await
        .json();
    assert_eq!(said["answer"], "The tide is turning.");
    let id = said["session"].as_str().unwrap();
    let again = me
        .run(
            &["chat", "--stdin", "--session", id],
            &format!("{typed}[[say: And back.]]\n"),
        )
        .await
        .json();
    assert_eq!(again["answer"], "And back.");
    me.run(&["sessions", "rename", id, "Tides", "--stdin"], &typed)
        .await
        .json();
    let page = me.run(&["sessions", "show", "Tides", "--stdin"], &typed).await.json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 4, "{page}");

    // A backup is whole, for its owner alone, and replaces no file.
    let made = me.run(&["backup", "mine.hfb", "--stdin"], &typed).await.json();
    let file = me.home().join("mine.hfb");
    let bytes = fs::read(&file).unwrap();
    assert_eq!(made["bytes"], bytes.len());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let twice = me.run(&["backup", "mine.hfb", "--stdin"], &typed).await;
    assert_eq!(twice.refusal(), (Some(73), "file_exists".to_owned()));

    // What is deleted comes back; a cut file, a wrong password of the backup and a missing yes replace nothing.
    me.run(&["secrets", "delete", "Deploy key", "--stdin", "--yes"], &typed)
        .await
        .json();
    me.run(&["sessions", "delete", "Tides", "--stdin", "--yes"], &typed)
        .await
        .json();
    fs::write(me.home().join("cut.hfb"), &bytes[..bytes.len() - 40]).unwrap();
    let cut = me
        .run(&["restore", "cut.hfb", "--stdin", "--yes"], &typed.repeat(2))
        .await;
    assert_eq!(cut.refusal(), (Some(65), "backup_cut".to_owned()));
    let wrong = me
        .run(&["restore", "mine.hfb", "--stdin"], &format!("{typed}another\n"))
        .await;
    assert_eq!(wrong.refusal(), (Some(77), "wrong_secret".to_owned()));
    let unsure = me
        .run(&["restore", "mine.hfb", "--stdin"], &format!("{typed}{typed}no\n"))
        .await;
    assert_eq!(unsure.refusal(), (Some(1), "not_confirmed".to_owned()));
    let check = me
        .run(&["restore", "mine.hfb", "--stdin", "--check"], &typed.repeat(2))
        .await
        .json();
    assert_eq!(
        (&check["restored"], &check["conversations"]),
        (&json!(false), &json!(1))
    );
    let none = me.run(&["secrets", "list", "--stdin"], &typed).await.json();
    assert_eq!(none["secrets"], json!([]));
    let restored = me
        .run(&["restore", "mine.hfb", "--stdin"], &format!("{typed}{typed}replace\n"))
        .await
        .json();
    assert_eq!(restored["restored"], true);

    // Locked now. The phrase opens it, and everything is there again.
    let words = format!("{}\n", phrase.text);
    let open = me.run(&["unlock", "--stdin", "--with", "phrase"], &words).await.json();
    assert_eq!(open["agent"], "ready");
    let listed = me.run(&["secrets", "list", "--stdin"], &typed).await.json();
    assert_eq!(listed["secrets"][0]["id"], kept["id"]);
    let page = me.run(&["sessions", "show", "Tides", "--stdin"], &typed).await.json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 4, "{page}");

    let locked = me.run(&["lock", "--stdin"], &typed).await.json();
    assert_eq!(locked["was_open"], true);
    wait_until("the cell sleeps", Duration::from_secs(60), async || {
        let status = me.run(&["status", "--no-keeper"], "").await.json();
        (status["cell"]["state"] == "asleep" && status["vault"] == "locked").then_some(())
    })
    .await;

    // Another keeper than the known one is refused before anything is sent, with the right password.
    let state = fs::read_to_string(me.state_file()).unwrap();
    let mut told: Value = serde_json::from_str(&state).unwrap();
    let keeper = told["keepers"].as_object_mut().unwrap().values_mut().next().unwrap();
    keeper["public_key"] = json!(protocol::b64::encode([7; 32]));
    fs::write(me.state_file(), told.to_string()).unwrap();
    let other = me.run(&["unlock", "--stdin"], &typed).await;
    assert_eq!(other.refusal(), (Some(76), "another_keeper".to_owned()));

    // Signed out, nothing of it is left; and never was anything secret written.
    let written = me.written();
    me.run(&["logout"], "").await.json();
    assert_eq!(
        me.run(&["status"], "").await.refusal(),
        (Some(77), "not_signed_in".to_owned())
    );
    let canaries = [password, phrase, value];
    let mut search = Search::new(&canaries);
    search.bytes("what the client keeps", &written);
    search.bytes("the server's log", installation.log().as_bytes());
    search.bytes("the backup", &bytes);
    assert!(search.found().is_empty(), "{:#?}", search.found());
}

/// How long agents may work alone at most reaches the keeper with the next channel: a longer time is refused there, and one that was granted
/// before ends with it.
async fn the_organisations_ceiling_binds(owner: &Person, me: &CommandLine, typed: &str) {
    let unlock = async |time: &str| me.run(&["unlock", "--stdin", "--for", time], typed).await;
    let ceiling = async |hours: u32| {
        let policy = json!({"time_alone_hours": hours});
        owner.put("/api/v1/policy", &policy).await.ok();
    };
    let too_long = (Some(77), "out_of_range".to_owned());
    assert_eq!(unlock("25h").await.refusal(), too_long);
    ceiling(48).await;
    let long = unlock("25h").await.json();
    ceiling(1).await;
    assert_eq!(unlock("61m").await.refusal(), too_long);
    let cut = me.run(&["unlock", "--stdin"], typed).await.json();
    let ends = |open: &Value| open["granted_until"].as_i64().expect("it is granted");
    assert!(ends(&cut) <= ends(&long) - 23 * 60 * 60 * 1000, "{long} {cut}");
}

#[tokio::test]
async fn signing_in_asks_for_the_second_factor_and_takes_no_link_that_somebody_else_asked_for() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let begun = owner.post("/api/v1/factors/authenticator", &json!({})).await.ok();
    let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let code = Builder::new().with_secret(secret).build_noncompliant().generate(now);
    let confirm = json!({"code": code.to_string()});
    let codes = owner.post("/api/v1/factors/authenticator/confirm", &confirm).await.ok();
    let backup_code = codes["backup_codes"][0].as_str().unwrap();

    let me = CommandLine::default();
    let wrong = me.login(&installation, OWNER, "000000\n").await;
    assert_eq!(wrong.refusal(), (Some(77), "code_wrong".to_owned()));
    let nothing = me.login(&installation, OWNER, "").await;
    assert_eq!(nothing.refusal(), (Some(65), "input_ended".to_owned()));
    assert_eq!(
        me.run(&["status"], "").await.refusal(),
        (Some(77), "not_signed_in".to_owned())
    );

    // A link that a browser asked for does not work here.
    let before = installation.newest_link(OWNER, "sign-in");
    installation
        .post("/api/v1/sign-in", &json!({"email": OWNER}))
        .await
        .ok();
    let link = wait_until("the browser's mail arrives", Duration::from_secs(15), async || {
        installation
            .newest_link(OWNER, "sign-in")
            .filter(|link| Some(link) != before.as_ref())
    })
    .await;
    let args = ["login", &installation.url(), "--stdin", "--email", OWNER];
    let other = me.run(&args, &format!("{link}\n{backup_code}\n")).await;
    assert_eq!(other.refusal(), (Some(77), "other_browser".to_owned()));
    wait_until("its own mail arrives", Duration::from_secs(15), async || {
        installation
            .newest_link(OWNER, "sign-in")
            .filter(|newest| *newest != link)
    })
    .await;

    let right = me.login(&installation, OWNER, &format!("{backup_code}\n")).await.json();
    assert_eq!(right["user"]["email"], OWNER);
    assert_eq!(me.run(&["status"], "").await.json()["user"]["email"], OWNER);
}
