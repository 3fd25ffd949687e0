//! What the agent may ask its model provider for: inference, and nothing else that its key would open.

use hyper::Method;
use reqwest::Url;

use crate::vault_service::ModelKind;

/// Where a request of the agent goes, if it may go anywhere: the match is exact, so no path leads out of the list.
pub(super) fn target(kind: ModelKind, base: &Url, method: &Method, path: &str, query: Option<&str>) -> Option<Url> {
    let below_v1 = path.strip_prefix("/v1")?;
    let allowed = match kind {
        ModelKind::OpenAi => [
            (Method::POST, "/chat/completions"),
            (Method::POST, "/responses"),
            (Method::POST, "/completions"),
            (Method::POST, "/embeddings"),
            (Method::GET, "/models"),
        ]
        .iter()
        .any(|(verb, known)| verb == method && *known == below_v1),
        ModelKind::Anthropic => [
            (Method::POST, "/messages"),
            (Method::POST, "/messages/count_tokens"),
            (Method::GET, "/models"),
        ]
        .iter()
        .any(|(verb, known)| verb == method && *known == below_v1),
    };
    if !allowed {
        return None;
    }
    let mut url = endpoint(kind, base, below_v1);
    url.set_query(query);
    Some(url)
}

/// The provider's URL for what its API calls `/v1<name>`. An OpenAI-compatible base URL contains `/v1` or what stands for
/// it; an Anthropic-compatible one does not, but people paste it.
pub(super) fn endpoint(kind: ModelKind, base: &Url, name: &str) -> Url {
    let root = base.path().trim_end_matches('/');
    let path = match kind {
        ModelKind::OpenAi => format!("{root}{name}"),
        ModelKind::Anthropic => format!("{}/v1{name}", root.strip_suffix("/v1").unwrap_or(root)),
    };
    let mut url = base.clone();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(kind: ModelKind, base: &str, method: Method, path: &str) -> Option<String> {
        target(kind, &base.parse().unwrap(), &method, path, Some("a=b")).map(String::from)
    }

    #[test]
    fn inference_goes_below_the_base_url() {
        for (kind, base, path, to) in [
            (
                ModelKind::OpenAi,
                "https://a.example/v1",
                "/v1/chat/completions",
                "https://a.example/v1/chat/completions?a=b",
            ),
            (
                ModelKind::OpenAi,
                "https://a.example/x/v1/",
                "/v1/responses",
                "https://a.example/x/v1/responses?a=b",
            ),
            (
                ModelKind::Anthropic,
                "https://a.example",
                "/v1/messages",
                "https://a.example/v1/messages?a=b",
            ),
            (
                ModelKind::Anthropic,
                "https://a.example/v1/",
                "/v1/messages",
                "https://a.example/v1/messages?a=b",
            ),
            (
                ModelKind::Anthropic,
                "https://a.example/p",
                "/v1/messages/count_tokens",
                "https://a.example/p/v1/messages/count_tokens?a=b",
            ),
        ] {
            assert_eq!(go(kind, base, Method::POST, path).as_deref(), Some(to));
        }
    }

    #[test]
    fn promise_04_nothing_else_that_the_key_opens_can_be_asked_for() {
        for path in [
            "/v1/files",
            "/v1/organization/admin_api_keys",
            "/v1/chat/completions/../../files",
            "/v1/chat/completions/%2e%2e/files",
            "/v1//chat/completions",
            "/v1/chat/completions/",
            "//other.example/v1/chat/completions",
            "/V1/chat/completions",
            "/",
            "",
        ] {
            assert_eq!(
                go(ModelKind::OpenAi, "https://a.example/v1", Method::POST, path),
                None,
                "{path}"
            );
        }
        assert_eq!(
            go(ModelKind::OpenAi, "https://a.example/v1", Method::DELETE, "/v1/models"),
            None
        );
        assert_eq!(
            go(
                ModelKind::Anthropic,
                "https://a.example",
                Method::POST,
                "/v1/chat/completions"
            ),
            None
        );
    }
}
