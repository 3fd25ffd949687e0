//! The token that a page of ours sends along with every write, and that another site's page cannot know: made from the session's
//! own token, told in a cookie that scripts on our pages can read, and expected in a header. A cookie that somebody else set for
//! this host counts for nothing, since only the session's token makes the right one.

use std::time::Duration;

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;
use hmac::{Hmac, Mac as _};
use protocol::b64;
use sha2::Sha256;

use crate::config::PublicUrl;
use crate::limits;
use crate::operator;
use crate::secret_token::SecretToken;
use crate::session;

pub(crate) static HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Whose session a request is carried by: a person's, or the operator's on the operator's routes. A browser may hold both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Realm {
    Person,
    Operator,
}

impl Realm {
    /// Whose session counts for this address.
    pub(crate) fn of(uri: &Uri) -> Self {
        match operator::is_operators(uri) {
            true => Self::Operator,
            false => Self::Person,
        }
    }

    fn presented(self, headers: &HeaderMap, public_url: &PublicUrl) -> Option<SecretToken> {
        match self {
            Self::Person => session::presented(headers, public_url),
            Self::Operator => operator::presented(headers, public_url),
        }
    }

    fn life(self) -> Duration {
        match self {
            Self::Person => limits::SESSION_LIFE,
            Self::Operator => limits::OPERATOR_LIFE,
        }
    }
}

fn mac(session: &SecretToken) -> Hmac<Sha256> {
    let mut mac = session.keyed();
    mac.update(b"holdfast/csrf-token/v1");
    mac
}

/// The token of a session, as it is sent.
fn text(session: &SecretToken) -> String {
    b64::encode(mac(session).finalize().into_bytes())
}

fn cookie_name(realm: Realm, public_url: &PublicUrl) -> &'static str {
    match (realm, public_url.is_tls()) {
        (Realm::Person, true) => "__Host-holdfast_csrf",
        (Realm::Person, false) => "holdfast_csrf",
        (Realm::Operator, true) => "__Host-holdfast_operator_csrf",
        (Realm::Operator, false) => "holdfast_operator_csrf",
    }
}

/// Whether a write may be carried out: it presents no session, so nobody's rights are used, or it knows the session's token.
pub(crate) fn shown(realm: Realm, headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    let Some(session) = realm.presented(headers, public_url) else {
        return true;
    };
    let sent = headers
        .get(&HEADER)
        .and_then(|value| b64::decode(value.to_str().ok()?).ok());
    // Compared in constant time.
    sent.is_some_and(|sent| mac(&session).verify_slice(&sent).is_ok())
}

/// The cookie that tells it to our pages, for as long as the session's.
pub(crate) fn cookie(realm: Realm, public_url: &PublicUrl, session: &SecretToken, life: Duration) -> String {
    let secure = if public_url.is_tls() { "; Secure" } else { "" };
    let name = cookie_name(realm, public_url);
    format!(
        "{name}={}; Path=/; Max-Age={}; SameSite=Strict{secure}",
        text(session),
        life.as_secs()
    )
}

/// What takes the cookie away.
pub(crate) fn clear(realm: Realm, public_url: &PublicUrl) -> HeaderValue {
    HeaderValue::from_static(match (realm, public_url.is_tls()) {
        (Realm::Person, true) => "__Host-holdfast_csrf=; Path=/; Max-Age=0; SameSite=Strict; Secure",
        (Realm::Person, false) => "holdfast_csrf=; Path=/; Max-Age=0; SameSite=Strict",
        (Realm::Operator, true) => "__Host-holdfast_operator_csrf=; Path=/; Max-Age=0; SameSite=Strict; Secure",
        (Realm::Operator, false) => "holdfast_operator_csrf=; Path=/; Max-Age=0; SameSite=Strict",
    })
}

/// What a read tells a client that presents a session and does not have the token, or has a wrong one.
pub(crate) fn missing(realm: Realm, headers: &HeaderMap, public_url: &PublicUrl) -> Option<HeaderValue> {
    let session = realm.presented(headers, public_url)?;
    let held = session::named(headers, cookie_name(realm, public_url));
    let right = held.is_some_and(|held| mac(&session).verify_slice(held.bytes()).is_ok());
    if right {
        return None;
    }
    let mut value = HeaderValue::try_from(cookie(realm, public_url, &session, realm.life())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Adds the cookie to an answer that does not set it itself.
pub(crate) fn tell(response: &mut Response, cookie: HeaderValue) {
    response.headers_mut().append(SET_COOKIE, cookie);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_the_token_of_the_very_session_counts() {
        let url: PublicUrl = "http://localhost:8080".parse().unwrap();
        let (one, two) = (
            SecretToken::generate(&OsEntropy).unwrap(),
            SecretToken::generate(&OsEntropy).unwrap(),
        );
        let cookie = format!("holdfast_session={}", one.text().as_str());
        assert!(
            shown(Realm::Person, &headers(&[]), &url),
            "without a session there is nothing to misuse"
        );
        assert!(shown(
            Realm::Person,
            &headers(&[("cookie", &cookie), ("x-csrf-token", &text(&one))]),
            &url
        ));
        for wrong in ["", "A", &text(&two), &"A".repeat(43), &one.text(), &text(&one)[..42]] {
            assert!(
                !shown(
                    Realm::Person,
                    &headers(&[("cookie", &cookie), ("x-csrf-token", wrong)]),
                    &url
                ),
                "{wrong}"
            );
        }
        assert!(!shown(Realm::Person, &headers(&[("cookie", &cookie)]), &url));
        // A token beside a session is not enough: what counts is the header.
        let both = format!("{cookie}; holdfast_csrf={}", text(&one));
        assert!(!shown(Realm::Person, &headers(&[("cookie", &both)]), &url));
        assert!(missing(Realm::Person, &headers(&[("cookie", &both)]), &url).is_none());
        // Nor is a person's session an operator's.
        assert!(shown(Realm::Operator, &headers(&[("cookie", &both)]), &url));
        let operators = format!("holdfast_operator={}", one.text().as_str());
        assert!(!shown(Realm::Operator, &headers(&[("cookie", &operators)]), &url));
        let tossed = format!("{cookie}; holdfast_csrf={}", text(&two));
        let told = missing(Realm::Person, &headers(&[("cookie", &tossed)]), &url).unwrap();
        assert!(
            told.to_str()
                .unwrap()
                .starts_with(&format!("holdfast_csrf={};", text(&one)))
        );
    }

    /// A client may keep it, and make it by itself: `docs/protocol.md` says how.
    #[test]
    fn the_token_stays_what_it_was() {
        let session = SecretToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(text(&session), "gqGHjsJL8a8Zn3_wgMwKuSdJSlYyi_wrOpKL2QTn93Q");
    }
}
