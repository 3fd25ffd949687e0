use protocol::channel::ChannelError;
use serde_json::{Value, json};

use super::provider::{Counter, KEY, Provider};
use crate::vault_service::ModelKind;

async fn test(provider: &Provider, kind: &str, path: &str) -> Result<Value, ChannelError> {
    let counter = Counter::for_provider(ModelKind::OpenAi, provider, "/v1");
    let base_url = format!("http://{}{path}", provider.at);
    counter
        .broker
        .test(json!({"kind": kind, "base_url": base_url, "key": KEY, "model": "model-1"}))
        .await
}

async fn refusal(status: u16, text: &'static str) -> String {
    let error = test(&Provider::saying(status, text).await, "openai", "/v1")
        .await
        .unwrap_err();
    assert_eq!(error.code, "provider_refused");
    error.message
}

#[tokio::test]
async fn a_test_makes_a_real_call_and_tells_the_answer() {
    let provider = Provider::saying(200, r#"{"choices":[{"message":{"content":" ok "}}]}"#).await;
    let result = test(&provider, "openai", "/v1").await.unwrap();
    assert_eq!((&result["ok"], &result["answer"]), (&json!(true), &json!("ok")));
    assert!(result["latency_ms"].is_u64());
    let asked = provider.asked().pop().unwrap();
    assert_eq!(asked.line, "POST /v1/chat/completions");
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));

    let provider = Provider::saying(200, r#"{"content":[{"type":"text","text":"ok"}]}"#).await;
    let result = test(&provider, "anthropic", "").await.unwrap();
    assert_eq!(result["answer"], "ok");
    assert_eq!(provider.asked().pop().unwrap().line, "POST /v1/messages");
}

#[tokio::test]
async fn without_a_key_the_stored_one_is_tested() {
    let provider = Provider::saying(200, r#"{"choices":[{"message":{"content":"ok"}}]}"#).await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    let base_url = format!("http://{}/v1", provider.at);
    let params = json!({"kind": "openai", "base_url": base_url, "model": "m"});
    counter.broker.test(params).await.unwrap();
    assert_eq!(
        provider.asked().pop().unwrap().headers["authorization"],
        format!("Bearer {KEY}")
    );
}

#[tokio::test]
async fn promise_04_the_stored_key_is_not_sent_to_another_address() {
    let provider = Provider::saying(200, "{}").await;
    let other = Provider::saying(200, "{}").await;
    let named = [provider.at.to_string(), other.at.to_string()];
    let counter = Counter::open(ModelKind::OpenAi, &format!("http://{}/v1", provider.at), &named);
    let params = json!({"kind": "openai", "base_url": format!("http://{}/v1", other.at), "model": "m"});
    assert_eq!(counter.broker.test(params).await.unwrap_err().code, "model_invalid");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn the_providers_words_are_shown_with_what_they_mean() {
    let wrong_key = refusal(401, r#"{"error":{"message":"Incorrect API key provided"}}"#).await;
    assert_eq!(
        wrong_key,
        "The provider refused the key (HTTP 401): Incorrect API key provided"
    );
    let unknown = refusal(404, r#"{"error":{"message":"The model `model-1` does not exist"}}"#).await;
    assert!(
        unknown.starts_with("The provider does not know the model \"model-1\""),
        "{unknown}"
    );
    let wrong_url = refusal(404, "<html>Not Found</html>").await;
    assert_eq!(
        wrong_url,
        "There is no OpenAI-compatible API at this base URL (HTTP 404)."
    );
    let other_server = refusal(200, "<html>hello</html>").await;
    assert!(other_server.contains("is this the right base URL?"), "{other_server}");
    let quota = refusal(429, r#"{"error":{"message":"You exceeded your current quota"}}"#).await;
    assert!(quota.contains("quota is used up (HTTP 429): You exceeded"), "{quota}");
    let echo = refusal(400, r#"{"error":"bad header sk-canary-0123456789"}"#).await;
    assert!(!echo.contains(KEY), "{echo}");
}

#[tokio::test]
async fn an_address_that_only_the_operator_can_allow_says_so() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::open(ModelKind::OpenAi, "https://models.example/v1", &[]);
    let base_url = format!("http://{}/v1", provider.at);
    let params = json!({"kind": "openai", "base_url": base_url, "key": "k", "model": "m"});
    let error = counter.broker.test(params).await.unwrap_err();
    assert_eq!(error.code, "address_refused");
    assert!(error.message.contains("private_model_addresses"), "{}", error.message);
    assert!(error.message.contains(&provider.at.to_string()), "{}", error.message);
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let counter = Counter::open(ModelKind::OpenAi, "https://models.example/v1", &[at.to_string()]);
    let params = json!({"kind": "openai", "base_url": format!("http://{at}/v1"), "key": "k", "model": "m"});
    let error = counter.broker.test(params).await.unwrap_err();
    assert_eq!(error.code, "provider_unreachable");
    assert!(
        error.message.contains("127.0.0.1") && error.message.contains("refused"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn promise_11_settings_that_are_none_are_refused() {
    let counter = Counter::open(ModelKind::OpenAi, "https://models.example/v1", &[]);
    for params in [
        json!({}),
        json!(null),
        json!({"kind": "other", "base_url": "x", "model": "m"}),
    ] {
        assert_eq!(counter.broker.test(params).await.unwrap_err().code, "malformed");
    }
    for base_url in [
        "",
        "models.example",
        "ftp://models.example",
        "https://",
        "file:///etc/passwd",
    ] {
        let params = json!({"kind": "openai", "base_url": base_url, "key": "k", "model": "m"});
        let error = counter.broker.test(params).await.unwrap_err();
        assert_eq!(error.code, "model_invalid", "{base_url}: {}", error.message);
    }
}
