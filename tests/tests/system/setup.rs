//! Becoming the owner, inviting, signing in: the first steps of the main job, over HTTP.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use system_tests::{Installation, Settings, kill_now, wait_until};

#[tokio::test]
async fn the_setup_link_makes_the_owner_once_and_people_sign_in_by_mail() {
    let installation = Installation::start().await;
    assert_eq!(installation.get("/api/v1/instance").await.ok()["needs_setup"], true);

    // Nobody owns the instance without the link.
    let guess = json!({ "token": "guess", "organisation": "Evil", "name": "E", "email": "e@example.org" });
    let refused = installation.post("/api/v1/setup", &guess).await;
    assert!(refused.status.is_client_error(), "{}", refused.body);

    let link = std::fs::read_to_string(installation.data_dir().join("setup-url")).unwrap();
    let owner = installation.owner().await;
    assert_eq!(owner.me["user"]["role"], "owner");
    assert_eq!(installation.get("/api/v1/instance").await.ok()["needs_setup"], false);
    assert!(!installation.data_dir().join("setup-url").exists(), "the link was used");
    let token = link.trim().split_once('#').unwrap().1;
    let again = json!({ "token": token, "organisation": "Second", "name": "S", "email": "s@example.org" });
    assert!(
        installation
            .post("/api/v1/setup", &again)
            .await
            .status
            .is_client_error()
    );

    let member = installation.member(&owner, "Mia Member", "mia@example.org").await;
    assert_eq!(member.me["user"]["role"], "member");
    assert_eq!(member.me["tenant"], owner.me["tenant"]);
    assert_ne!(member.cell(), owner.cell());

    // Known and unknown addresses get the same answer.
    let known = installation
        .post("/api/v1/sign-in", &json!({ "email": "mia@example.org" }))
        .await;
    let unknown = installation
        .post("/api/v1/sign-in", &json!({ "email": "nobody@example.org" }))
        .await;
    assert_eq!((known.status, &known.body), (StatusCode::ACCEPTED, &unknown.body));
    assert_eq!(unknown.status, StatusCode::ACCEPTED);

    // That link is another browser's: the next one is looked for when it has come.
    installation.mail("mia@example.org", "sign-in").await;
    let again = installation.sign_in("mia@example.org").await;
    assert_eq!(again.me["user"]["id"], member.me["user"]["id"]);
    assert_eq!(again.get("/api/v1/cell").await.ok()["state"], "asleep");
}

#[tokio::test]
async fn people_and_their_sessions_survive_a_restart_and_a_kill_of_server_and_postgres() {
    let mut installation = Installation::start().await;
    let owner = installation.owner().await;
    let id = installation.id();

    installation.stop().await;
    installation.run().await;
    assert_eq!(owner.get("/api/v1/me").await.ok()["user"], owner.me["user"]);

    installation.kill();
    installation.run().await;
    assert_eq!(owner.get("/api/v1/me").await.ok()["user"], owner.me["user"]);
    assert_eq!(installation.id(), id);

    // PostgreSQL is started again by the server, which stays up and says when it cannot serve.
    kill_now(installation.postgres_pid().unwrap());
    let me = wait_until("PostgreSQL is back", Duration::from_secs(60), async || {
        let answer = owner.get("/api/v1/me").await;
        let expected = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        assert!(expected.contains(&answer.status), "{}", answer.status);
        answer.status.is_success().then_some(answer.body)
    })
    .await;
    assert_eq!(me["user"], owner.me["user"]);
}

#[tokio::test]
async fn the_operators_files_are_readable_by_the_operator_alone() {
    let installation = Installation::start().await;
    for name in ["setup-url", "admin-token", "keys/gateway.key"] {
        let file = installation.data_dir().join(name);
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_database_url_is_used_instead_of_the_embedded_postgres() {
    let host = Installation::start().await;
    let url = host.owner_database_url();
    let guest = Settings::default().database(&url).start().await;
    assert!(
        guest.postgres_pid().is_none(),
        "it must not start a PostgreSQL of its own"
    );
    assert_eq!(guest.get("/api/v1/instance").await.ok()["needs_setup"], true);
    assert_ne!(guest.id(), host.id());
}
