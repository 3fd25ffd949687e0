//! What the broker adds to a call, for `cargo xtask bench`.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::provider::{Counter, Provider, post};
use crate::vault_service::ModelKind;

const CALLS: usize = 1000;

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The same call to the same server, without the broker.
async fn straight(provider: &Provider) -> Duration {
    let started = Instant::now();
    let stream = TcpStream::connect(provider.at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(post("/v1/chat/completions")).await.unwrap();
    response.into_body().collect().await.unwrap();
    started.elapsed()
}

#[tokio::test]
#[ignore = "a figure: needs --release and a quiet machine"]
async fn speed_of_a_call_through_the_broker() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    let (mut direct, mut added) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let one = straight(&provider).await;
        let started = Instant::now();
        assert_eq!(counter.call(post("/v1/chat/completions")).await.0, 200);
        added.push(ms(started.elapsed()) - ms(one));
        direct.push(ms(one));
    }
    added.sort_by(f64::total_cmp);
    direct.sort_by(f64::total_cmp);
    let at = |rank: f64| added[(CALLS as f64 * rank) as usize];
    println!(
        "figure: a call to a model server on this machine, straight | {:.2} ms median (n = {CALLS}) | ",
        direct[CALLS / 2]
    );
    println!(
        "figure: the same call through the broker, added | {:.2} ms median of the pairs, {:.2} ms p95 | ≤ 1 ms",
        at(0.5),
        at(0.95)
    );
    assert!(at(0.5) < 1.0);
}
