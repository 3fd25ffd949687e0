//! A turn as server-sent events: `status`, `delta`, `tool`, `usage`, then `final` or `error`, each with the id to come back with.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::Stream;
use futures::stream;

use super::turns::Follower;
use crate::limits;

/// Streams a turn; when the client goes, so does the follower.
pub(crate) fn answer(follower: Follower) -> Response {
    let events = stream::unfold(follower, async |mut follower| {
        let (number, event) = follower.next().await?;
        let told = Event::default()
            .id(format!("{}:{number}", follower.turn.id))
            .event(event.name())
            .json_data(&*event)
            .unwrap_or_default();
        Some((told, follower))
    });
    of(events)
}

/// Any events, with signs of life while there are none.
pub(crate) fn of(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    use futures::StreamExt as _;
    let events = events.map(Ok::<_, Infallible>);
    let mut answer = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(limits::STREAM_HEARTBEAT))
        .into_response();
    // A proxy that gathers what it passes on would hold the words back.
    let unbuffered = axum::http::HeaderValue::from_static("no");
    answer.headers_mut().insert("x-accel-buffering", unbuffered);
    answer
}
