//! Figures, not checks of correctness, for `cargo xtask bench`, which collects the lines that begin with `figure:`. By hand:
//! `cargo test --release -p keeper --lib -- --ignored --nocapture --test-threads 1 speed_`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use vault::{DataKey, SEAL_HEADER, SEAL_OVERHEAD, SealKey};

use super::workshop::{Living, Workshop, noise};
use crate::home::reading::Cache;
use crate::home::snapshot::Sent;
use crate::home::{CHUNK_PURPOSE, chunk};

const ROUNDS: usize = 5;

fn figure(name: &str, value: &str, target: &str) {
    println!("figure: {name} | {value} | {target}");
}

/// Megabytes in a second, from the median of some rounds.
fn speed(bytes: usize, mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    bytes as f64 / 1e6 / rounds[rounds.len() / 2].as_secs_f64()
}

/// XChaCha20-Poly1305 over these bytes on one core, in pieces of a chunk's size, and nothing else.
fn bare_cipher(content: &[u8]) -> Duration {
    let key = SealKey::new(&DataKey::random(), CHUNK_PURPOSE);
    let mut took = Duration::ZERO;
    let mut record = Vec::with_capacity(64 * 1024 + SEAL_OVERHEAD);
    for piece in content.chunks(64 * 1024) {
        record.resize(SEAL_HEADER, 0);
        record.extend_from_slice(piece);
        let started = Instant::now();
        record = key.seal_in_place("home/c/name", 1, record).unwrap();
        took += started.elapsed();
        record.clear();
    }
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: needs --release and a quiet machine"]
async fn speed_of_the_change_of_one_turn() {
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let mut database = noise(1, 2_500_000);
    living.write("state/openclaw.sqlite", &database);
    for file in 0..200 {
        living.write(&format!("workspace/{file}.md"), noise(file, 6_000));
    }
    living.snapshot().await.unwrap();
    let (mut times, mut objects, mut parts) = (Vec::new(), 0, String::new());
    for turn in 0..20_usize {
        database[turn * 100_000..turn * 100_000 + 4096].fill(7);
        living.write("state/openclaw.sqlite", &database);
        living.write("state/openclaw.sqlite-wal", noise(turn as u64, 400_000));
        living.write("agents/main/sessions/1.jsonl", "line\n".repeat(1000 * (turn + 1)));
        let before = workshop.store.puts.load(Ordering::SeqCst);
        let started = Instant::now();
        let snapshot = living.snapshot().await.unwrap();
        times.push(started.elapsed());
        let ms = |took: Duration| took.as_secs_f64() * 1000.0;
        parts = format!(
            "live {:.1}, still {:.1}, chunks {:.1}, manifest {:.1}, pin {:.1} ms",
            ms(snapshot.took.live),
            ms(snapshot.still),
            ms(snapshot.took.chunks),
            ms(snapshot.took.manifest),
            ms(snapshot.took.pin)
        );
        objects = workshop.store.puts.load(Ordering::SeqCst) - before;
    }
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    figure(
        "one turn's change of a 4 MB home, sealed",
        &format!("{:.1} ms median, {:.1} ms at most ({objects} objects)", ms(10), ms(19)),
        "≤ 100 ms",
    );
    figure("the last of them, by step", &parts, "");
    assert!(times[10] < Duration::from_millis(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: needs --release and a quiet machine"]
async fn speed_of_sealing_a_large_file_beside_the_cipher_alone() {
    const BYTES: usize = 256 * 1024 * 1024;
    let (mut cipher, mut sealing, mut storing, mut restoring) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let workshop = Workshop::new();
        let living = workshop.new_home().await;
        let content = noise(round as u64, BYTES);
        cipher.push(bare_cipher(&content));
        living.write("large", &content);
        drop(content);
        // What was written this moment is waited for before it is read; that is no sealing.
        tokio::time::sleep(Duration::from_millis(100)).await;
        sealing.push(sealed_and_dropped(&living, BYTES as u64).await);
        let started = Instant::now();
        living.snapshot().await.unwrap();
        storing.push(started.elapsed());
        let started = Instant::now();
        workshop.keeper().restore().await.unwrap();
        restoring.push(started.elapsed());
    }
    let speed = |took| speed(BYTES, took);
    let (cipher, sealing, storing, restoring) = (speed(cipher), speed(sealing), speed(storing), speed(restoring));
    let beside = |it: f64| format!("{it:.0} MB/s, {:.0} % of the cipher", it / cipher * 100.0);
    figure("XChaCha20-Poly1305 alone, one core", &format!("{cipher:.0} MB/s"), "");
    figure(
        "a file of 256 MiB that does not compress, read, cut, named and sealed",
        &beside(sealing),
        "≥ 80 %",
    );
    figure(
        "the same, and stored in memory through a socket, on the same cores",
        &beside(storing),
        "",
    );
    figure("the same file, restored and checked", &beside(restoring), "");
}

/// All that the keeper does of a snapshot until a sealed chunk goes to the store.
async fn sealed_and_dropped(living: &Living, bytes: u64) -> Duration {
    let started = Instant::now();
    let (reader, chunks) = living
        .home
        .reader(&Arc::default(), &living.vault, Cache::new(), 0, &Sent::default());
    let sealed = chunk::sealed(&living.vault, chunks)
        .try_fold(0_u64, |sum, (_, sealed)| async move { Ok(sum + sealed.len() as u64) });
    let (read, sealed) = tokio::join!(reader, sealed);
    let took = started.elapsed();
    read.unwrap();
    assert!(sealed.unwrap() > bytes, "less was sealed than there is");
    took
}
