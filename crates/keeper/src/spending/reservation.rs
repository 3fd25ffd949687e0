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
    /// The most output of one answer that was asked for, in tokens.
    pub most_output: Option<u64>,
    /// How many answers were asked for.
    pub choices: u64,
}

impl CallOf {
    /// The most that it is expected to take: about as much input as it is long, four bytes a token, pictures not counted for more than a
    /// context holds; and as much output as it asks for.
    pub(super) fn most(&self) -> Tokens {
        let each = self.most_output.unwrap_or(limits::OUTPUT_TOKENS);
        Tokens {
            input: (self.request / limits::TOKEN_BYTES).min(limits::CONTEXT_TOKENS),
            output: each.min(limits::CONTEXT_TOKENS).saturating_mul(self.choices),
            ..Tokens::default()
        }
    }

    /// What that costs; none where the price is not known.
    pub(super) fn at_most(&self) -> Option<u64> {
        self.price.map(|price| price.of(&self.most()))
    }
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    /// It reached nobody, or was refused.
    Free,
    Sent,
    /// The provider took it.
    Answered,
    /// Its answer has ended.
    Whole,
}

/// Money that is set aside for a call. When it is dropped, what the call did cost takes its place: what the provider told by the end of
/// its answer. Without that nobody knows what it did, so all that was set aside counts: breaking calls off is no way round a limit.
pub struct Reservation {
    pub(super) spending: Spending,
    pub(super) call: CallOf,
    /// Its number in the book.
    pub(super) id: u64,
    pub(super) stage: Stage,
    pub(super) told: Option<Tokens>,
}

impl Reservation {
    /// The call is about to be sent: from here on it may cost something.
    pub fn sent(&mut self) {
        self.stage = Stage::Sent;
    }

    /// It reached nobody, or the provider refused it, which costs nothing.
    pub fn refused(mut self) {
        self.stage = Stage::Free;
    }

    /// The provider took it.
    pub fn answered(&mut self) {
        self.stage = Stage::Answered;
    }

    /// The answer has come to its end.
    pub fn whole(&mut self) {
        self.stage = Stage::Whole;
    }

    /// What the provider has told of the cost.
    pub fn told(&mut self, tokens: Option<Tokens>) {
        self.told = tokens;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let (tokens, estimated) = match (self.stage, self.told) {
            (Stage::Free, _) => (Tokens::default(), false),
            (Stage::Whole, Some(told)) => (told, false),
            (_, told) => {
                let most = self.call.most();
                // The input is told first, the output is known at the end.
                let told = told.unwrap_or(most);
                let output = told.output.max(most.output);
                (Tokens { output, ..told }, true)
            }
        };
        self.spending.settle(self, tokens, estimated);
    }
}
