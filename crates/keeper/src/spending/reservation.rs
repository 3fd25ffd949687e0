//! One call, from before it is made until its cost is known.

use super::book::Spending;
use super::price::{Price, Tokens, dollars};
use crate::limits;
use crate::vault_service::VaultError;

/// How every refusal for its cost begins: OpenClaw tells the words alone, and they are not the provider's.
const BEGIN: [&str; 2] = ["The spending limit of this ", "There is a spending limit, "];

/// Why a call is not made.
#[derive(Debug, thiserror::Error)]
pub enum SpendingError {
    #[error(
        "{begin}{period} is {}: {} are spent or under way, and this call may cost up to {}.", dollars(*.limit), dollars(*.spent), dollars(*.more), begin = BEGIN[0]
    )]
    Limit {
        period: &'static str,
        limit: u64,
        spent: u64,
        more: u64,
    },
    #[error(
        "{begin}and the price of the model {0:?} is not set: a call to it could cost anything.", begin = BEGIN[1]
    )]
    NoPrice(String),
    #[error("{0}")]
    Vault(#[from] VaultError),
}

impl SpendingError {
    /// Whether these are the words of a refusal for its cost.
    pub(crate) fn said(words: &str) -> bool {
        BEGIN.iter().any(|begin| words.starts_with(begin))
    }

    /// For the activity: short.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Limit { period, .. } if *period == "day" => "over the limit of the day",
            Self::Limit { .. } => "over the limit of the month",
            Self::NoPrice(_) => "the price of its model is not set",
            Self::Vault(error) => error.code(),
        }
    }
}

/// What a call is.
#[derive(Debug, Clone)]
pub struct CallOf {
    pub provider: String,
    pub model: String,
    pub price: Option<Price>,
    /// Bytes of the request.
    pub request: u64,
    /// The most output that was asked for, in tokens.
    pub most_output: Option<u64>,
}

impl CallOf {
    /// About how many tokens of input this is: four bytes each, pictures not counted for more than a context holds.
    fn input(&self) -> u64 {
        (self.request / limits::TOKEN_BYTES).min(limits::CONTEXT_TOKENS)
    }

    /// The most that it is expected to cost; none where the price is not known.
    pub(super) fn at_most(&self) -> Option<u64> {
        let tokens = Tokens {
            input: self.input(),
            output: self
                .most_output
                .unwrap_or(limits::OUTPUT_TOKENS)
                .min(limits::CONTEXT_TOKENS),
            ..Tokens::default()
        };
        self.price.map(|price| price.of(&tokens))
    }
}

/// Money that is set aside for a call. When it is dropped, what the call did cost takes its place: an agent that does not wait
/// for the end pays for what was said, by estimate.
pub struct Reservation {
    pub(super) spending: Spending,
    pub(super) call: CallOf,
    pub(super) reserved: u64,
    /// Of the answer: whether there was one, what the provider told, and its bytes.
    pub(super) answered: bool,
    pub(super) told: Option<Tokens>,
    pub(super) bytes: u64,
}

impl Reservation {
    /// The provider took the call.
    pub fn answered(&mut self) {
        self.answered = true;
    }

    /// What is known of the cost so far.
    pub fn told(&mut self, tokens: Option<Tokens>, bytes: u64) {
        self.told = tokens;
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let estimate = Tokens {
            input: self.call.input(),
            output: self.bytes / limits::TOKEN_BYTES,
            ..Tokens::default()
        };
        let (tokens, estimated) = match self.told {
            Some(told) => (told, false),
            None if self.answered => (estimate, true),
            None => (Tokens::default(), false),
        };
        self.spending.settle(self, tokens, estimated);
    }
}
