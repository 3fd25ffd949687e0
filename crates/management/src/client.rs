//! Who asks, as far as the network and the browser tell: for rate limits, the list of sessions and the audit log.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::app::App;
use crate::secret_token::TokenHash;
use crate::{device, proxies, refusals, session, sign_in};

/// From where somebody asks, and with what cookies.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: Option<IpAddr>,
    /// What the browser says that it is.
    pub(crate) device: String,
    /// The session's cookie, which may be anything.
    pub(crate) session: Option<TokenHash>,
    /// What this browser was given when it asked for a link.
    pub(crate) begun: Option<TokenHash>,
}

impl Client {
    /// The address as text; empty when it is not known.
    pub(crate) fn address_text(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    /// Read from the request alone: neither the network nor the database is asked.
    pub(crate) fn of(parts: &Parts, app: &App) -> Self {
        let headers = &parts.headers;
        let url = &app.config.public_url;
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            address: parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|peer| proxies::client(peer.0.ip(), headers, &app.config.trusted_proxies)),
            device: device::describe(agent.unwrap_or_default()),
            session: session::presented(headers, url).map(|token| token.hash()),
            begun: session::named(headers, sign_in::cookie_name(url)).map(|token| token.hash()),
        }
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let client = Self::of(parts, app);
        refusals::see_somebody(&client);
        Ok(client)
    }
}
