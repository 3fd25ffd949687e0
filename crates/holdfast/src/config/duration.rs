//! Durations as people write them: `45s`, `30m`, `4h`, `2d`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(Duration);

impl Span {
    /// A span of whole minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    pub const fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let unit = match text[digits..].trim_start() {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return None,
        };
        number
            .checked_mul(unit)
            .map(|seconds| Self(Duration::from_secs(seconds)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a duration: write a number and s, m, h or d, as in 30m"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let cases = [("45s", 45), ("30m", 1800), ("4h", 14_400), ("2 d", 172_800)];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in [
            "",
            "30",
            "m",
            "-1m",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
            "ü",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
