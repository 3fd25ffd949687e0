//! `GET /relay/news`: the news as server-sent events, for who presents the token that the relay has.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::StreamExt as _;
use protocol::b64;
use protocol::limits::RELAY_NEWS_PING;
use protocol::relay::news;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Listening;
use crate::{Shared, limits};

const BYTES: usize = 32;

/// What who hears the news presents. It has no `Debug` and no `Display`, and is wiped when dropped.
#[derive(Clone)]
pub struct NewsToken(Arc<Zeroizing<[u8; BYTES]>>);

/// Not 32 bytes of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is 32 bytes in base64url without padding")]
pub struct NotAToken;

impl NewsToken {
    /// Reads it as it lies in its file, white space around it or not.
    ///
    /// # Errors
    /// [`NotAToken`].
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let bytes = Zeroizing::new(b64::decode(text.trim()).map_err(|_| NotAToken)?);
        let bytes = bytes.as_slice().try_into().map_err(|_| NotAToken)?;
        Ok(Self(Arc::new(Zeroizing::new(bytes))))
    }

    /// Whether this request presents it. Compared in constant time.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let presented = presented.and_then(|value| value.strip_prefix("Bearer "));
        presented
            .and_then(|text| Self::parse(text).ok())
            .is_some_and(|presented| presented.0.as_slice().ct_eq(self.0.as_slice()).into())
    }
}

#[derive(Clone)]
struct Route {
    shared: Arc<Shared>,
    token: NewsToken,
}

pub(crate) fn router(shared: Arc<Shared>, token: NewsToken) -> Router {
    Router::new()
        .route(news::PATH, get(tell))
        .with_state(Route { shared, token })
}

async fn tell(State(Route { shared, token }): State<Route>, headers: HeaderMap) -> Response {
    if !token.is_in(&headers) {
        let words = "the news are for who presents this relay's news token";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], words).into_response();
    }
    let Some(listening) = Listening::begin(shared) else {
        let words = format!("NEWS_LISTENERS ({}) hear the news already", limits::NEWS_LISTENERS);
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let events = listening.into_stream().map(|news| Event::default().json_data(news));
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(RELAY_NEWS_PING))
        .into_response()
}
