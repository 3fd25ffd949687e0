//! What a provider says about somebody, signed (OpenID Connect Core 1.0, section 3.1.3.7).

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use super::signatures::ALGORITHMS;
use crate::limits;

/// Why a token tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenProblem {
    #[error("it is missing or cannot be read")]
    Unreadable,
    #[error("it is not signed in a way that is accepted")]
    Algorithm,
    #[error("it is signed with a key that the provider does not publish")]
    Key,
    #[error("its signature is wrong")]
    Signature,
    #[error("another issuer made it")]
    Issuer,
    #[error("it was made for somebody else")]
    Audience,
    #[error("it is too old, or from the future")]
    Time,
    #[error("it belongs to another sign-in")]
    Nonce,
    #[error("it names nobody")]
    Subject,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: OffsetDateTime,
}

/// What it says.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    pub sub: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: String,
    aud: Audience,
    azp: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    email_verified: Option<Verified>,
    auth_time: Option<Value>,
    pub name: Option<String>,
    pub preferred_username: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Some providers write the word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Verified {
    Is(bool),
    Written(String),
}

impl Claims {
    pub(super) fn email_is_verified(&self) -> bool {
        match &self.email_verified {
            Some(Verified::Is(verified)) => *verified,
            Some(Verified::Written(text)) => text == "true",
            None => false,
        }
    }

    /// When they last showed the provider who they are, where it says so. It lets whoever did before in without asking for anything.
    pub(super) fn shown_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.auth_time.as_ref()?.as_i64()?).ok()
    }
}

/// Checks a token against the provider's keys and against what it must say.
pub(super) fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Claims, TokenProblem> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| problem(error.kind()))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(TokenProblem::Algorithm);
    }
    let jwk = match (&header.kid, keys.keys.as_slice()) {
        (Some(kid), _) => keys.find(kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let key = jwk
        .and_then(|jwk| DecodingKey::from_jwk(jwk).ok())
        .ok_or(TokenProblem::Key)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Below, by the one clock.
    validation.validate_exp = false;
    let token = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| problem(error.kind()))?;
    let claims = token.claims;
    let for_others = match &claims.aud {
        Audience::One(only) => only != expected.client_id,
        Audience::Many(several) => several.len() > 1 && claims.azp.is_none(),
    };
    if for_others || claims.azp.as_deref().is_some_and(|party| party != expected.client_id) {
        return Err(TokenProblem::Audience);
    }
    let now = expected.now.unix_timestamp();
    let leeway = seconds(limits::ID_TOKEN_LEEWAY);
    let oldest = now - seconds(limits::SIGN_IN_ATTEMPT_LIFE) - leeway;
    let from_the_future = |at: OffsetDateTime| at.unix_timestamp() > now + leeway;
    if claims.exp <= now - leeway
        || !(oldest..=now + leeway).contains(&claims.iat)
        || claims.shown_at().is_some_and(from_the_future)
    {
        return Err(TokenProblem::Time);
    }
    if !bool::from(claims.nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(TokenProblem::Nonce);
    }
    match (1..=limits::SUBJECT_CHARS).contains(&claims.sub.chars().count()) {
        true => Ok(claims),
        false => Err(TokenProblem::Subject),
    }
}

fn seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 4)
}

fn problem(kind: &ErrorKind) -> TokenProblem {
    match kind {
        ErrorKind::InvalidSignature => TokenProblem::Signature,
        ErrorKind::InvalidIssuer => TokenProblem::Issuer,
        ErrorKind::InvalidAudience => TokenProblem::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenProblem::Algorithm,
        ErrorKind::InvalidRsaKey(_) | ErrorKind::InvalidEcdsaKey | ErrorKind::InvalidKeyFormat => TokenProblem::Key,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenProblem::Issuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenProblem::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "sub" => TokenProblem::Subject,
        _ => TokenProblem::Unreadable,
    }
}
