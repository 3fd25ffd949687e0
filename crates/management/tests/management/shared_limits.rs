//! Limits that two servers share in a real Redis, started by the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use management::{SecretToken, limits};
use serde_json::json;

use crate::support::{Browser, OPERATOR_TOKEN, World};

/// A Redis on a free port of the loopback, gone when this is dropped.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start(port: Option<u16>) -> Self {
        let free = || {
            std::net::TcpListener::bind(("127.0.0.1", 0))
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        };
        let port = port.unwrap_or_else(free);
        let mut process = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir("/")
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed (cargo xtask test does it)");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.contains("Ready to accept connections"));
        assert!(ready, "Redis starts");
        Self { process, port }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// Asks for links at both servers at once: how many were taken.
async fn taken(worlds: &[&World], email: &str, times: u32) -> u32 {
    let asked = (0..times).flat_map(|_| worlds).map(|world| async {
        let answer = world.browser().post("/sign-in", json!({"email": email})).await;
        assert!(matches!(answer.status.as_u16(), 202 | 429), "{:?}", answer.json);
        u32::from(answer.status == 202)
    });
    futures::future::join_all(asked).await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_their_limits_and_each_keeps_its_own_while_redis_is_away() {
    let redis = Redis::start(None);
    let (one, two) = (World::sharing(&redis.url()).await, World::sharing(&redis.url()).await);
    let both = [&one, &two];
    let limit = limits::SIGN_INS_PER_ADDRESS;
    assert_eq!(
        taken(&both, "anna@acme.example", limit).await,
        limit,
        "together as many as one alone"
    );
    let refused = two
        .browser()
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await;
    assert!(
        refused
            .refused(429, "too_many_requests")
            .headers
            .contains_key("retry-after")
    );
    // Somebody else is not held up by that.
    assert_eq!(taken(&both, "bob@acme.example", 1).await, 2);

    // Away: each has its own limit, and nobody has none.
    let port = redis.port;
    drop(redis);
    assert_eq!(taken(&both, "carol@acme.example", 2 * limit).await, 2 * limit);
    let _redis = Redis::start(Some(port));
    // It is left alone for so long: there is nothing to wait for but time.
    tokio::time::sleep(limits::SHARED_LIMITS_PAUSE).await;
    assert_eq!(taken(&both, "dora@acme.example", limit).await, limit, "shared again");
}

/// Fails to come in, once; whether it was let try.
async fn fails(browser: &mut Browser) -> bool {
    let token = SecretToken::generate(&management::OsEntropy).unwrap();
    let answer = browser
        .post("/sign-in/complete", json!({"token": token.text().as_str()}))
        .await;
    match answer.status.as_u16() {
        410 => true,
        _ => {
            assert!(
                answer
                    .refused(429, "too_many_requests")
                    .headers
                    .contains_key("retry-after")
            );
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_at_one_server_waits_at_another_until_they_come_in_and_each_counts_by_itself_while_redis_is_away() {
    let redis = Redis::start(None);
    let (one, two) = (World::sharing(&redis.url()).await, World::sharing(&redis.url()).await);
    let free = limits::CLIENT_FAILURES_FREE;
    // By itself, neither would make anybody wait for so few. On a machine so slow that a wait is over before the next try, the next one
    // is twice as long.
    let (mut at_one, mut at_two) = (one.browser_at("192.0.2.9"), two.browser_at("192.0.2.9"));
    let mut tries = 0;
    while fails(if tries % 2 == 0 { &mut at_one } else { &mut at_two }).await {
        tries += 1;
        assert!(tries < 2 * free, "nobody had to wait");
    }
    assert!(tries > free, "{free} are free: {tries}");
    // Others are not kept out by it.
    assert!(fails(&mut two.browser_at("192.0.2.10")).await);

    // Coming in ends it, at whichever server.
    let came_in = async {
        while at_two
            .post("/operator/sign-in", json!({"token": OPERATOR_TOKEN}))
            .await
            .status
            != 200
        {
            tokio::time::sleep(limits::SHARED_LIMITS_WAIT).await;
        }
    };
    came_in.await;
    for _ in 0..free {
        assert!(fails(&mut at_two).await);
    }

    // Away: each counts by itself, and forgives nothing.
    drop(redis);
    let mut guesser = one.browser_at("192.0.2.11");
    for _ in 0..=free {
        assert!(fails(&mut guesser).await);
    }
    assert!(!fails(&mut guesser).await);
}

/// Between a server and a Redis: lets one failure reach it, and loses the answer with the connection. Where it listens.
fn losing_one_answer(redis: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let lost = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for server in listener.incoming().map_while(Result::ok) {
            let lost = lost.clone();
            std::thread::spawn(move || carry(server, TcpStream::connect(("127.0.0.1", redis)).unwrap(), &lost));
        }
    });
    port
}

/// Each question is answered before the next is asked.
fn carry(mut server: TcpStream, mut redis: TcpStream, lost: &AtomicBool) {
    let mut buffer = [0; 65536];
    while let Ok(asked @ 1..) = server.read(&mut buffer) {
        let is_failure = buffer[..asked].windows(6).any(|part| part == b"failed");
        redis.write_all(&buffer[..asked]).unwrap();
        let answered = redis.read(&mut buffer).unwrap();
        if is_failure && buffer[0] == b':' && !lost.swap(true, Ordering::Relaxed) {
            return;
        }
        server.write_all(&buffer[..answered]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_answer_is_lost_counts_once() {
    let redis = Redis::start(None);
    let world = World::sharing(&format!("redis://127.0.0.1:{}", losing_one_answer(redis.port))).await;
    let mut guesser = world.browser_at("192.0.2.12");
    let mut looks = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let mut counted = || -> u32 {
        let keys: Vec<String> = redis::cmd("KEYS").arg("holdfast:failures:*").query(&mut looks).unwrap();
        assert_eq!(keys.len(), 1);
        redis::cmd("HGET")
            .arg(&keys[0])
            .arg("failures")
            .query(&mut looks)
            .unwrap()
    };
    for times in 1..=3 {
        assert!(fails(&mut guesser).await);
        assert_eq!(counted(), times);
    }
}
