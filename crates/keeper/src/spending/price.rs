//! What tokens cost. Money is whole millionths of a US dollar; a price is for a million tokens, so one token at a price of 1 costs a
//! millionth of that: costs are added up as they are and rounded once, upwards.

use serde::{Deserialize, Serialize};

/// Prices of one model, in millionths of a dollar for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    /// Of input that the provider had in its cache; as `input` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Input that was neither read from a cache nor written to one.
    pub input: u64,
    pub cached: u64,
    /// Input that was written to the provider's cache, which costs a quarter more (Anthropic).
    #[serde(default)]
    pub written: u64,
    pub output: u64,
}

impl Price {
    /// What these tokens cost, in millionths of a dollar.
    pub fn of(&self, tokens: &Tokens) -> u64 {
        let each = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let written = each(tokens.written, self.input);
        let sum = each(tokens.input, self.input)
            + each(tokens.cached, self.cached.unwrap_or(self.input))
            + written
            + written.div_ceil(4)
            + each(tokens.output, self.output);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// Dollars for a person: two digits, more where it would be nothing otherwise.
pub(super) fn dollars(micro: u64) -> String {
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000);
    if whole == 0 && rest > 0 && rest < 10_000 {
        format!("${whole}.{}", format!("{rest:06}").trim_end_matches('0'))
    } else {
        format!("${whole}.{:02}", rest / 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cost_what_the_price_says_rounded_up_once() {
        let price = Price {
            input: 3_000_000,
            output: 15_000_000,
            cached: Some(300_000),
        };
        let tokens = Tokens {
            input: 1_000_000,
            cached: 1_000_000,
            written: 1_000_000,
            output: 100_000,
        };
        assert_eq!(price.of(&tokens), 3_000_000 + 300_000 + 3_750_000 + 1_500_000);
        let one = Tokens {
            output: 1,
            ..Tokens::default()
        };
        assert_eq!(price.of(&one), 15);
        let cheap = Price {
            input: 1,
            output: 1,
            cached: None,
        };
        assert_eq!(cheap.of(&one), 1);
        assert_eq!(price.of(&Tokens::default()), 0);
    }

    #[test]
    fn money_is_written_as_people_read_it() {
        for (micro, told) in [
            (0, "$0.00"),
            (15, "$0.000015"),
            (1_000, "$0.001"),
            (10_000, "$0.01"),
            (1_234_567, "$1.23"),
            (100_000_000, "$100.00"),
        ] {
            assert_eq!(dollars(micro), told);
        }
    }
}
