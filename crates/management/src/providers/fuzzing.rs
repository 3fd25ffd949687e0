//! What the fuzz targets reach of sign-in providers: what they publish, and what they sign.

use std::sync::LazyLock;

use jsonwebtoken::jwk::JwkSet;
use oauth2::AuthUrl;
use time::OffsetDateTime;

use super::discovery::Discovery;
use super::id_token::{self, Expected};
use super::{Kind, Providers, issuer, site};
use crate::limits;

/// Whose tokens are read, for whom, in which sign-in, and when (in seconds since 1970).
pub const ISSUER: &str = "https://login.example.org";
pub const CLIENT: &str = "client";
pub const NONCE: &str = "nonce";
pub const NOW: i64 = 1_700_000_000;

/// No address that is not public may be named.
static PROVIDERS: LazyLock<Providers> = LazyLock::new(|| Providers::new(&[]));

/// Reads what a provider publishes about itself, whose issuer is entered; says whether it is taken.
///
/// # Panics
/// When an address of it that is taken is none of the web, or could be read on the way.
pub fn discovery(entered: &str, document: &[u8]) -> bool {
    let Ok(issuer) = issuer(Kind::Oidc, entered) else {
        return false;
    };
    let Ok(found) = serde_json::from_slice::<Discovery>(document) else {
        return false;
    };
    let taken = PROVIDERS.is_of(&issuer, "the document", &found).is_ok();
    if taken {
        for address in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
            let url = AuthUrl::new(address.clone()).expect("what is taken is an address");
            assert!(
                !matches!(url.url().scheme(), "http" | "tcp"),
                "it could be read on the way"
            );
        }
        found.takes_basic();
    }
    taken
}

/// Who a token says that somebody is, whose signature is checked with these published keys.
///
/// # Panics
/// When what its owner is to recognise the account by is longer than a line, or no text.
pub fn subject(token: &str, keys: &[u8]) -> Option<String> {
    LazyLock::force(&PROVIDERS);
    let keys: JwkSet = serde_json::from_slice(keys).ok()?;
    let expected = Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        nonce: NONCE,
        now: OffsetDateTime::from_unix_timestamp(NOW).ok()?,
    };
    let claims = id_token::verify(token, &keys, &expected).ok()?;
    let account = site::account(ISSUER, claims);
    assert!(account.label.chars().count() <= limits::EMAIL_BYTES && !account.label.contains(char::is_control));
    Some(account.subject)
}
