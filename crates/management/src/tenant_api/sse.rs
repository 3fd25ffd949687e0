//! A turn as server-sent events: `status`, `delta`, `tool`, `usage`, then `final` or `error`, each with the id to come back with.

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::turns::Follower;
use crate::limits;
use crate::openapi::{InContract, Sketch};

/// An answer, whole, or what happens on the way to it as events whose data is an `E` each.
pub(crate) enum WholeOrEvents<T, E> {
    Whole(T),
    Events(Response, PhantomData<E>),
}

impl<T, E> WholeOrEvents<T, E> {
    pub(crate) fn events(events: Response) -> Self {
        Self::Events(events, PhantomData)
    }
}

impl<T: Serialize, E> IntoResponse for WholeOrEvents<T, E> {
    fn into_response(self) -> Response {
        match self {
            Self::Whole(answer) => Json(answer).into_response(),
            Self::Events(events, _) => events,
        }
    }
}

impl<T: ToSchema, E: ToSchema> InContract for WholeOrEvents<T, E> {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_json::<T>(200, "Answered.");
        sketch.or_events::<E>(200);
    }
}

/// The last event that came of a stream that broke, if the client comes back.
pub(crate) struct LastEvent(pub(crate) Option<String>);

const LAST_EVENT: &str = "Last-Event-ID";

impl<S: Send + Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let named = parts.headers.get(LAST_EVENT);
        Ok(Self(
            named.map(|value| value.to_str().unwrap_or("unreadable").to_owned()),
        ))
    }
}

impl InContract for LastEvent {
    fn describe(sketch: &mut Sketch) {
        let words = "The id of the last event of a stream that broke: what came after it is sent, and the body is not looked at.";
        sketch.takes_header(LAST_EVENT, words);
    }
}

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
