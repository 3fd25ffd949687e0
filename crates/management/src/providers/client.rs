//! The one HTTP client for providers: to addresses that are public or that the operator named, over TLS, never through a redirect
//! or a proxy, with an end to its patience and to what it reads. What is connected to is the address that was checked.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use oauth2::AsyncHttpClient;
use protocol::address::refusal;
use reqwest::Url;

use crate::limits;

/// Why a provider cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("{0} is not an address of the web")]
    BadUrl(String),
    #[error("{0} must start with https://: over http:// anyone on the way could answer")]
    NoTls(String),
    #[error(
        "{host}:{port} is {why}. Only the operator of this server can allow it, in the setting `private_provider_addresses` of `[sign_in]`"
    )]
    Refused { host: String, port: u16, why: String },
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
pub(super) struct Target {
    host: String,
    port: u16,
    named: bool,
}

pub(super) struct ProviderClient {
    /// As `host:port`, in lower case.
    named: Vec<String>,
    tls: Result<rustls::ClientConfig, String>,
}

impl ProviderClient {
    pub(super) fn new(named: &[String]) -> Self {
        Self {
            named: named.iter().map(|address| address.to_ascii_lowercase()).collect(),
            tls: tls(),
        }
    }

    /// Whether an address may be called at all, as far as that can be said before its name is looked up.
    pub(super) fn allowed(&self, url: &str) -> Result<Target, Unreachable> {
        let bad = || Unreachable::BadUrl(url.to_owned());
        let parsed: Url = url.parse().map_err(|_| bad())?;
        let (host, port) = match (parsed.scheme(), parsed.host_str(), parsed.port_or_known_default()) {
            ("https" | "http", Some(host), Some(port)) => (host.to_ascii_lowercase(), port),
            _ => return Err(bad()),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(bad());
        }
        let named = self.named.contains(&format!("{host}:{port}"));
        if !named {
            if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
                && let Some(why) = refusal(address)
            {
                let why = why.to_string();
                return Err(Unreachable::Refused { host, port, why });
            }
            if parsed.scheme() != "https" {
                return Err(Unreachable::NoTls(url.to_owned()));
            }
        }
        Ok(Target { host, port, named })
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unreachable> {
        let target = self.allowed(&request.uri().to_string())?;
        let host = target.host.clone();
        let answered = tokio::time::timeout(limits::PROVIDER_TIME, self.exchange(target, request)).await;
        answered.unwrap_or(Err(Unreachable::TimedOut(host)))
    }

    async fn exchange(&self, target: Target, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unreachable> {
        let failed = |error: reqwest::Error| Unreachable::Failed(target.host.clone(), last_cause(&error));
        let addresses = addresses(&target).await?;
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
        let mut answer = client.execute(request).await.map_err(failed)?;
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
}

impl<'c> AsyncHttpClient<'c> for ProviderClient {
    type Error = Unreachable;
    type Future = BoxFuture<'c, Result<Response<Vec<u8>>, Unreachable>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// The addresses behind a name that may be connected to.
async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, Unreachable> {
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
        }),
        _ => Ok(allowed),
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
    use super::*;

    fn refused(url: &str) -> Option<Unreachable> {
        ProviderClient::new(&["127.0.0.1:9000".to_owned(), "idp.internal:443".to_owned()])
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
        ] {
            assert!(
                matches!(refused(private), Some(Unreachable::Refused { .. })),
                "{private}"
            );
        }
        assert!(matches!(refused("http://idp.example.org"), Some(Unreachable::NoTls(_))));
        for bad in [
            "",
            "x",
            "ftp://x",
            "javascript:alert(1)",
            "https://u:p@x.example",
            "file:///etc/passwd",
        ] {
            assert!(matches!(refused(bad), Some(Unreachable::BadUrl(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_public_name_for_a_private_address_is_refused_when_it_is_looked_up() {
        let client = ProviderClient::new(&[]);
        let request = Request::get("https://localhost:9000/x").body(Vec::new()).unwrap();
        let error = client.ask(request).await.unwrap_err();
        assert!(matches!(error, Unreachable::Refused { .. }), "{error}");
    }
}
