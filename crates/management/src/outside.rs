//! The one HTTP client for addresses that organisations name (sign-in providers, and where alerts and audit events go): to addresses
//! that are public or that the operator named, over TLS, never through a redirect or a proxy, with an end to its patience and to what it
//! reads. What is connected to is the address that was checked.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{Request, Response, StatusCode};
use futures::future::BoxFuture;
use oauth2::AsyncHttpClient;
use protocol::address::refusal;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::limits;

const SYSLOG_TLS: u16 = 6514;

/// Why an address cannot be called. Never the whole address: what follows the host may be a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("this is not an address of the web")]
    BadUrl,
    #[error("the address of {0} must start with {1}://: without TLS anyone on the way could read and answer")]
    NoTls(String, &'static str),
    #[error("{host}:{port} is {why}. Only the operator of this server can allow it, in the setting {setting}")]
    Refused {
        host: String,
        port: u16,
        why: String,
        setting: &'static str,
    },
    #[error("{0} cannot be reached: {1}")]
    Failed(String, String),
    #[error("{0} did not answer within {seconds} seconds", seconds = limits::PROVIDER_TIME.as_secs())]
    TimedOut(String),
    #[error("{0} answered more than {kib} KiB", kib = limits::PROVIDER_ANSWER_BYTES / 1024)]
    TooLong(String),
    #[error("this server cannot make TLS connections: {0}")]
    Tls(String),
}

/// Host and port of an address that may be called.
pub(crate) struct Target {
    host: String,
    port: u16,
    named: bool,
}

impl Target {
    /// For people: the host, with its port where it is not the usual one.
    pub(crate) fn shown(&self) -> String {
        match self.port {
            443 | SYSLOG_TLS => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

/// What may be written to and read from.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// How an answer begins; the rest is not read.
pub(crate) struct Answered {
    pub status: StatusCode,
    /// When to come back, if it says so in seconds.
    pub retry_after: Option<Duration>,
}

pub(crate) struct OutsideClient {
    /// Addresses that are not public and may be called all the same, as `host:port`, in lower case.
    named: Vec<String>,
    /// Where the operator names them.
    setting: &'static str,
    tls: Result<rustls::ClientConfig, String>,
}

impl OutsideClient {
    pub(crate) fn new(named: &[String], setting: &'static str) -> Self {
        Self {
            named: named.iter().map(|address| address.to_ascii_lowercase()).collect(),
            setting,
            tls: tls(),
        }
    }

    /// Whether an address may be called at all, as far as that can be said before its name is looked up.
    pub(crate) fn allowed(&self, url: &str) -> Result<Target, Unreachable> {
        let parsed: Url = url.parse().map_err(|_| Unreachable::BadUrl)?;
        let (secure, with_tls, usual) = match parsed.scheme() {
            "https" => (true, "https", 443),
            "http" => (false, "https", 80),
            // Of syslog: RFC 5425 and RFC 6587.
            "tls" => (true, "tls", SYSLOG_TLS),
            "tcp" => (false, "tls", 601),
            _ => return Err(Unreachable::BadUrl),
        };
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(Unreachable::BadUrl)?.to_ascii_lowercase();
        let port = parsed.port().unwrap_or(usual);
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Unreachable::BadUrl);
        }
        let named = self.named.contains(&format!("{host}:{port}"));
        if !named {
            if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
                && let Some(why) = refusal(address)
            {
                let why = why.to_string();
                let setting = self.setting;
                return Err(Unreachable::Refused {
                    host,
                    port,
                    why,
                    setting,
                });
            }
            if !secure {
                return Err(Unreachable::NoTls(host, with_tls));
            }
        }
        Ok(Target { host, port, named })
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unreachable> {
        let target = self.allowed(&request.uri().to_string())?;
        in_time(&target.host, self.exchange(&target, request)).await
    }

    /// Tells, and reads of the answer only how it begins.
    pub(crate) async fn tell(&self, request: Request<Vec<u8>>) -> Result<Answered, Unreachable> {
        let target = self.allowed(&request.uri().to_string())?;
        let answer = in_time(&target.host, self.send(&target, request)).await?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        Ok(Answered {
            status: answer.status(),
            retry_after: retry_after
                .and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs),
        })
    }

    async fn exchange(&self, target: &Target, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unreachable> {
        let failed = |error: reqwest::Error| Unreachable::Failed(target.host.clone(), last_cause(&error));
        let mut answer = self.send(target, request).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limits::PROVIDER_ANSWER_BYTES {
                return Err(Unreachable::TooLong(target.host.clone()));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    async fn send(&self, target: &Target, request: Request<Vec<u8>>) -> Result<reqwest::Response, Unreachable> {
        let failed = |error: reqwest::Error| Unreachable::Failed(target.host.clone(), last_cause(&error));
        let addresses = self.addresses(target).await?;
        let tls = self.tls.clone().map_err(Unreachable::Tls)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .resolve_to_addrs(target.host.trim_matches(['[', ']']), &addresses)
            .user_agent("Holdfast")
            .build()
            .map_err(failed)?;
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        client.execute(request).await.map_err(failed)
    }

    /// A connection for what is no HTTP, to `tls://host:port` or `tcp://host:port`.
    pub(crate) async fn connect(&self, url: &str) -> Result<Box<dyn Connection>, Unreachable> {
        let target = self.allowed(url)?;
        let secure = url.starts_with("tls://");
        in_time(&target.host, self.open(&target, secure)).await
    }

    async fn open(&self, target: &Target, secure: bool) -> Result<Box<dyn Connection>, Unreachable> {
        let failed = |error: std::io::Error| Unreachable::Failed(target.host.clone(), error.to_string());
        let addresses = self.addresses(target).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
        if !secure {
            return Ok(Box::new(stream));
        }
        let mut tls = self.tls.clone().map_err(Unreachable::Tls)?;
        tls.alpn_protocols.clear();
        let name = target.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Unreachable::BadUrl)?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
        Ok(Box::new(stream.map_err(failed)?))
    }

    /// The addresses behind a name that may be connected to.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Unreachable> {
        let (host, port) = (target.host.trim_matches(['[', ']']), target.port);
        let failed = |why: String| Unreachable::Failed(target.host.clone(), why);
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host, port))
                .await
                .map_err(|error| failed(error.to_string()))?
                .collect(),
        };
        let first = *found.first().ok_or_else(|| failed("it has no address".to_owned()))?;
        if target.named {
            return Ok(found);
        }
        let allowed: Vec<_> = found.into_iter().filter(|at| refusal(at.ip()).is_none()).collect();
        match (allowed.is_empty(), refusal(first.ip())) {
            (true, Some(why)) => Err(Unreachable::Refused {
                host: target.host.clone(),
                port,
                why: format!("{}, {why}", first.ip()),
                setting: self.setting,
            }),
            _ => Ok(allowed),
        }
    }
}

async fn in_time<T>(host: &str, work: impl Future<Output = Result<T, Unreachable>>) -> Result<T, Unreachable> {
    let done = tokio::time::timeout(limits::PROVIDER_TIME, work).await;
    done.unwrap_or_else(|_| Err(Unreachable::TimedOut(host.to_owned())))
}

impl<'c> AsyncHttpClient<'c> for OutsideClient {
    type Error = Unreachable;
    type Future = BoxFuture<'c, Result<Response<Vec<u8>>, Unreachable>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// What went wrong at the bottom. Never the URL: a code may be in it.
fn last_cause(error: &reqwest::Error) -> String {
    let mut last = "the request could not be sent".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        last = inner.to_string();
        cause = inner.source();
    }
    last
}

/// TLS 1.2 and 1.3 with ring, to the public certificate authorities and those of this machine.
fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn refused(url: &str) -> Option<Unreachable> {
        OutsideClient::new(&["127.0.0.1:9000".to_owned(), "idp.internal:443".to_owned()], "`x`")
            .allowed(url)
            .err()
    }

    #[test]
    fn what_is_not_public_is_refused_unless_the_operator_named_it() {
        for allowed in [
            "https://accounts.google.com/x",
            "http://127.0.0.1:9000/x",
            "https://idp.internal/realms/x",
            "https://IDP.internal:443",
            "tls://logs.example.org",
            "tcp://127.0.0.1:9000",
        ] {
            assert!(refused(allowed).is_none(), "{allowed}");
        }
        for private in [
            "https://127.0.0.1:9001/x",
            "https://127.1:9001/x",
            "https://10.0.0.1",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]:9000",
            "https://[::ffff:127.0.0.1]",
            "http://192.168.1.1",
            "tls://10.0.0.1:6514",
            "tcp://127.0.0.1:514",
        ] {
            assert!(
                matches!(refused(private), Some(Unreachable::Refused { .. })),
                "{private}"
            );
        }
        for open in ["http://idp.example.org", "tcp://logs.example.org"] {
            assert!(matches!(refused(open), Some(Unreachable::NoTls(..))), "{open}");
        }
        for bad in [
            "",
            "x",
            "ftp://x",
            "javascript:alert(1)",
            "https://u:p@x.example",
            "file:///etc/passwd",
            "tls:///x",
        ] {
            assert!(matches!(refused(bad), Some(Unreachable::BadUrl)), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_public_name_for_a_private_address_is_refused_when_it_is_looked_up() {
        let client = OutsideClient::new(&[], "`x`");
        let request = Request::get("https://localhost:9000/x").body(Vec::new()).unwrap();
        let error = client.ask(request).await.unwrap_err();
        assert!(matches!(error, Unreachable::Refused { .. }), "{error}");
    }

    /// A collector on this machine, whose certificate `client` may trust or not: what it was told.
    async fn told_over_tls(client: impl FnOnce(String) -> OutsideClient) -> Result<String, Unreachable> {
        let certificate = CertificateDer::from(&include_bytes!("../tests/fixtures/collector.der")[..]);
        let key = PrivatePkcs8KeyDer::from(&include_bytes!("../tests/fixtures/collector.pk8")[..]);
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let collector = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
            stream.read_to_string(&mut text).await?;
            Ok::<_, std::io::Error>(text)
        });
        let mut connection = client(address.clone()).connect(&format!("tls://{address}")).await?;
        connection.write_all(b"5 hello").await.unwrap();
        connection.shutdown().await.unwrap();
        Ok(collector.await.unwrap().unwrap())
    }

    #[tokio::test]
    async fn a_collector_is_told_over_tls_if_its_certificate_is_trusted() {
        let told = told_over_tls(|address| {
            let mut roots = rustls::RootCertStore::empty();
            let certificate = &include_bytes!("../tests/fixtures/collector.der")[..];
            roots.add(CertificateDer::from(certificate)).unwrap();
            let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            OutsideClient {
                tls: Ok(tls),
                ..OutsideClient::new(&[address], "`x`")
            }
        });
        assert_eq!(told.await.unwrap(), "5 hello");
        let error = told_over_tls(|address| OutsideClient::new(&[address], "`x`"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    }
}
