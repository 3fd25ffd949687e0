//! A store of sealed objects on a unix socket, as the platform serves it, that can be made to die at a chosen step.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::sync::watch;

/// Counts what changes anything durable; from a chosen step on, nothing does any more.
#[derive(Default)]
pub struct Steps {
    done: AtomicUsize,
    die_at: Mutex<Option<Death>>,
}

/// At this step everything ends: before it takes effect, or after it did but before anybody was told.
#[derive(Clone, Copy)]
pub struct Death {
    pub step: usize,
    pub takes_effect: bool,
}

#[derive(PartialEq, Eq)]
pub enum Verdict {
    Done,
    DoneUnheard,
    NotDone,
}

impl Steps {
    pub fn next(&self) -> Verdict {
        let step = self.done.fetch_add(1, Ordering::SeqCst);
        match *self.die_at.lock().unwrap() {
            Some(death) if step == death.step && death.takes_effect => Verdict::DoneUnheard,
            Some(death) if step >= death.step => Verdict::NotDone,
            _ => Verdict::Done,
        }
    }

    /// Counts from zero, and dies there.
    pub fn die_at(&self, death: Death) {
        self.done.store(0, Ordering::SeqCst);
        *self.die_at.lock().unwrap() = Some(death);
    }

    /// Lives on; says whether it had died.
    pub fn revive(&self) -> bool {
        let death = self.die_at.lock().unwrap().take();
        death.is_some_and(|death| self.done.load(Ordering::SeqCst) > death.step)
    }
}

/// The objects, and the steps that change them.
#[derive(Clone, Default)]
pub struct Store {
    pub objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    pub steps: Arc<Steps>,
    pub puts: Arc<AtomicUsize>,
    /// The disk is full.
    pub full: Arc<AtomicBool>,
    /// The disk keeps something else than it is given, and says nothing.
    pub garbles: Arc<AtomicBool>,
    failures: watch::Sender<usize>,
}

impl Store {
    pub fn serve(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let store = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let store = store.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let store = store.clone();
                        async move { Ok::<_, Infallible>(store.answer(request).await) }
                    });
                    let _closed = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
    }

    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path();
        let (status, body) = match (parts.method, path.strip_prefix("/blobs/")) {
            (Method::GET, None) => {
                let prefix = parts.uri.query().unwrap().strip_prefix("prefix=").unwrap();
                (StatusCode::OK, self.list(prefix))
            }
            (Method::GET, Some(name)) => match self.objects.lock().unwrap().get(name) {
                Some(object) => (StatusCode::OK, object.clone()),
                None => (StatusCode::NOT_FOUND, Bytes::new()),
            },
            (Method::PUT, Some(name)) => {
                self.puts.fetch_add(1, Ordering::SeqCst);
                let body = match self.garbles.load(Ordering::SeqCst) {
                    true => body.slice(1..),
                    false => body,
                };
                self.change(|objects| drop(objects.insert(name.to_owned(), body)))
            }
            (Method::DELETE, Some(name)) => self.change(|objects| drop(objects.remove(name))),
            _ => (StatusCode::NOT_FOUND, Bytes::new()),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Bytes>)) -> (StatusCode, Bytes) {
        if self.full.load(Ordering::SeqCst) {
            return (
                StatusCode::INSUFFICIENT_STORAGE,
                "{\"message\":\"the disk is full\"}".into(),
            );
        }
        let verdict = self.steps.next();
        if verdict != Verdict::NotDone {
            change(&mut self.objects.lock().unwrap());
        }
        match verdict {
            Verdict::Done => (StatusCode::NO_CONTENT, Bytes::new()),
            _ => {
                self.failures.send_modify(|count| *count += 1);
                (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new())
            }
        }
    }

    /// Waits until something has failed.
    pub async fn failed(&self) {
        self.failures.subscribe().wait_for(|count| *count > 0).await.unwrap();
    }

    fn list(&self, prefix: &str) -> Bytes {
        let blobs: Vec<_> = self
            .objects
            .lock()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, object)| serde_json::json!({"name": name, "size": object.len()}))
            .collect();
        serde_json::json!({ "blobs": blobs }).to_string().into()
    }

    pub fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub fn manifests(&self) -> Vec<String> {
        self.below("home/m/")
    }

    pub fn chunks(&self) -> Vec<String> {
        self.below("home/c/")
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        let names = self.names().into_iter();
        names.filter(|name| name.starts_with(prefix)).collect()
    }
}
