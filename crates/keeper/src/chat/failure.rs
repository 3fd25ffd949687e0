//! Why a turn failed, in words that a person can act on.

use protocol::channel::ChannelError;

use super::size::cut;
use crate::limits::PROVIDER_WORDS;
use crate::spending::SpendingError;

/// What OpenClaw said, without what only makes sense on its own console.
pub(super) fn of_run(message: &str, kind: Option<&str>) -> ChannelError {
    let words = clean(message);
    let (code, advice) = match kind.unwrap_or_default() {
        "auth" | "auth_permanent" => ("model_refused_key", "Check the model's key in the settings."),
        "billing" => (
            "model_billing",
            "The provider asks for payment: check the account that the key belongs to.",
        ),
        "rate_limit" => (
            "model_rate_limited",
            "The provider is asked too often: try again in a moment.",
        ),
        "overloaded" => ("model_overloaded", "The provider is overloaded: try again in a moment."),
        "timeout" => ("model_timeout", "The provider did not answer in time: try again."),
        "model_not_found" => ("model_unknown", "Check the model's name in the settings."),
        "context_overflow" => (
            "conversation_too_long",
            "The conversation is too long for this model: start a new one.",
        ),
        _ => ("agent_failed", ""),
    };
    ChannelError::new(code, format!("{words} {advice}").trim())
}

/// OpenClaw guesses what a refusal means; the provider's own words say it. They come after a status that the broker
/// chose for OpenClaw.
pub(super) fn with_the_providers_words(error: &ChannelError, words: &str) -> ChannelError {
    let words = words.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    if SpendingError::said(words) {
        let message = format!("{words} No call was made. You can change the limit under “Models and spending”.");
        return ChannelError::new("spending_limit", message);
    }
    let code = if error.code == "agent_failed" {
        "model_refused"
    } else {
        error.code.as_str()
    };
    ChannelError::new(
        code,
        format!("The model provider refused: {}", cut(words, PROVIDER_WORDS)),
    )
}

fn clean(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.contains("openclaw logs"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut text = text.trim();
    for prefix in [
        "⚠️",
        "Agent failed before reply:",
        "This turn ended before a reply:",
        "⚠️",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text).trim_start();
    }
    match text.strip_suffix("Re-authenticate the provider and try again.") {
        Some(rest) => rest.trim_end().to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_providers_words() {
        let guess = of_run(
            "LLM request failed: provider rejected the request schema or tool payload.",
            Some("format"),
        );
        let error = with_the_providers_words(&guess, "400 no such key");
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("model_refused", "The model provider refused: no such key")
        );
    }

    #[test]
    fn a_limit_of_the_owner_is_no_refusal_of_the_provider() {
        let guess = of_run("LLM request failed.", Some("format"));
        let limit = SpendingError::Limit {
            period: "day",
            limit: 10_000,
            spent: 0,
            more: 4_250_000,
        };
        for refusal in [limit, SpendingError::NoPrice("m".to_owned())] {
            let error = with_the_providers_words(&guess, &format!("400 {refusal}"));
            assert_eq!(error.code, "spending_limit");
            assert!(
                error.message.starts_with(&format!("{refusal} No call was made.")),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn what_only_helps_at_a_console_is_left_out() {
        let said = "⚠️ Agent failed before reply: ⚠️ main/scripted request failed (authentication failed, HTTP 401). \
                    Re-authenticate the provider and try again.\nTo view logs, run `openclaw logs --follow` in a terminal.";
        let error = of_run(said, Some("auth"));
        assert_eq!(error.code, "model_refused_key");
        assert_eq!(
            error.message,
            "main/scripted request failed (authentication failed, HTTP 401). Check the model's key in the settings."
        );
    }
}
