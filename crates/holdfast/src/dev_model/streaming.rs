//! Walks through the steps of an answer and renders them as one protocol: as server-sent events, or as one body.

use std::time::Duration;

use axum::response::sse::Event;
use axum::response::{IntoResponse, Response, Sse};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Shared;
use super::script::Step;

/// Events between the script and a slow reader.
const EVENTS: usize = 32;

/// How one protocol puts an answer into events and into one body.
pub(super) trait Renderer: Send + 'static {
    fn start(&mut self) -> Vec<Event>;
    fn text(&mut self, text: &str) -> Vec<Event>;
    fn tool(&mut self, name: &str, arguments: &Value) -> Vec<Event>;
    fn finish(&mut self) -> Vec<Event>;
    /// The whole answer so far, for a request that does not stream.
    fn body(&self) -> Value;
}

/// The connection is broken on purpose.
#[derive(Debug, thiserror::Error)]
#[error("told to break the connection")]
struct Cut;

/// Answers as the steps say.
pub(super) async fn respond<R: Renderer>(state: Shared, steps: Vec<Step>, mut renderer: R, stream: bool) -> Response {
    let (events, receiver) = mpsc::channel::<Result<Event, Cut>>(EVENTS);
    if stream {
        tokio::spawn(async move { walk(&state, steps, &mut renderer, &events).await });
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            let event = receiver.recv().await?;
            Some((event, receiver))
        });
        return Sse::new(stream).into_response();
    }
    let drain = async {
        let mut receiver = receiver;
        let mut cut = false;
        while let Some(event) = receiver.recv().await {
            cut |= event.is_err();
        }
        cut
    };
    let walk = async {
        walk(&state, steps, &mut renderer, &events).await;
        drop(events);
    };
    let (cut, ()) = tokio::join!(drain, walk);
    if cut {
        // A body that breaks off is the nearest thing to a broken stream.
        let broken = futures::stream::iter([Ok("{".to_owned()), Err(Cut)]);
        return axum::body::Body::from_stream(broken).into_response();
    }
    axum::Json(renderer.body()).into_response()
}

/// Ends early when nobody reads any more: a provider stops then too.
async fn walk<R: Renderer>(
    state: &Shared,
    steps: Vec<Step>,
    renderer: &mut R,
    events: &mpsc::Sender<Result<Event, Cut>>,
) {
    let mut ready = renderer.start();
    for step in steps {
        for event in ready.drain(..) {
            if events.send(Ok(event)).await.is_err() {
                return;
            }
        }
        match step {
            Step::Text(text) => ready = renderer.text(&text),
            Step::Tool { name, arguments } => ready = renderer.tool(&name, &arguments),
            Step::Wait(time) => pause(time, events).await,
            Step::Hold(name) => {
                tokio::select! {
                    () = state.control.wait_at(&name) => {}
                    () = events.closed() => return,
                }
            }
            Step::Cut => {
                // What was said before must have left before the connection breaks.
                pause(Duration::from_millis(20), events).await;
                let _ = events.send(Err(Cut)).await;
                return;
            }
        }
    }
    ready.extend(renderer.finish());
    for event in ready {
        if events.send(Ok(event)).await.is_err() {
            return;
        }
    }
}

async fn pause(time: Duration, events: &mpsc::Sender<Result<Event, Cut>>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = events.closed() => {}
    }
}
