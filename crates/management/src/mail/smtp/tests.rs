//! Mail to a server on the loopback that speaks SMTP as far as a sender needs it: in clear, with STARTTLS or over TLS, with a log-in or
//! without.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::mail;
use crate::person::Email;

const CERTIFICATE: &[u8] = include_bytes!("../../../tests/fixtures/collector.der");
const KEY: &[u8] = include_bytes!("../../../tests/fixtures/collector.pk8");

/// What a server offers and asks for.
#[derive(Clone, Copy)]
struct Server {
    /// TLS from the first byte.
    wrapped: bool,
    starttls: bool,
    /// Nobody sends without this name and password.
    login: Option<(&'static str, &'static str)>,
}

const PLAIN: Server = Server {
    wrapped: false,
    starttls: false,
    login: None,
};
const LOGIN: Option<(&str, &str)> = Some(("holdfast", "correct horse"));

/// What it took.
#[derive(Default)]
struct Taken {
    recipient: String,
    message: String,
    /// Lines that came before there was TLS.
    in_clear: Vec<String>,
}

fn acceptor() -> TlsAcceptor {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(CERTIFICATE)],
            PrivatePkcs8KeyDer::from(KEY).into(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves one connection: the port, and what came of it.
async fn serve(server: Server) -> (u16, JoinHandle<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut taken = Taken::default();
        if server.wrapped {
            if let Ok(stream) = acceptor().accept(stream).await {
                session(&server, stream, true, true, &mut taken).await;
            }
            return taken;
        }
        if let Some(stream) = session(&server, stream, false, true, &mut taken).await
            && let Ok(stream) = acceptor().accept(stream).await
        {
            session(&server, stream, true, false, &mut taken).await;
        }
        taken
    });
    (port, task)
}

/// One conversation; the stream again where the other side wants TLS now.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    server: &Server,
    stream: S,
    secure: bool,
    greet: bool,
    taken: &mut Taken,
) -> Option<S> {
    let mut stream = BufStream::new(stream);
    if greet {
        say(&mut stream, "220 sink.example").await;
    }
    let mut known = server.login.is_none();
    loop {
        let line = hear(&mut stream).await?;
        if !secure {
            taken.in_clear.push(line.clone());
        }
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => {
                let mut offers = vec!["sink.example"];
                offers.extend((server.starttls && !secure).then_some("STARTTLS"));
                offers.extend(server.login.map(|_| "AUTH PLAIN"));
                let (last, first) = offers.split_last().unwrap();
                for offer in first {
                    say(&mut stream, &format!("250-{offer}")).await;
                }
                format!("250 {last}")
            }
            "STARTTLS" => {
                say(&mut stream, "220 go on").await;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                let shown = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
                let (name, password) = server.login.unwrap();
                known = shown == format!("\0{name}\0{password}").into_bytes();
                if known { "235 welcome" } else { "535 5.7.8 who are you?" }.to_owned()
            }
            _ if !known && word != "QUIT" => "530 5.7.0 log in first".to_owned(),
            "RCPT" => {
                taken.recipient = line;
                "250 ok".to_owned()
            }
            "DATA" => {
                say(&mut stream, "354 go on").await;
                loop {
                    match hear(&mut stream).await?.as_str() {
                        "." => break,
                        line => taken.message.push_str(&format!("{line}\n")),
                    }
                }
                "250 taken".to_owned()
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await;
                return None;
            }
            _ => "250 ok".to_owned(),
        };
        say(&mut stream, &answer).await;
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, line: &str) {
    // The other side may have gone away by then, which is its affair.
    let _gone = stream.write_all(format!("{line}\r\n").as_bytes()).await;
    let _gone = stream.flush().await;
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(1..) => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

/// The operator's configuration for this server, with files in a folder that lives as long as what is returned.
fn config(port: u16, encryption: Encryption, password: Option<&str>, trusted: bool) -> (tempfile::TempDir, SmtpConfig) {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(CERTIFICATE)
    );
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        encryption,
        from: "Holdfast <holdfast@example.org>".to_owned(),
        username: password.map(|_| "holdfast".to_owned()),
        password_file: password.map(|password| written("password", format!("{password}\n"))),
        ca_file: trusted.then(|| written("ca.pem", pem)),
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
        let (port, task) = serve(server).await;
        let (_folder, config) = config(port, encryption, password.map(|(_, password)| password), true);
        send(&config).await.unwrap();
        let taken = task.await.unwrap();
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
    let (port, task) = serve(Server {
        wrapped: true,
        login: LOGIN,
        ..PLAIN
    })
    .await;
    let (_folder, config) = config(port, Encryption::Tls, Some("battery staple"), true);
    let error = send(&config).await.unwrap_err().to_string();
    assert!(error.starts_with("the mail server does not let us log in: "), "{error}");
    assert!(
        error.contains("535") && error.ends_with("Look at mail.username and mail.password_file"),
        "{error}"
    );
    assert!(!error.contains("battery") && !error.contains('\n'), "{error}");
    assert!(task.await.unwrap().message.is_empty());
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
    let (port, task) = serve(Server { login: LOGIN, ..PLAIN }).await;
    let (_folder, plain) = config(port, Encryption::Starttls, Some("correct horse"), true);
    send(&plain).await.unwrap_err();
    let taken = task.await.unwrap();
    assert!(taken.message.is_empty() && taken.in_clear.iter().all(|line| !line.starts_with("AUTH")));

    let (port, task) = serve(Server {
        wrapped: true,
        login: LOGIN,
        ..PLAIN
    })
    .await;
    let (_folder, untrusted) = config(port, Encryption::Tls, Some("correct horse"), false);
    let error = send(&untrusted).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    assert!(task.await.unwrap().message.is_empty());
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
