//! Figures, not checks of correctness: `cargo nextest run --release -p keeper --run-ignored only speed`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::workshop::{Workshop, noise};
use crate::home::{HomeVault, Purpose};

fn megabytes_a_second(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

#[tokio::test]
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
    let mut times = Vec::new();
    for turn in 0..20_usize {
        database[turn * 100_000..turn * 100_000 + 4096].fill(7);
        living.write("state/openclaw.sqlite", &database);
        living.write("state/openclaw.sqlite-wal", noise(turn as u64, 400_000));
        living.write("agents/main/sessions/1.jsonl", "line\n".repeat(1000 * (turn + 1)));
        let before = workshop.store.puts.load(Ordering::SeqCst);
        let started = Instant::now();
        let snapshot = living.snapshot().await.unwrap();
        times.push(started.elapsed());
        if turn == 19 {
            let puts = workshop.store.puts.load(Ordering::SeqCst) - before;
            println!("objects stored: {puts}, agent still for {:?}", snapshot.still);
        }
    }
    times.sort();
    println!(
        "one turn's change of a 4 MB home: median {:?}, longest {:?}",
        times[10], times[19]
    );
    assert!(times[10] < Duration::from_millis(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: needs --release and a quiet machine"]
async fn speed_of_sealing_a_large_file_beside_the_cipher_alone() {
    const BYTES: usize = 256 * 1024 * 1024;
    let workshop = Workshop::new();
    let living = workshop.new_home().await;
    let content = noise(5, BYTES);
    let keys: Arc<dyn HomeVault> = workshop.keys.clone();
    let started = Instant::now();
    for chunk in content.chunks(64 * 1024) {
        std::hint::black_box(keys.seal(Purpose::Chunk, "name", 1, chunk).unwrap());
    }
    let cipher = megabytes_a_second(BYTES, started.elapsed());
    let started = Instant::now();
    for chunk in content.chunks(64 * 1024) {
        std::hint::black_box(keys.content_id(chunk).unwrap());
    }
    let hash = megabytes_a_second(BYTES, started.elapsed());
    living.write("large", &content);
    drop(content);
    let started = Instant::now();
    living.snapshot().await.unwrap();
    let sealing = megabytes_a_second(BYTES, started.elapsed());
    let started = Instant::now();
    workshop.restored().await;
    let restoring = megabytes_a_second(BYTES, started.elapsed());
    println!("MB/s: cipher {cipher:.0}, keyed hash {hash:.0}, sealing {sealing:.0}, restoring {restoring:.0}");
    println!("sealing is {:.0} % of the cipher's own speed", sealing / cipher * 100.0);
}
