//! Bodies of requests.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::limits;
use crate::problem::ApiError;

/// A JSON object; what is wrong with one is a problem like any other.
pub(crate) struct Body<T>(pub(crate) T);

/// How many bytes a body may have here, where that is not `limits::BODY_BYTES`: for the words that refuse more.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let most = request
            .extensions()
            .get::<BodyLimit>()
            .map_or(limits::BODY_BYTES, |limit| limit.0);
        // A stream has no time of its own in which it must end, but what is asked for has.
        let read = Json::<Object<T>>::from_request(request, state);
        let read = tokio::time::timeout(limits::REQUEST_TIME, read).await;
        let read = read.map_err(|_| ApiError::TimedOut)?;
        let Json(Object(body)) = read.map_err(|rejection| ApiError::of_body(&rejection, most))?;
        Ok(Self(body))
    }
}

/// The bytes of a body that may have so many, in the time that is given any body.
pub(crate) async fn whole(request: Request, most: usize) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(limits::REQUEST_TIME, Bytes::from_request(request, &())).await;
    let read = read.map_err(|_| ApiError::TimedOut)?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge(most),
        _ => ApiError::not_whole(),
    })
}

/// An object and nothing else: serde would take a list of what its members hold, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use serde_json::Value;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
        let endless = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = Request::builder().header("content-type", "application/json");
        let request = request.body(axum::body::Body::from_stream(endless)).unwrap();
        let began = tokio::time::Instant::now();
        let read = Body::<Value>::from_request(request, &()).await;
        assert!(matches!(read, Err(ApiError::TimedOut)));
        assert_eq!(began.elapsed(), limits::REQUEST_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_trickle_are_not_waited_for_without_end_and_what_broke_off_is_not_too_large() {
        let of = |body: axum::body::Body| whole(Request::new(body), 3);
        let endless = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let trickles = of(axum::body::Body::from_stream(endless)).await;
        assert!(matches!(trickles, Err(ApiError::TimedOut)));
        let broken = stream::iter([Ok(b"x".to_vec()), Err(std::io::Error::other("gone"))]);
        let broken = of(axum::body::Body::from_stream(broken)).await;
        assert!(matches!(broken, Err(ApiError::BadRequest(_))));
        let request = Request::new(axum::body::Body::from(vec![0; 3 * 1024 * 1024]));
        assert!(matches!(whole(request, 3).await, Err(ApiError::TooLarge(3))));
    }
}
