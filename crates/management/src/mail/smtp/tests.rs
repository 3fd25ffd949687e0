//! Mail to a server on the loopback, with and without TLS and a log-in.

mod sink;

use tokio::net::TcpListener;

use sink::{PLAIN, Server, Sink, certificate};

use super::*;
use crate::mail;
use crate::person::Email;

const LOGIN: Option<(&str, &str)> = Some(("holdfast", "correct horse"));

/// The operator's configuration for this server, with files in a folder that lives as long as what is returned.
fn config(port: u16, encryption: Encryption, password: Option<&str>, trusted: bool) -> (tempfile::TempDir, SmtpConfig) {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        encryption,
        from: "Holdfast <holdfast@example.org>".to_owned(),
        username: password.map(|_| "holdfast".to_owned()),
        password_file: password.map(|password| written("password", format!("{password}\n"))),
        ca_file: trusted.then(|| written("ca.pem", certificate())),
    };
    (folder, config)
}

async fn send(config: &SmtpConfig) -> Result<(), MailError> {
    let letter = mail::join_approved(&Email::parse("bob@acme.example").unwrap(), "Acme", "https://x.example");
    Smtp::new(config).unwrap().send(letter.unwrap()).await
}

#[tokio::test]
async fn a_mail_arrives_over_tls_by_starttls_and_in_clear_and_the_password_goes_over_tls_alone() {
    for (server, encryption, password) in [
        (
            Server {
                wrapped: true,
                login: LOGIN,
                ..PLAIN
            },
            Encryption::Tls,
            LOGIN,
        ),
        (
            Server {
                starttls: true,
                login: LOGIN,
                ..PLAIN
            },
            Encryption::Starttls,
            LOGIN,
        ),
        (PLAIN, Encryption::None, None),
    ] {
        let mut sink = Sink::start(server).await;
        let (_folder, config) = config(sink.port(), encryption, password.map(|(_, password)| password), true);
        send(&config).await.unwrap();
        let taken = sink.next().await;
        assert!(taken.recipient.contains("<bob@acme.example>"), "{}", taken.recipient);
        assert!(taken.message.contains("Subject: Welcome to Acme"), "{}", taken.message);
        assert!(
            taken.message.contains("From: Holdfast <holdfast@example.org>"),
            "{}",
            taken.message
        );
        assert!(
            taken.in_clear.iter().all(|line| !line.starts_with("AUTH")),
            "{:?}",
            taken.in_clear
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_one_sentence_that_says_where_to_look() {
    let mut sink = Sink::start(Server {
        wrapped: true,
        login: LOGIN,
        ..PLAIN
    })
    .await;
    let (_folder, config) = config(sink.port(), Encryption::Tls, Some("battery staple"), true);
    let error = send(&config).await.unwrap_err().to_string();
    assert!(error.starts_with("the mail server does not let us log in: "), "{error}");
    assert!(
        error.contains("535") && error.ends_with("Look at mail.username and mail.password_file"),
        "{error}"
    );
    assert!(!error.contains("battery") && !error.contains('\n'), "{error}");
    assert!(sink.next().await.message.is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_sentence_that_names_it() {
    // Bound and let go: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (_folder, config) = config(port, Encryption::None, None, false);
    let error = send(&config).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("the mail server 127.0.0.1:{port} cannot be reached: ")),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
}

#[tokio::test]
async fn a_server_without_starttls_or_with_a_certificate_that_nobody_trusts_gets_neither_mail_nor_password() {
    let mut sink = Sink::start(Server { login: LOGIN, ..PLAIN }).await;
    let (_folder, plain) = config(sink.port(), Encryption::Starttls, Some("correct horse"), true);
    send(&plain).await.unwrap_err();
    let taken = sink.next().await;
    assert!(taken.message.is_empty() && taken.in_clear.iter().all(|line| !line.starts_with("AUTH")));

    let mut sink = Sink::start(Server {
        wrapped: true,
        login: LOGIN,
        ..PLAIN
    })
    .await;
    let (_folder, untrusted) = config(sink.port(), Encryption::Tls, Some("correct horse"), false);
    let error = send(&untrusted).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    assert!(sink.next().await.message.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let refused = |change: fn(&mut SmtpConfig)| {
        let (_folder, mut config) = config(1, Encryption::Tls, Some("x"), true);
        change(&mut config);
        Smtp::new(&config).err().unwrap().to_string()
    };
    assert!(refused(|config| config.from = "x".into()).contains("mail.from"));
    assert!(refused(|config| config.password_file = None).contains("mail.password_file"));
    assert!(refused(|config| config.password_file = Some("/nowhere".into())).contains("/nowhere"));
    assert!(refused(|config| config.encryption = Encryption::None).contains("in clear"));
    assert!(refused(|config| config.ca_file = Some("/nowhere".into())).contains("mail.ca_file /nowhere"));
}
