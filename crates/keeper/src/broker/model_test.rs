//! `model.test`: a real, small call with the settings that a person typed, and the provider's own words when it refuses.

use std::time::Instant;

use hyper::header::HeaderMap;
use protocol::channel::ChannelError;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::provider::{Provider, ProviderError};
use super::redact::Redactor;
use super::{Broker, paths};
use crate::limits;
use crate::vault_service::{ModelKind, ModelParams};

const QUESTION: &str = "Reply with the one word: ok";

impl From<ProviderError> for ChannelError {
    fn from(error: ProviderError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl Broker {
    /// Makes the call; the result is what the channel answers.
    ///
    /// # Errors
    /// `provider_refused`, `provider_unreachable`, `address_refused`, `model_invalid`, `vault_locked`.
    pub async fn test(&self, params: Value) -> Result<Value, ChannelError> {
        let params: ModelParams = serde_json::from_value(params)
            .map_err(|_| ChannelError::new("malformed", "model.test takes kind, base_url, model and, if new, key."))?;
        let settings = params.find_and_complete(self.shared.source.settings()?)?;
        let provider = Provider::new(settings, &self.shared.named)?;
        let started = Instant::now();
        let answer = tokio::time::timeout(limits::MODEL_TEST, ask(&provider))
            .await
            .unwrap_or_else(|_| {
                let seconds = limits::MODEL_TEST.as_secs();
                Err(ChannelError::new(
                    "provider_unreachable",
                    format!("The provider did not answer within {seconds} s."),
                ))
            })?;
        let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(json!({"ok": true, "latency_ms": latency, "answer": answer}))
    }
}

async fn ask(provider: &Provider) -> Result<String, ChannelError> {
    let (name, question) = match provider.kind() {
        // No limit on the answer: old and new models name that limit differently, and refuse the other name.
        ModelKind::OpenAi => (
            "/chat/completions",
            json!({"model": provider.model(), "messages": [{"role": "user", "content": QUESTION}]}),
        ),
        ModelKind::Anthropic => (
            "/messages",
            json!({"model": provider.model(), "max_tokens": 16, "messages": [{"role": "user", "content": QUESTION}]}),
        ),
    };
    let mut headers = HeaderMap::new();
    provider.authorise(&mut headers)?;
    if provider.kind() == ModelKind::Anthropic {
        headers.insert(
            "anthropic-version",
            hyper::header::HeaderValue::from_static("2023-06-01"),
        );
    }
    let mut response = provider
        .client()
        .post(paths::endpoint(provider.kind(), provider.base(), name))
        .headers(headers)
        .header("user-agent", "holdfast")
        .header("content-type", "application/json")
        .body(question.to_string())
        .send()
        .await
        .map_err(|error| provider.failed(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| provider.failed(&error))? {
        body.extend_from_slice(&part);
        if body.len() > 1024 * 1024 {
            break;
        }
    }
    let mut redactor = Redactor::new(&[provider.key()]);
    let mut clean = redactor.pass(body.into()).to_vec();
    clean.extend_from_slice(&redactor.end());
    let parsed: Option<Value> = serde_json::from_slice(&clean).ok();
    if status.is_success() {
        return parsed
            .as_ref()
            .and_then(|value| answer_text(provider.kind(), value))
            .ok_or_else(|| {
                refused(format!(
                    "The server answered, but not as {} does: is this the right base URL?",
                    family(provider.kind())
                ))
            });
    }
    Err(refused(explain(provider, status, parsed.as_ref(), &clean)))
}

fn refused(message: String) -> ChannelError {
    ChannelError::new("provider_refused", message)
}

fn family(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::OpenAi => "an OpenAI-compatible API",
        ModelKind::Anthropic => "an Anthropic-compatible API",
    }
}

fn answer_text(kind: ModelKind, value: &Value) -> Option<String> {
    let text = match kind {
        ModelKind::OpenAi => {
            let message = value.get("choices")?.get(0)?.get("message")?;
            message.get("content").and_then(Value::as_str).unwrap_or_default()
        }
        ModelKind::Anthropic => value
            .get("content")?
            .as_array()?
            .iter()
            .find_map(|block| block.get("text").and_then(Value::as_str))
            .unwrap_or_default(),
    };
    Some(text.trim().chars().take(limits::PROVIDER_WORDS).collect())
}

/// What the refusal means, and the provider's own words.
fn explain(provider: &Provider, status: StatusCode, parsed: Option<&Value>, body: &[u8]) -> String {
    let words = parsed.and_then(error_words);
    let meaning = match status.as_u16() {
        401 | 403 => "The provider refused the key".to_owned(),
        404 if words.is_some() => format!(
            "The provider does not know the model \"{}\" or this path",
            provider.model()
        ),
        404 => format!(
            "There is no {} at this base URL",
            family(provider.kind()).trim_start_matches("an ")
        ),
        402 => "The provider asks for payment".to_owned(),
        429 => "The provider says that there were too many calls, or that the quota is used up".to_owned(),
        400 | 422 => "The provider refused the call".to_owned(),
        300..=399 => {
            "The server redirects, which is not followed with a key: use the address that it redirects to".to_owned()
        }
        500..=599 => "The provider failed".to_owned(),
        _ => "The provider refused the call".to_owned(),
    };
    let words = words.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
    let words: String = words
        .chars()
        .filter(|letter| !letter.is_control())
        .take(limits::PROVIDER_WORDS)
        .collect();
    if words.is_empty() || words.starts_with('<') {
        format!("{meaning} (HTTP {}).", status.as_u16())
    } else {
        format!("{meaning} (HTTP {}): {words}", status.as_u16())
    }
}

/// Reads an answer of any kind, for the fuzz targets.
pub(super) fn fuzz(value: &Value) {
    let _words = error_words(value);
    for kind in [ModelKind::OpenAi, ModelKind::Anthropic] {
        assert!(answer_text(kind, value).is_none_or(|text| text.chars().count() <= limits::PROVIDER_WORDS));
    }
}

/// Where the usual servers put their sentence.
fn error_words(value: &Value) -> Option<String> {
    let error = value.get("error").unwrap_or(value);
    ["message", "detail", "error"]
        .iter()
        .find_map(|name| error.get(name).and_then(Value::as_str))
        .or_else(|| error.as_str())
        .map(str::to_owned)
}
