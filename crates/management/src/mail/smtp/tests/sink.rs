//! A mail server on the loopback that speaks SMTP as far as a sender needs it: in clear, with STARTTLS or over TLS, with a log-in or
//! without. The whole-system tests send to it, too.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const CERTIFICATE: &[u8] = include_bytes!("../../../../tests/fixtures/collector.der");
const KEY: &[u8] = include_bytes!("../../../../tests/fixtures/collector.pk8");

/// What a server offers and asks for.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// TLS from the first byte.
    pub wrapped: bool,
    pub starttls: bool,
    /// Nobody sends without this name and password.
    pub login: Option<(&'static str, &'static str)>,
}

/// Offers nothing, and asks for nothing.
pub const PLAIN: Server = Server {
    wrapped: false,
    starttls: false,
    login: None,
};

/// What came with a connection.
#[derive(Debug, Default)]
pub struct Taken {
    pub recipient: String,
    pub message: String,
    /// Lines that came before there was TLS.
    pub in_clear: Vec<String>,
}

/// A server that runs until it is dropped.
pub struct Sink {
    port: u16,
    taken: mpsc::UnboundedReceiver<Taken>,
    accepting: JoinHandle<()>,
}

impl Sink {
    pub async fn start(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port can be bound");
        let port = listener.local_addr().expect("it has an address").port();
        let (told, taken) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _nobody = told.send(serve(server, stream).await);
            }
        });
        Self { port, taken, accepting }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came with the next connection, once it is over.
    pub async fn next(&mut self) -> Taken {
        self.taken.recv().await.expect("the server runs")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The certificate that its own is signed by (PEM), for who is to trust it at 127.0.0.1.
pub fn certificate() -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(CERTIFICATE)
    )
}

fn acceptor() -> TlsAcceptor {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(CERTIFICATE)],
            PrivatePkcs8KeyDer::from(KEY).into(),
        )
        .expect("the key is the certificate's");
    TlsAcceptor::from(Arc::new(config))
}

/// Serves one connection.
async fn serve(server: Server, stream: TcpStream) -> Taken {
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
                let last = offers.pop().unwrap_or_default();
                for offer in offers {
                    say(&mut stream, &format!("250-{offer}")).await;
                }
                format!("250 {last}")
            }
            "STARTTLS" => {
                say(&mut stream, "220 go on").await;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                let shown = STANDARD
                    .decode(line.rsplit(' ').next().unwrap_or_default())
                    .unwrap_or_default();
                known = server
                    .login
                    .is_some_and(|(name, password)| shown == format!("\0{name}\0{password}").into_bytes());
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
