//! What the fuzz targets reach of the broker: paths that the agent asks for, and what providers answer.

use bytes::Bytes;
use hyper::Method;
use reqwest::Url;

use super::model_test;
use super::paths::target;
use super::redact::Redactor;
use crate::vault_service::ModelKind;

const KINDS: [ModelKind; 2] = [ModelKind::OpenAi, ModelKind::Anthropic];

/// Sends a request of the agent on its way.
///
/// # Panics
/// When it would go to another server, or out of the base URL's path.
pub fn path(base: &str, path: &str, query: Option<&str>) {
    let Ok(base) = base.parse::<Url>() else { return };
    // Others are no providers, and have an origin that is like no other.
    if !matches!(base.scheme(), "http" | "https") {
        return;
    }
    for kind in KINDS {
        for method in [Method::POST, Method::GET] {
            if let Some(url) = target(kind, &base, &method, path, query) {
                assert_eq!(url.origin(), base.origin());
                assert!(!url.path().contains("/../") && !url.path().ends_with("/.."));
            }
        }
    }
}

/// Passes an answer in pieces that end at `cuts`.
///
/// # Panics
/// When the key comes through, or when anything else is lost.
pub fn answer(key: &str, answer: &[u8], cuts: &[usize]) {
    let mut redactor = Redactor::new(&[key]);
    let mut out = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().copied().chain([answer.len()]) {
        let end = cut.clamp(start, answer.len());
        out.extend_from_slice(&redactor.pass(Bytes::copy_from_slice(&answer[start..end])));
        start = end;
    }
    out.extend_from_slice(&redactor.end());
    let key = key.as_bytes();
    let holds = |text: &[u8]| text.windows(key.len()).any(|window| window == key);
    assert!(!holds(&out), "the key came through");
    // In another form it is taken out, too.
    if !redactor.finds(answer) {
        assert_eq!(out, answer, "an answer without the key was changed");
    }
    if let Ok(value) = serde_json::from_slice(&out) {
        model_test::fuzz(&value);
    }
}
