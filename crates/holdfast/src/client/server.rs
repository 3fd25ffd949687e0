//! The platform as the client reaches it: HTTPS, cookies, problems in words. It is trusted with who is signed in, and with nothing
//! of the vault.

use std::net::IpAddr;
use std::sync::Arc;

use client::{ClientError, Handshake, Known};
use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{ACCEPT, CONTENT_SECURITY_POLICY, ORIGIN, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Upgraded, Url};
use serde_json::Value;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::state::Session;
use crate::limits::{CLIENT_ANSWER, CLIENT_ANSWER_BYTES, CLIENT_CONNECT, INTERFACE_FILE_BYTES};

/// What a session is: its cookie, and the token that every write sends along.
const SESSION_COOKIE: &str = "holdfast_session";
const CSRF_COOKIE: &str = "holdfast_csrf";
const CSRF_HEADER: &str = "x-csrf-token";

/// A platform, with the cookies that it gave.
pub struct Server {
    base: String,
    url: Url,
    jar: Arc<Jar>,
    http: reqwest::Client,
}

impl Server {
    /// The platform at an address that a person typed.
    ///
    /// # Errors
    /// It is no address, or one to which the session's cookie would travel in clear.
    pub fn at(address: &str) -> Result<Self, Failure> {
        let url = parse(address)?;
        let jar = Arc::new(Jar::default());
        // A WebSocket is an upgrade of HTTP/1.1. Nothing here redirects.
        let http = reqwest::Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .http1_only()
            .redirect(Policy::none())
            .connect_timeout(CLIENT_CONNECT)
            .user_agent(concat!("holdfast-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::Usage(format!("TLS cannot be set up: {error}.")))?;
        Ok(Self {
            base: url.origin().ascii_serialization(),
            url,
            jar,
            http,
        })
    }

    /// The platform where somebody is signed in.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn of(session: &Session) -> Result<Self, Failure> {
        let server = Self::at(&session.server)?;
        let secure = if server.url.scheme() == "https" { "; Secure" } else { "" };
        for pair in session.cookies.split("; ") {
            let cookie = Zeroizing::new(format!("{pair}; Path=/{secure}"));
            server.jar.add_cookie_str(&cookie, &server.url);
        }
        Ok(server)
    }

    /// Scheme, host and port.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// One of the cookies that were given, `name=value`. Over TLS its name has a prefix.
    fn cookie(&self, name: &str) -> Option<Zeroizing<String>> {
        let all = self.jar.cookies(&self.url)?;
        let all = Zeroizing::new(all.to_str().ok()?.to_owned());
        let mut pairs = all.split("; ");
        pairs
            .find(|pair| pair.split_once('=').is_some_and(|(found, _)| found.ends_with(name)))
            .map(|pair| Zeroizing::new(pair.to_owned()))
    }

    /// The cookies of the session, once somebody is signed in.
    pub fn session_cookies(&self) -> Option<String> {
        let session = self.cookie(SESSION_COOKIE)?;
        let csrf = self.cookie(CSRF_COOKIE)?;
        Some(format!("{}; {}", *session, *csrf))
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Says hello to the keeper of whoever is signed in. With `known`, another one is refused.
    pub async fn dial(&self, known: Option<Known>) -> Result<Handshake<Upgraded>, Failure> {
        let told = self.post("/api/v1/cell/token", &Value::Null).await?;
        let token = told["token"].as_str().ok_or_else(|| self.odd(StatusCode::OK))?;
        let socket = client::dial(&self.http, &self.base, token)
            .await
            .map_err(|error| match error {
                ClientError::NotOpened(401) => Failure::NotSignedIn,
                error => error.into(),
            })?;
        Ok(Handshake::open(socket, known).await?)
    }

    /// A file of the interface as a browser gets it, with the policy that comes along; `None` where there is none.
    pub async fn file(&self, path: &str) -> Result<Option<(Vec<u8>, Option<String>)>, Failure> {
        let url = format!("{}/{path}", self.base);
        let answer = self
            .http
            .get(url)
            .header(ACCEPT, "text/html,*/*")
            .timeout(CLIENT_ANSWER);
        let answer = answer.send().await.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let policy = answer.headers().get(CONTENT_SECURITY_POLICY);
        let policy = policy.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = self.bytes(answer, INTERFACE_FILE_BYTES).await?;
        Ok(Some((body.to_vec(), policy)))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        Failure::Unreachable {
            server: self.base.clone(),
            reason: reason(error),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(ORIGIN, &self.base)
            .timeout(CLIENT_ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some((_, token)) = self.cookie(CSRF_COOKIE).as_ref().and_then(|pair| pair.split_once('=')) {
            request = request.header(CSRF_HEADER, token);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let wait = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        let text = self.bytes(answer, CLIENT_ANSWER_BYTES).await?;
        let value: Value = serde_json::from_slice(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let (Some(code), Some(detail)) = (value["code"].as_str(), value["detail"].as_str()) else {
            return Err(self.odd(status));
        };
        if code == "not_signed_in" {
            return Err(Failure::NotSignedIn);
        }
        let wait = wait.map(|wait| format!(" Try again in {wait} s."));
        Err(Failure::Platform {
            status: status.as_u16(),
            code: code.to_owned(),
            message: format!("{detail}{}", wait.unwrap_or_default()),
        })
    }

    /// The body, as long as it is no longer than `most`.
    async fn bytes(&self, mut answer: Response, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let status = answer.status();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len() + piece.len() > most {
                return Err(self.odd(status));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn odd(&self, status: StatusCode) -> Failure {
        Failure::NotHoldfast {
            server: self.base.clone(),
            status: status.as_u16(),
        }
    }
}

/// The innermost reason: the outer ones repeat the address.
fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn parse(address: &str) -> Result<Url, Failure> {
    let given = address.trim();
    let whole = if given.contains("://") {
        given.to_owned()
    } else {
        format!("https://{given}")
    };
    let wrong = |why: &str| Failure::Usage(format!("{given:?} is no address of a Holdfast: {why}."));
    let url = Url::parse(&whole).map_err(|error| wrong(&error.to_string()))?;
    let host = url.host_str().ok_or_else(|| wrong("it names no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has a user name or password in it"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "give scheme, host and port alone, such as https://agents.example.org",
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine(host) => Ok(url),
        "http" => Err(wrong(
            "your sign-in would travel in clear; use https, or a tunnel to a port of this machine",
        )),
        other => Err(wrong(&format!("{other} is neither https nor http"))),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_does_not_travel_in_clear() {
        for (typed, base) in [
            ("agents.example.org", "https://agents.example.org"),
            (" https://agents.example.org:8443/ ", "https://agents.example.org:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let url = parse(typed).unwrap();
            assert_eq!(url.origin().ascii_serialization(), base, "{typed}");
        }
        for refused in [
            "http://agents.example.org",
            "http://localhost.evil.example",
            "http://10.0.0.5:8080",
            "ftp://agents.example.org",
            "https://mia:secret@agents.example.org",
            "https://agents.example.org/base",
            "https://agents.example.org/#x",
            "",
        ] {
            assert!(matches!(parse(refused), Err(Failure::Usage(_))), "{refused}");
        }
    }

    #[test]
    fn the_cookies_of_a_session_go_back_to_its_own_server() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let session = Session {
            server: "https://agents.example".to_owned(),
            user: protocol::UserId::new(),
            email: String::new(),
            cookies: "__Host-holdfast_session=abc; __Host-holdfast_csrf=def".to_owned(),
        };
        let server = Server::of(&session).unwrap();
        assert_eq!(server.session_cookies().as_ref(), Some(&session.cookies));
        let elsewhere = Url::parse("https://evil.example/").unwrap();
        assert!(server.jar.cookies(&elsewhere).is_none());
        // What only marks who asked for a link is not the session.
        let begun = Server::at("https://agents.example").unwrap();
        begun
            .jar
            .add_cookie_str("__Host-holdfast_begun=x; Path=/; Secure", &begun.url);
        assert_eq!(begun.session_cookies(), None);
    }
}
