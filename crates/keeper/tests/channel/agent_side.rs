//! The agent's side of a keeper, as a hostile program has it: raw bytes on its sockets. And services that it may try to reach.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use keeper::broker::Broker;
use keeper::egress::{EgressProxy, Lookup};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::AbortHandle;

/// A name server in somebody else's hands: every name leads to this machine.
pub struct Hosts;

impl Lookup for Hosts {
    fn lookup<'a>(&'a self, _host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }
}

pub struct AgentSide {
    broker: PathBuf,
    egress: PathBuf,
    serving: [AbortHandle; 2],
}

impl Drop for AgentSide {
    fn drop(&mut self) {
        for task in &self.serving {
            task.abort();
        }
    }
}

impl AgentSide {
    pub fn before(dir: &Path, broker: Broker, egress: EgressProxy) -> Self {
        let listen = |name: &str| {
            let socket = dir.join(name);
            let _none = std::fs::remove_file(&socket);
            (UnixListener::bind(&socket).unwrap(), socket)
        };
        let ((to_broker, broker_socket), (to_egress, egress_socket)) = (listen("broker.sock"), listen("egress.sock"));
        Self {
            broker: broker_socket,
            egress: egress_socket,
            serving: [
                tokio::spawn(broker.serve(to_broker)).abort_handle(),
                tokio::spawn(egress.serve(to_egress)).abort_handle(),
            ],
        }
    }

    /// Asks the egress proxy for a tunnel; the first line of the answer.
    pub async fn tunnel(&self, to: &str) -> String {
        let stream = UnixStream::connect(&self.egress).await.unwrap();
        let mut stream = BufReader::new(stream);
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line
    }

    /// Sends these bytes to the broker, and reads until it closes.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        Self::end(self.begin().await, request).await
    }

    /// A connection to the broker.
    pub async fn begin(&self) -> UnixStream {
        UnixStream::connect(&self.broker).await.unwrap()
    }

    /// Sends what there is left to send, and reads until it closes.
    pub async fn end(mut stream: UnixStream, rest: impl AsRef<[u8]>) -> String {
        // A refused connection may be closed while there is still something to send.
        let _refused = stream.write_all(rest.as_ref()).await;
        let mut answer = Vec::new();
        let _refused = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request with these lines as its head.
    pub async fn ask(&self, line: &str, headers: &[&str], body: &str) -> String {
        let mut head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:18790\r\nConnection: close\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{head}\r\n{body}")).await
    }

    pub async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), &[], "").await
    }
}

type Answering = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A service on loopback that remembers each request as it came, byte by byte.
pub struct Service {
    pub at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    serving: AbortHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Service {
    /// Answers with what `answer` makes of a request: a head and a body; the connection is closed after it.
    pub async fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer): (_, Answering) = (Arc::clone(&heard), Arc::new(answer));
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    let said = answer(&request);
                    if !request.is_empty() {
                        log.lock().unwrap().push(request);
                    }
                    let _gone = stream.write_all(said.as_bytes()).await;
                });
            }
        });
        Self {
            at,
            heard,
            serving: serving.abort_handle(),
        }
    }

    /// Says back all that it heard, as some do in their errors.
    pub async fn echo() -> Self {
        Self::new(|request| ok(&[], request)).await
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.at)
    }
}

pub fn ok(headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// One request, with its body as it was framed.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map(|length| length.trim().parse::<usize>().unwrap());
            let whole = match length {
                Some(length) => body.len() >= length,
                None if head.contains("transfer-encoding") => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if whole {
                return text;
            }
        }
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return text,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
        }
    }
}
