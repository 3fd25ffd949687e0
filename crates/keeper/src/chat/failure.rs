//! Why a turn failed, in words that a person can act on.

use protocol::channel::ChannelError;

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
