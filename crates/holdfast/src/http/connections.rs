//! Connections to the HTTP side: how many at once, how long one may take to say what it wants, and to take its answer. What has become a WebSocket is no
//! longer counted here: it has a session, and limits of its own.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tower::Service as _;
use tracing::{debug, warn};

use crate::limits::{ANSWER_PAUSE, CONNECTIONS, REFUSALS_LOGGED_EVERY, REQUEST_HEAD};

/// What a connection above the limit is told: problem details (RFC 9457), and no more.
const FULL: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\nconnection: close\r\n\r\n",
    r#"{"type":"about:blank","title":"Too many connections","status":503,"#,
    r#""detail":"Too many connections are open (CONNECTIONS): try again in a moment."}"#,
);

/// A router that knows who is at the other end.
type Routes = IntoMakeServiceWithConnectInfo<Router, SocketAddr>;

/// Serves until `ended`, then lets the requests that are open end.
pub async fn serve(listener: TcpListener, router: Router, ended: impl Future<Output = ()>) {
    allow_open_files();
    serve_at_most(CONNECTIONS, listener, router, ended).await;
}

async fn serve_at_most(most: usize, mut listener: TcpListener, router: Router, ended: impl Future<Output = ()>) {
    let mut routes: Routes = router.into_make_service_with_connect_info();
    // Not hyper-util's server for every version of HTTP: it waits without a limit for the first bytes.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_HEAD);
    let places = Arc::new(Semaphore::new(most));
    let (ending, ends) = watch::channel(());
    let mut ended = pin!(ended);
    let mut refusals = Refusals::default();
    loop {
        let (stream, peer) = tokio::select! {
            // Errors of single connections are waited out there.
            (stream, peer) = axum::serve::Listener::accept(&mut listener) => (stream, peer),
            () = &mut ended => break,
        };
        let place = Arc::clone(&places).try_acquire_owned();
        if let Some(refused) = refusals.told(place.is_err(), Instant::now()) {
            warn!(refused, last = %peer, limit = most, "connections are refused: too many are open (CONNECTIONS)");
        }
        let Ok(place) = place else {
            tokio::spawn(refuse(stream));
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "a connection keeps its delay");
        }
        let service = match routes.call(peer).await {
            Ok(service) => TowerToHyperService::new(service),
            Err::<_, Infallible>(never) => match never {},
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(ANSWER_PAUSE));
        let stream = TokioIo::new(Box::pin(stream));
        let connection = http.serve_connection(stream, service).with_upgrades();
        let mut ends = ends.clone();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let done = tokio::select! {
                done = connection.as_mut() => done,
                _ = ends.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = done {
                debug!(%peer, %error, "a connection ended");
            }
            drop(place);
        });
    }
    // Nobody connects any more, while those who wait for an answer get it.
    drop((listener, ending));
    let _ = places.acquire_many(u32::try_from(most).unwrap_or(u32::MAX)).await;
}

/// Refusals that are not in the log yet: whoever connects in a loop does not fill it.
#[derive(Default)]
struct Refusals {
    untold: u64,
    last_told: Option<Instant>,
}

impl Refusals {
    /// Takes note of a connection, and says how many refusals are to be logged now, if any.
    fn told(&mut self, refused: bool, now: Instant) -> Option<u64> {
        self.untold += u64::from(refused);
        let is_time = self
            .last_told
            .is_none_or(|last| now.duration_since(last) >= REFUSALS_LOGGED_EVERY);
        if self.untold == 0 || !is_time {
            return None;
        }
        self.last_told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Each connection is an open file, and some systems start a program with 1024: takes as many as the system lets it.
fn allow_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match raised {
        Ok(most) if usize::try_from(most).is_ok_and(|most| most < 2 * CONNECTIONS) => {
            warn!(
                most,
                "this process may open few files: fewer connections than CONNECTIONS are possible"
            );
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "the number of files that may be open could not be raised"),
    }
}

async fn refuse(mut stream: TcpStream) {
    // Whoever does not take it loses nothing.
    let _ = stream.write_all(FULL.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const ASK: &[u8] = b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n";

    /// A server for at most two connections that says who asks; it ends when the sender is dropped.
    async fn server() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let who = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ended) = oneshot::channel();
        let router = Router::new().route("/who", get(who));
        let serving = tokio::spawn(serve_at_most(2, listener, router, async {
            let _ = ended.await;
        }));
        (address, sender, serving)
    }

    /// Asks, and reads until the answer names the asker.
    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(ASK).await.unwrap();
        let me = stream.local_addr().unwrap().to_string();
        let (mut answer, mut part) = (String::new(), [0; 1024]);
        while !answer.ends_with(&me) {
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "{answer}");
            answer.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
        answer
    }

    async fn all(stream: &mut TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_so_and_another_that_ends_makes_room() {
        let (address, _ended, _serving) = server().await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut second).await.starts_with("HTTP/1.1 200"));
        let told = all(&mut TcpStream::connect(address).await.unwrap()).await;
        assert!(told.starts_with("HTTP/1.1 503"), "{told}");
        let problem: serde_json::Value = serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("CONNECTIONS"));

        drop(first);
        let mut third = loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            third.write_all(ASK).await.unwrap();
            let mut start = [0; 12];
            third.read_exact(&mut start).await.unwrap();
            if start.ends_with(b" 200") {
                break third;
            }
        };
        third.shutdown().await.unwrap();
    }

    #[test]
    fn refusals_are_logged_at_once_then_counted_and_none_is_lost() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(refusals.told(false, start), None);
        assert_eq!(refusals.told(true, start), Some(1));
        for _ in 0..5 {
            assert_eq!(refusals.told(true, start + second), None);
        }
        // Also where the next connection finds room.
        assert_eq!(refusals.told(false, start + REFUSALS_LOGGED_EVERY), Some(5));
        assert_eq!(refusals.told(false, start + 3 * REFUSALS_LOGGED_EVERY), None);
        assert_eq!(refusals.told(true, start + 3 * REFUSALS_LOGGED_EVERY), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_what_it_wants_is_let_go() {
        let (address, _ended, _serving) = server().await;
        for beginning in ["", "GET /who HTTP/1.1\r\nhost: lo"] {
            let mut slow = TcpStream::connect(address).await.unwrap();
            slow.write_all(beginning.as_bytes()).await.unwrap();
            let began = tokio::time::Instant::now();
            // Closed, with or without a word.
            let said = all(&mut slow).await;
            assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
            assert!(
                began.elapsed() >= REQUEST_HEAD,
                "not before its time: {:?}",
                began.elapsed()
            );
            assert!(began.elapsed() < REQUEST_HEAD + Duration::from_secs(5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_of_an_answer_is_let_go() {
        let (held, let_go) = oneshot::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(Some(held)));
        let endless = async move || {
            let held = held.lock().unwrap().take();
            axum::body::Body::from_stream(futures::stream::repeat_with(move || {
                let _until_nobody_reads = &held;
                Ok::<_, Infallible>(vec![0; 64 * 1024])
            }))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/who", get(endless));
        let _serving = tokio::spawn(serve_at_most(2, listener, router, std::future::pending()));
        let mut reader = TcpStream::connect(address).await.unwrap();
        reader.write_all(ASK).await.unwrap();
        reader.read_exact(&mut [0; 1024]).await.unwrap();
        let began = Instant::now();
        let ended = tokio::time::timeout(10 * ANSWER_PAUSE, let_go).await;
        assert!(ended.is_ok(), "it is served without end");
        assert!(began.elapsed() >= ANSWER_PAUSE, "not before its time");
    }

    #[tokio::test]
    async fn what_is_open_ends_with_the_server_and_nobody_new_is_served() {
        let (address, ended, serving) = server().await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        ask(&mut idle).await;
        drop(ended);
        assert_eq!(all(&mut idle).await, "", "an idle connection is closed");
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
