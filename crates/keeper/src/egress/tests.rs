//! The egress proxy on its real socket, before real servers on loopback.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::channel::VaultState;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

use super::{EgressMode, EgressPolicy, EgressProxy, NamedAddresses, resolve};
use crate::unlock_link::UnlockLink;

struct Gate {
    _folder: TempDir,
    socket: PathBuf,
    vault: watch::Sender<VaultState>,
    policy: watch::Sender<EgressPolicy>,
    refused: Arc<Mutex<Vec<(String, String)>>>,
}

impl Gate {
    fn open(named: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("egress.sock");
        let vault = watch::Sender::new(VaultState::Unlocked);
        let policy = watch::Sender::new(EgressPolicy::open());
        let refused: Arc<Mutex<Vec<_>>> = Arc::default();
        let log = Arc::clone(&refused);
        let unlock = UnlockLink::default();
        unlock.set_installation("https://holdfast.example/");
        let proxy = EgressProxy::new(
            vault.subscribe(),
            NamedAddresses::new(named.iter().cloned()),
            policy.subscribe(),
            unlock,
            move |to, why| log.lock().unwrap().push((to.to_owned(), why)),
        );
        tokio::spawn(proxy.serve(UnixListener::bind(&socket).unwrap()));
        Self {
            _folder: folder,
            socket,
            vault,
            policy,
            refused,
        }
    }

    /// Sends a request; returns the connection and the answer's head.
    async fn ask(&self, request: &str) -> (UnixStream, String) {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).await.unwrap() == 0 {
                break;
            }
            head.push(byte[0]);
        }
        (stream, String::from_utf8(head).unwrap())
    }

    async fn connect(&self, to: &str) -> (UnixStream, String) {
        self.ask(&format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")).await
    }
}

/// A server that says back what it hears.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _closed = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    at
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways() {
    let at = echo().await;
    let gate = Gate::open(&[at.to_string()]);
    let (mut tunnel, head) = gate.connect(&at.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    tunnel.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    tunnel.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn promise_04_nothing_but_public_addresses_can_be_reached() {
    let at = echo().await;
    let gate = Gate::open(&[]);
    let port = at.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f.1",
        "169.254.169.254",
        "10.0.0.1",
        "172.17.0.1",
        "192.168.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ] {
        let (_, head) = gate.connect(&format!("{host}:{port}")).await;
        assert!(
            head.starts_with("HTTP/1.1 403") || head.starts_with("HTTP/1.1 502"),
            "{host} {head}"
        );
        assert!(!head.starts_with("HTTP/1.1 200"), "{host}");
        let plain = format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let (_, head) = gate.ask(&plain).await;
        assert!(
            head.starts_with("HTTP/1.1 403") || head.starts_with("HTTP/1.1 502"),
            "{host} {head}"
        );
    }
}

#[tokio::test]
async fn a_locked_vault_closes_what_is_open_and_opens_nothing() {
    let at = echo().await;
    let gate = Gate::open(&[at.to_string()]);
    let (mut tunnel, head) = gate.connect(&at.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    gate.vault.send_replace(VaultState::Locked);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), tunnel.read_to_end(&mut rest)).await;
    closed.expect("the tunnel stays open").unwrap();
    let (mut refused, head) = gate.connect(&at.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut words = vec![0; length.parse().unwrap()];
    refused.read_exact(&mut words).await.unwrap();
    let words = String::from_utf8(words).unwrap();
    assert!(words.starts_with("vault_locked: "), "{words}");
    assert!(words.ends_with("and stop: https://holdfast.example/"), "{words}");
}

#[tokio::test]
async fn a_plain_request_goes_through_without_what_belongs_to_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await
            .unwrap();
        String::from_utf8(head[..length].to_vec()).unwrap()
    });
    let gate = Gate::open(&[at.to_string()]);
    let request = format!(
        "GET http://{at}/path?q=1 HTTP/1.1\r\nHost: elsewhere\r\nProxy-Authorization: Basic x\r\nConnection: x-mine\r\nX-Mine: 1\r\nAccept: */*\r\n\r\n"
    );
    let (_, head) = gate.ask(&request).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let heard = heard.await.unwrap().to_lowercase();
    assert!(heard.starts_with("get /path?q=1 http/1.1\r\n"), "{heard}");
    assert!(
        heard.contains(&format!("host: {at}")) && heard.contains("accept: */*"),
        "{heard}"
    );
    assert!(
        !heard.contains("proxy-") && !heard.contains("x-mine") && !heard.contains("elsewhere"),
        "{heard}"
    );
}

#[tokio::test]
async fn promise_11_what_is_no_request_of_a_proxy_is_refused() {
    let gate = Gate::open(&[]);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT example HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let (_, head) = gate.ask(request).await;
        assert!(head.starts_with("HTTP/1.1 400"), "{request} {head}");
    }
}

#[tokio::test]
async fn promise_12_an_agent_that_opens_every_connection_keeps_only_itself_waiting() {
    let gate = Gate::open(&[]);
    let mut open = Vec::new();
    for _ in 0..crate::limits::EGRESS_TUNNELS {
        open.push(UnixStream::connect(&gate.socket).await.unwrap());
    }
    let waiting = gate.connect("127.0.0.1:1");
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(open);
    let (_, head) = waiting.await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}

#[tokio::test]
async fn promise_04_what_the_owner_did_not_allow_is_refused_told_and_disconnected() {
    let at = echo().await;
    let gate = Gate::open(&[at.to_string()]);
    let listed = EgressPolicy {
        mode: EgressMode::AllowList,
        hosts: [at.ip().to_string()].into(),
    };
    gate.policy.send_replace(listed);
    let (mut tunnel, head) = gate.connect(&at.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for to in ["elsewhere.example:443", "localhost:80"] {
        let (_, head) = gate.connect(to).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{head}");
        let (_, head) = gate
            .ask(&format!("GET http://{to}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"))
            .await;
        assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    }
    let told = gate.refused.lock().unwrap().clone();
    assert_eq!(
        told[0],
        ("elsewhere.example:443".to_owned(), "not on the list".to_owned())
    );
    assert_eq!(told.len(), 4);
    gate.policy.send_replace(EgressPolicy::default());
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), tunnel.read_to_end(&mut rest)).await;
    closed.expect("the tunnel stays open").unwrap();
    let (_, head) = gate.connect(&at.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    // There is no list then that it could be on.
    let told = gate.refused.lock().unwrap().last().cloned();
    assert_eq!(told, Some((at.to_string(), "nothing is allowed".to_owned())));
}

/// Answers each time with the next of these.
struct Rebinding(Mutex<Vec<Vec<&'static str>>>);

impl super::Lookup for Rebinding {
    fn lookup<'a>(
        &'a self,
        _host: &'a str,
        port: u16,
    ) -> futures::future::BoxFuture<'a, std::io::Result<Vec<std::net::SocketAddr>>> {
        let answer = self.0.lock().unwrap().remove(0);
        Box::pin(async move {
            Ok(answer
                .iter()
                .map(|address| std::net::SocketAddr::new(address.parse().unwrap(), port))
                .collect())
        })
    }
}

#[tokio::test]
async fn promise_04_a_name_is_judged_by_where_it_leads_each_time() {
    let answers = vec![
        vec!["1.1.1.1"],
        vec!["127.0.0.1"],
        vec!["10.0.0.1", "1.1.1.1", "::ffff:10.0.0.1", "fd00::1"],
        vec!["169.254.169.254", "::1"],
    ];
    let named = NamedAddresses::with_lookup(Arc::new(Rebinding(Mutex::new(answers))));
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let outcome = resolve("rebound.example", 443, &named).await;
        outcomes.push(outcome.map(|found| found.iter().map(|at| at.ip().to_string()).collect::<Vec<_>>()));
    }
    assert_eq!(outcomes[0].as_ref().unwrap(), &["1.1.1.1"]);
    assert!(outcomes[1].is_err());
    assert_eq!(outcomes[2].as_ref().unwrap(), &["1.1.1.1"]);
    assert!(outcomes[3].is_err());
}
