//! Mail by the operator's mail server, as the configuration names it.

use serde_json::json;
use system_tests::sink::{PLAIN, Server, Sink, certificate};
use system_tests::{Settings, link_in};

#[tokio::test]
async fn people_sign_in_by_a_link_that_the_operators_mail_server_takes_and_are_told_where_it_takes_none() {
    let mut sink = Sink::start(Server {
        starttls: true,
        login: Some(("holdfast", "correct horse")),
        ..PLAIN
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let installation = Settings::default()
        .set("mail.host", "127.0.0.1")
        .set("mail.port", &sink.port().to_string())
        .set("mail.encryption", "starttls")
        .set("mail.username", "holdfast")
        .set("mail.password_file", &written("password", "correct horse\n"))
        .set("mail.ca_file", &written("ca.pem", &certificate()))
        .set("mail.from", "Acme <acme@example.org>")
        .start()
        .await;
    let owner = installation.owner().await;

    let browser = installation.ask_for_link("owner@example.org").await;
    let taken = sink.next().await;
    assert!(taken.recipient.contains("<owner@example.org>"), "{}", taken.recipient);
    assert!(
        taken.message.contains("From: Acme <acme@example.org>"),
        "{}",
        taken.message
    );
    let link = link_in(&taken.message, "sign-in").expect("the mail has a link");
    let again = installation.open_link(&browser, &link).await;
    assert_eq!(again.get("/api/v1/me").await.ok()["user"], owner.me["user"]);
    assert_eq!(installation.newest_link("owner@example.org", "sign-in"), None);

    let invite = async |email: &str| {
        let wanted = json!({ "email": email, "role": "member" });
        owner.post("/api/v1/invitations", &wanted).await.ok()["delivery"].clone()
    };
    assert_eq!(invite("mia@example.org").await, "sent");
    assert!(sink.next().await.recipient.contains("<mia@example.org>"));
    drop(sink);
    assert_eq!(invite("nora@example.org").await, "failed");
}
