use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// What went wrong between the keeper and OpenClaw's Gateway.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GatewayError {
    #[error("the connection to OpenClaw is gone")]
    Closed,
    #[error("OpenClaw is still starting")]
    Starting { retry_after: Duration },
    #[error("OpenClaw did not answer `{method}` within {} s", after.as_secs())]
    TimedOut { method: String, after: Duration },
    /// OpenClaw's own words: for the owner only.
    #[error("OpenClaw refused `{method}`: {message} ({code})")]
    Refused {
        method: String,
        code: String,
        message: String,
    },
    #[error("OpenClaw speaks another protocol than this keeper: {0}")]
    Protocol(String),
}

impl GatewayError {
    /// OpenClaw is suspended, for a snapshot or a pause.
    pub(super) fn is_suspension(&self) -> bool {
        matches!(self, Self::Refused { code, message, .. } if code == "UNAVAILABLE" && message.contains("gateway suspension"))
    }
}

/// The error of a response frame.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireError {
    pub code: String,
    pub message: String,
    pub retry_after_ms: Option<u64>,
    pub details: Value,
}

impl WireError {
    pub(super) fn of(self, method: &str) -> GatewayError {
        if self.code == "UNAVAILABLE" && self.details.get("reason").and_then(Value::as_str) == Some("startup-sidecars")
        {
            let retry_after = Duration::from_millis(self.retry_after_ms.unwrap_or(250).clamp(20, 2_000));
            return GatewayError::Starting { retry_after };
        }
        GatewayError::Refused {
            method: method.to_owned(),
            code: self.code,
            message: self.message,
        }
    }
}
