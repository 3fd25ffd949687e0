//! The load generator: requests over kept connections, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cpu;
use crate::report::Samples;

/// Connections, each with one request under way.
const CONNECTIONS: usize = 16;
/// Sent before anything is counted, on each connection.
const WARM: usize = 10;

/// One kind of request, again and again.
pub struct Work {
    pub method: Method,
    pub path: &'static str,
    /// Name and value.
    pub headers: Vec<(&'static str, String)>,
    /// The body of the request of this number.
    pub body: fn(usize) -> String,
    pub answered: StatusCode,
    /// All of them together.
    pub requests: usize,
}

impl Work {
    fn request(&self, number: usize) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = (self.body)(number);
        request.body(Full::from(body)).expect("a request of the bench")
    }
}

/// What came of it.
pub struct Outcome {
    /// Answers a second, by the clock: the load generator works on the same machine.
    pub a_second: f64,
    /// CPU of the server and PostgreSQL for one request.
    pub cpu: Duration,
    pub took: Samples,
}

/// Sends it to a server, whose processes these are.
pub async fn put_on(address: SocketAddr, server: &cpu::Processes, work: Work) -> Outcome {
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = connect(address).await;
        for _ in 0..WARM {
            send(&mut connection, &work, next.fetch_add(1, Ordering::Relaxed)).await;
        }
        connections.push(connection);
    }
    let last = next.load(Ordering::Relaxed) + work.requests;
    let (before, started) = (server.used(), Instant::now());
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (work, next) = (Arc::clone(&work), Arc::clone(&next));
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= last {
                        return took;
                    }
                    let sent = Instant::now();
                    send(&mut connection, &work, number).await;
                    took.push(sent.elapsed());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("every request is answered as it should be"));
    }
    let (seconds, used) = (started.elapsed().as_secs_f64(), server.used() - before);
    let count = u32::try_from(took.len()).expect("a few thousand requests");
    Outcome {
        a_second: f64::from(count) / seconds,
        cpu: used / count,
        took: Samples::new(took),
    }
}

/// A connection that is kept.
pub async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the server takes connections");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

async fn send(connection: &mut SendRequest<Full<Bytes>>, work: &Work, number: usize) {
    connection.ready().await.expect("the connection is kept");
    let answer = connection.send_request(work.request(number)).await.expect("an answer");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    assert_eq!(
        status,
        work.answered,
        "{} {}: {}",
        work.method,
        work.path,
        String::from_utf8_lossy(&body)
    );
}
