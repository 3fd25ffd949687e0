//! Other sites that people sign in with: OpenID Connect (Google, Microsoft, any issuer that an organisation sets up), and OAuth 2.0
//! as GitHub has it. Who somebody is is what the site calls them (issuer and subject), never an e-mail address.

pub(crate) mod attempt;
mod discovery;
pub mod fuzzing;
mod github;
mod id_token;
mod issuer;
mod key;
mod signatures;
mod site;

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::outside::{OutsideClient, Unreachable};
use crate::person::Email;
use crate::storage::StorageError;

use discovery::Discovery;
pub(crate) use id_token::TokenProblem;
pub(crate) use issuer::issuer;
pub use key::ProviderKey;
pub(crate) use site::{Site, Tested};

/// What a provider is, as far as it differs from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProviderKind)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Google,
    Microsoft,
    Github,
    /// Anything that speaks OpenID Connect.
    Oidc,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Github => "github",
            Self::Oidc => "oidc",
        }
    }

    pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "google" => Self::Google,
            "microsoft" => Self::Microsoft,
            "github" => Self::Github,
            "oidc" => Self::Oidc,
            _ => return Err(StorageError::Unreadable("kind of a sign-in provider")),
        })
    }
}

/// Who came back from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub issuer: String,
    pub subject: String,
    /// The address, where the provider says that it has checked that it is theirs.
    pub email: Option<Email>,
    pub name: Option<String>,
    /// What its owner recognises it by.
    pub label: String,
}

/// Why a provider told nothing that counts. What is said here reaches the log and those who manage the organisation: no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("{0}")]
    Answer(String),
    #[error("the token is not accepted: {0}")]
    Token(#[from] TokenProblem),
    #[error("the secret of the provider cannot be read: was keys/sign-in.key replaced? Enter it again")]
    Secret,
}

/// What reaches providers, and what was read of them a moment ago.
pub(crate) struct Providers {
    client: OutsideClient,
    read: Mutex<HashMap<String, (OffsetDateTime, Discovery)>>,
}

impl Providers {
    /// `private` are the addresses, as `host:port`, that the operator lets organisations name although they are not public.
    pub(crate) fn new(private: &[String]) -> Self {
        signatures::install();
        Self {
            client: OutsideClient::new(private, "`private_provider_addresses` of `[sign_in]`"),
            read: Mutex::default(),
        }
    }

    pub(crate) fn may_call(&self, url: &str) -> Result<(), Unreachable> {
        self.client.allowed(url).map(|_| ())
    }
}
