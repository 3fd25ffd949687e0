//! Figures, not checks of correctness, for `cargo xtask bench`, which collects the lines that begin with `figure:`. By hand:
//! `cargo test --release -p relay --test relay -- --ignored --nocapture --test-threads 1 speed_`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use protocol::limits::{ENVELOPE_CLASSES, ENVELOPE_OVERHEAD};
use protocol::{CapabilityId, EnvelopeId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::Semaphore;
use vault::Identity;

use crate::support::{Peer, Process, Said, Server, key};

/// Messages a second a core that are asked for.
const TARGET: f64 = 20_000.0;
const PAIRS: usize = 64;
const MESSAGES: usize = 2_000;
/// Of one pair, sent and not yet received.
const UNDER_WAY: usize = 96;
const SIZE: usize = ENVELOPE_CLASSES[1] + ENVELOPE_OVERHEAD;

fn figure(name: &str, value: &str, target: &str) {
    println!("figure: {name} | {value} | {target}");
}

/// CPU time of a process.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// CPU time of PostgreSQL with all its processes.
fn postgres_cpu(postmaster: i32) -> Duration {
    let children =
        std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    children.chain([postmaster.cast_unsigned()]).map(cpu).sum()
}

struct Pairs {
    pairs: Vec<(Peer, Peer, protocol::relay::MailboxKey)>,
}

impl Pairs {
    async fn connect(socket: &Path) -> Self {
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            let (ada, bob) = (Identity::random(), Identity::random());
            pairs.push((
                Peer::connect(socket, &ada).await,
                Peer::connect(socket, &bob).await,
                key(&bob),
            ));
        }
        Self { pairs }
    }

    /// Sends at a pace, or as fast as it goes; gives how long each took to arrive.
    async fn run(self, each: usize, pace: Option<Duration>) -> Vec<Duration> {
        let origin = Instant::now();
        let mut tasks = Vec::new();
        let pairs = u32::try_from(self.pairs.len()).unwrap();
        for (place, (sender, receiver, to)) in (0..pairs).zip(self.pairs) {
            let room = Arc::new(Semaphore::new(UNDER_WAY));
            tasks.push(tokio::spawn(receive(receiver, each, room.clone(), origin)));
            tokio::spawn(send(
                sender,
                to,
                each,
                room,
                origin,
                pace.map(|pace| Beat {
                    // Not all in one moment.
                    first: pace * place / pairs,
                    pace,
                }),
            ));
        }
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.unwrap());
        }
        took
    }
}

/// When one sends.
struct Beat {
    first: Duration,
    pace: Duration,
}

async fn send(
    sender: Peer,
    to: protocol::relay::MailboxKey,
    each: usize,
    room: Arc<Semaphore>,
    origin: Instant,
    beat: Option<Beat>,
) {
    use futures::{SinkExt as _, StreamExt as _};
    let (mut sink, mut stream) = sender.socket.split();
    // What it is told is read, and nothing more.
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    let mut beat = beat.map(|Beat { first, pace }| tokio::time::interval_at(tokio::time::Instant::now() + first, pace));
    let mut sealed = vec![0x5a; SIZE];
    for _ in 0..each {
        match &mut beat {
            Some(beat) => {
                beat.tick().await;
            }
            None => room.acquire().await.unwrap().forget(),
        }
        let at = u64::try_from(origin.elapsed().as_nanos()).unwrap();
        sealed[..8].copy_from_slice(&at.to_be_bytes());
        let id = EnvelopeId::new();
        let frame = protocol::relay::frame::MailboxFrame::Send {
            to,
            id,
            sealed: &sealed,
        }
        .encode();
        let message = tokio_tungstenite::tungstenite::Message::binary(frame);
        sink.feed(message).await.unwrap();
        if beat.is_some() || room.available_permits() == 0 {
            sink.flush().await.unwrap();
        }
    }
    sink.flush().await.unwrap();
    reading.await.unwrap();
}

async fn receive(mut receiver: Peer, each: usize, room: Arc<Semaphore>, origin: Instant) -> Vec<Duration> {
    let mut took = Vec::with_capacity(each);
    let mut numbers = Vec::new();
    while took.len() < each {
        let Said::Deliver { number, sealed, .. } = receiver.next().await else {
            panic!()
        };
        let at = Duration::from_nanos(u64::from_be_bytes(sealed[..8].try_into().unwrap()));
        took.push(origin.elapsed().saturating_sub(at));
        numbers.push(number);
        // A keeper's vault writes what it took in groups, too.
        if numbers.len() == 32 || took.len() == each {
            room.add_permits(numbers.len());
            receiver.ack(std::mem::take(&mut numbers)).await;
        }
    }
    took
}

fn percentile(took: &mut [Duration], percent: usize) -> Duration {
    took.sort();
    took[(took.len() - 1) * percent / 100]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure"]
async fn speed_of_relaying() {
    let server = Server::new().await;
    let socket: PathBuf = server.folder.path().join("relay.sock");
    let relay = Process::start(&server).await;
    while Peer::try_connect(&socket, &Identity::random()).await.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (relay_pid, postmaster) = (relay.0.id().unwrap(), server.cluster.pid().borrow().unwrap());
    let pairs = Pairs::connect(&socket).await;
    let before = (cpu(relay_pid), postgres_cpu(postmaster), Instant::now());
    let total = pairs.run(MESSAGES, None).await.len();
    let seconds = before.2.elapsed().as_secs_f64();
    let of_relay = (cpu(relay_pid) - before.0).as_secs_f64();
    let of_postgres = (postgres_cpu(postmaster) - before.1).as_secs_f64();
    let count = f64::from(u32::try_from(total).unwrap());
    let a_core = count / (of_relay + of_postgres);
    figure(
        "relay: 1 KB messages to connected receivers, durable, per core of relay and PostgreSQL",
        &format!("{a_core:.0} /s"),
        "≥ 20,000 /s",
    );
    figure(
        "relay: CPU a message, relay and PostgreSQL",
        &format!(
            "{:.1} µs and {:.1} µs",
            of_relay / count * 1e6,
            of_postgres / count * 1e6
        ),
        "≤ 365 µs (a tenth of OCMT's)",
    );
    let a_second = count / seconds;
    figure(
        "relay: by the clock, with senders and receivers on the same machine",
        &format!("{a_second:.0} /s"),
        "–",
    );

    // "Half load" of what is asked for, on every core of the machine; and of all that it can, when those who send and receive need the
    // same cores.
    let cores = f64::from(u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap());
    let half = TARGET * cores / 2.0;
    delays(&socket, half, "half of 20,000 a second a core", "p99 ≤ 5 ms").await;
    delays(&socket, a_second / 2.0, "half of what it can", "–").await;
    floor(&server, postmaster).await;
    relay.kill_9().await;
}

/// How long messages are on their way at this pace, for four seconds.
async fn delays(socket: &Path, a_second: f64, what: &str, target: &str) {
    let pairs = f64::from(u32::try_from(PAIRS).unwrap());
    let pace = Duration::from_secs_f64(pairs / a_second);
    let each = (a_second * 4.0 / pairs) as usize;
    let mut took = Pairs::connect(socket).await.run(each, Some(pace)).await;
    let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
    figure(
        &format!(
            "relay: from send to receipt at {what} ({a_second:.0} /s), {} messages, p50 and p99",
            took.len()
        ),
        &format!(
            "{:.1} ms and {:.1} ms",
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3
        ),
        target,
    );
}

/// The same rows, written and deleted in groups by hand: what the database alone costs.
async fn floor(server: &Server, postmaster: i32) {
    const GROUP: usize = 256;
    const GROUPS: usize = 400;
    let mut connection: PgConnection = PgConnectOptions::new_without_pgpass()
        .socket(server.folder.path().join("postgres/run"))
        .username("holdfast_relay")
        .database("holdfast_relay")
        .options([("search_path", "relay")])
        .connect()
        .await
        .unwrap();
    let sealed = vec![0x5a_u8; SIZE];
    let bodies: Vec<&[u8]> = vec![&sealed; GROUP];
    let before = (cpu(std::process::id()), postgres_cpu(postmaster), Instant::now());
    let mut number = i64::MAX / 2;
    for _ in 0..GROUPS {
        let numbers: Vec<i64> = (number..).take(GROUP).collect();
        let ids: Vec<uuid::Uuid> = numbers.iter().map(|_| EnvelopeId::new().uuid()).collect();
        sqlx::query(
            "INSERT INTO envelopes (mailbox, number, sender, id, at, sealed)
             SELECT -1, number, -1, id, 0, sealed FROM unnest($1::bigint[], $2::uuid[], $3::bytea[]) AS u (number, id, sealed)",
        )
        .bind(&numbers)
        .bind(&ids)
        .bind(&bodies)
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::query("DELETE FROM envelopes WHERE mailbox = -1 AND number = ANY ($1)")
            .bind(&numbers)
            .execute(&mut connection)
            .await
            .unwrap();
        number += i64::try_from(GROUP).unwrap();
    }
    let count = f64::from(u32::try_from(GROUP * GROUPS).unwrap());
    let cpu = (cpu(std::process::id()) - before.0 + postgres_cpu(postmaster) - before.1).as_secs_f64();
    figure(
        "the floor: the same rows inserted and deleted in groups of 256 by hand, per core, and by the clock",
        &format!(
            "{:.0} /s and {:.0} /s",
            count / cpu,
            count / before.2.elapsed().as_secs_f64()
        ),
        "–",
    );
}

#[test]
#[ignore = "a figure"]
fn speed_of_the_filter() {
    const ITEMS: usize = 1_000_000;
    let filter = relay::Filter::for_items(ITEMS);
    for _ in 0..ITEMS {
        filter.insert(1, CapabilityId::new());
    }
    let others: Vec<CapabilityId> = (0..ITEMS).map(|_| CapabilityId::new()).collect();
    let let_through = AtomicUsize::new(0);
    let started = Instant::now();
    for other in &others {
        let_through.fetch_add(usize::from(filter.may_contain(1, *other)), Ordering::Relaxed);
    }
    let took = started.elapsed();
    let let_through = let_through.into_inner();
    assert!(let_through < ITEMS / 500, "{let_through} of {ITEMS} were let through");
    figure(
        "relay: filter of a million revocations, a look-up, and what it lets through wrongly",
        &format!(
            "{} ns and {:.3} %",
            took.as_nanos() / ITEMS as u128,
            let_through as f64 * 100.0 / ITEMS as f64
        ),
        "≤ 50 ns",
    );
}
