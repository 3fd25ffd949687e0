//! Many streams of the tenant API at once, over real sockets, with cells in memory that answer by a script: each has all its events, and
//! what the server needs for them is bounded.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::World;
use crate::tenant_conformance::serve;

/// Each of so many tenants reads so many turns: 200 together.
const TENANTS: usize = 8;
const TURNS: usize = 25;
/// What is answered in each turn: so many words, each of 64 bytes with its space, and an event.
const WORDS: usize = 900;
/// What all of them together may add to the memory of the process, which is the server, the clients and the cells in one: a MiB each. Every
/// event of a turn is held while it runs, and a minute longer.
const BYTES: usize = 200 * 1024 * 1024;

/// What of this process is in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: usize = field.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

/// A stream that a program has open. What it writes with is held, or the connection would be closed.
struct Reading {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _open: OwnedWriteHalf,
}

impl Reading {
    async fn open(address: SocketAddr, authorization: &str, session: &str, message: &str) -> Self {
        let (read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        let body = json!({"session_id": session, "message": message, "stream": true}).to_string();
        let head = format!(
            "POST /api/v1/chat HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(body.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(read).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.1 200 OK");
        Self { lines, _open: write }
    }

    /// Reads on to an event of this name; how many of each kind there were until then.
    async fn until(&mut self, event: &str) -> (usize, String) {
        let mut deltas = 0;
        let mut found = false;
        while let Some(line) = self.lines.next_line().await.unwrap() {
            deltas += usize::from(line == "event: delta");
            if found && let Some(data) = line.strip_prefix("data: ") {
                return (deltas, data.to_owned());
            }
            found |= line == format!("event: {event}");
        }
        panic!("no {event}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_12_two_hundred_streams_at_once_have_all_their_events_in_bounded_memory() {
    let (world, agents, operator) = World::with_tenants().await;
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let (id, program) = world.tenant(&format!("t{number}")).await;
        let limits = json!({"limits": {"requests_per_minute": i32::MAX}});
        operator
            .patch(&format!("/api/v1/tenants/{id}"), limits)
            .await
            .expect(200);
        tenants.push(program.headers[0].1.clone());
    }
    let address = serve(world.router.clone()).await;
    let words = format!("{} ", "w".repeat(63)).repeat(WORDS);

    // One first: what is needed once is not of the streams.
    let mut warm = Reading::open(address, &tenants[0], "warm", &words).await;
    warm.until("final").await;
    drop(warm);
    let before = resident();

    // All are open, and wait, before any of them goes on.
    let mut opening = JoinSet::new();
    for authorization in &tenants {
        for number in 0..TURNS {
            let (authorization, message) = (authorization.clone(), "hold");
            opening.spawn(async move {
                let mut reading = Reading::open(address, &authorization, &format!("s{number}"), message).await;
                reading.until("delta").await;
                reading
            });
        }
    }
    let open = opening.join_all().await;
    assert_eq!(open.len(), 200);
    let waiting = resident();

    // Each goes on to its own end, all of them side by side.
    let at_once = Arc::new(Semaphore::new(0));
    let mut reading = JoinSet::new();
    for mut stream in open {
        let at_once = Arc::clone(&at_once);
        reading.spawn(async move {
            at_once.acquire().await.unwrap().forget();
            stream.until("final").await
        });
    }
    at_once.add_permits(200);
    agents.release_with(&words);
    for (deltas, last) in reading.join_all().await {
        assert_eq!(deltas, WORDS);
        assert!(last.contains(&words), "the answer is not whole");
    }
    let grown = resident().saturating_sub(before);
    println!(
        "200 streams that wait: {} KiB more; with {} bytes of answer each: {} KiB",
        waiting.saturating_sub(before) / 1024,
        words.len(),
        grown / 1024
    );
    assert!(grown < BYTES, "{grown} bytes more for 200 streams");
    // And it serves as before.
    let mut after = Reading::open(address, &tenants[0], "after", "Hello").await;
    after.until("final").await;
}
