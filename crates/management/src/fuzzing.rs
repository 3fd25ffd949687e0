//! What the fuzz targets reach of management: readers of what comes from outside, each without what is asked of the database around it.

use std::net::IpAddr;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::api_key::{self, ApiKey, TenantKey};
use crate::proxies::{self, Network};

pub use crate::factors::fuzzing as passkey;
pub use crate::providers::fuzzing as provider;

/// Reads a key of either form, alone and as a request presents it; says whether it is one.
///
/// # Panics
/// When it is one of both forms, or has another writing, or one is presented that it is not.
pub fn key(text: &str) -> bool {
    let (account, tenant) = (ApiKey::parse(text), TenantKey::parse(text));
    assert!(account.is_none() || tenant.is_none(), "it is of one form");
    let hash = account.as_ref().map(ApiKey::hash);
    let written = account.map(|key| key.text()).or(tenant.map(|key| key.text()));
    assert!(
        written.as_ref().is_none_or(|written| **written == *text),
        "it has one writing"
    );
    for value in [text.to_owned(), format!("Bearer {text}")] {
        let Ok(value) = HeaderValue::try_from(value) else {
            continue;
        };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        if let Some(Some(presented)) = api_key::presented(&headers) {
            let alone = ApiKey::parse(&presented.text()).map(|key| key.hash());
            assert!(alone == Some(presented.hash()), "what is presented is a key");
            assert!(hash.is_none_or(|hash| hash == presented.hash()), "it is the same one");
        }
    }
    written.is_some()
}

/// Who asks, where this peer sent these lines of `X-Forwarded-For`.
pub fn client(peer: IpAddr, forwarded: &[&[u8]], trusted: &[Network]) -> IpAddr {
    let lines = forwarded.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = lines
        .map(|line| (HeaderName::from_static("x-forwarded-for"), line))
        .collect();
    proxies::client(peer, &headers, trusted)
}
