//! The cookies of the operator's session: other names than a person's, so that a browser may hold both and neither counts as the other.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Uri};

use crate::config::PublicUrl;
use crate::csrf_token::{self, Realm};
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::session::{self, set_cookie};

/// A session that was just given, with the token for its cookie.
pub(crate) struct Given(pub(crate) SecretToken);

/// Whether a request goes to the operator's routes.
pub(crate) fn is_operators(uri: &Uri) -> bool {
    uri.path().starts_with("/api/v1/operator/")
}

/// The cookie's name over TLS.
pub(crate) const NAME_OVER_TLS: &str = "__Host-holdfast_operator";

fn name(public_url: &PublicUrl) -> &'static str {
    match public_url.is_tls() {
        true => NAME_OVER_TLS,
        false => "holdfast_operator",
    }
}

/// The token that a request presents.
pub(crate) fn presented(headers: &HeaderMap, public_url: &PublicUrl) -> Option<SecretToken> {
    session::named(headers, name(public_url))
}

/// The session's own cookie, and the one that tells our pages what to send with a write.
pub(crate) fn cookies(public_url: &PublicUrl, given: &Given, life: Duration) -> Result<[HeaderValue; 2], ApiError> {
    let csrf = csrf_token::cookie(Realm::Operator, public_url, &given.0, life);
    Ok([
        set_cookie(name(public_url), public_url, &given.0, life)?,
        session::sensitive(csrf)?,
    ])
}

/// What takes them away.
pub(crate) fn clear(public_url: &PublicUrl) -> [HeaderValue; 2] {
    let session = match public_url.is_tls() {
        true => {
            HeaderValue::from_static("__Host-holdfast_operator=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure")
        }
        false => HeaderValue::from_static("holdfast_operator=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    };
    [session, csrf_token::clear(Realm::Operator, public_url)]
}
