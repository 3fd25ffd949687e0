//! One provider, ready to be spoken with: sending somebody there, and asking who came back.

use jsonwebtoken::jwk::JwkSet;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::discovery::Discovery;
use super::id_token::{self, Expected};
use super::{Account, Kind, ProviderError, TokenProblem, github};
use crate::app::App;
use crate::limits;
use crate::outside::Unreachable;
use crate::person::Email;
use crate::secret_token::SecretToken;
use crate::storage::providers::Provider;

/// What OpenID Connect adds to the answer of OAuth.
#[derive(Debug, Default, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type OauthClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// How a test of a provider went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tested {
    /// It is reached, and takes our id and secret.
    Works,
    /// It is reached, and does not take our id and secret.
    ClientRefused,
    /// It is reached; whether it takes our id and secret shows when somebody signs in.
    Reached,
}

/// A provider and how to speak with it.
pub(crate) struct Site<'a> {
    app: &'a App,
    provider: &'a Provider,
    /// GitHub publishes nothing.
    discovery: Option<Discovery>,
    client: OauthClient,
}

impl<'a> Site<'a> {
    /// Reads what the provider publishes, if that was not read a moment ago, or if it is to be read `anew`.
    pub(crate) async fn open(app: &'a App, provider: &'a Provider, anew: bool) -> Result<Self, ProviderError> {
        let now = app.clock.now();
        let discovery = match (provider.kind, anew) {
            (Kind::Github, _) => None,
            (_, false) => Some(app.providers.discover(&provider.issuer, now).await?),
            (_, true) => Some(app.providers.discover_anew(&provider.issuer, now).await?),
        };
        let (authorize, token, auth) = match &discovery {
            Some(found) => (
                found.authorization_endpoint.clone(),
                found.token_endpoint.clone(),
                if found.takes_basic() {
                    AuthType::BasicAuth
                } else {
                    AuthType::RequestBody
                },
            ),
            None => (
                format!("{}/login/oauth/authorize", provider.issuer),
                format!("{}/login/oauth/access_token", provider.issuer),
                AuthType::RequestBody,
            ),
        };
        app.providers.client.allowed(&token)?;
        let sealed = provider.sealed_secret.as_deref().ok_or(ProviderError::Secret)?;
        let secret = app
            .provider_key
            .open(provider.tenant, provider.id, sealed)
            .ok_or(ProviderError::Secret)?;
        let bad = |_| ProviderError::Answer("one of its addresses is none of the web".to_owned());
        let client = Client::new(ClientId::new(provider.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.to_string()))
            .set_auth_type(auth)
            .set_auth_uri(AuthUrl::new(authorize).map_err(bad)?)
            .set_token_uri(TokenUrl::new(token).map_err(bad)?)
            .set_redirect_uri(RedirectUrl::new(app.config.public_url.way_back(provider.id)).map_err(bad)?);
        Ok(Self {
            app,
            provider,
            discovery,
            client,
        })
    }

    /// Where to send somebody. With `anew` the site is asked to have them show who they are, whatever it still knows of them, and to say when
    /// they did (OpenID Connect Core 1.0, section 3.1.2.1): what the browser makes of that address is believed by nobody.
    pub(crate) fn way_there(&self, state: &SecretToken, anew: bool) -> String {
        let scopes: &[&str] = match self.provider.kind {
            Kind::Github => &["user:email"],
            _ => &["openid", "email", "profile"],
        };
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&self.app.provider_key.verifier(state));
        let mut request = self
            .client
            .authorize_url(|| CsrfToken::new(state.text().to_string()))
            .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge);
        if self.provider.kind != Kind::Github {
            request = request.add_extra_param("nonce", self.app.provider_key.nonce(state));
        }
        let prompt = match (self.provider.kind, anew) {
            // Google knows no `login`.
            (Kind::Google, _) | (Kind::Microsoft, false) => Some("select_account"),
            (Kind::Microsoft | Kind::Oidc, true) => Some("login"),
            (Kind::Github, _) | (Kind::Oidc, false) => None,
        };
        if let Some(prompt) = prompt {
            request = request.add_extra_param("prompt", prompt);
        }
        if anew && self.provider.kind != Kind::Github {
            request = request.add_extra_param("max_age", "0");
        }
        request.url().0.to_string()
    }

    /// Who came back with this code, and when they last showed the site who they are, where it says so.
    pub(crate) async fn account(
        &self,
        state: &SecretToken,
        code: String,
    ) -> Result<(Account, Option<OffsetDateTime>), ProviderError> {
        let providers = &self.app.providers;
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(self.app.provider_key.verifier(state))
            .request_async(&providers.client)
            .await
            .map_err(said)?;
        let Some(discovery) = &self.discovery else {
            let account = github::account(providers, &self.provider.issuer, answer.access_token().secret());
            return Ok((account.await?, None));
        };
        let token = answer
            .extra_fields()
            .id_token
            .as_deref()
            .ok_or(TokenProblem::Unreadable)?;
        let keys = providers.keys(discovery).await?;
        let expected = Expected {
            issuer: &self.provider.issuer,
            client_id: &self.provider.client_id,
            nonce: &self.app.provider_key.nonce(state),
            now: self.app.clock.now(),
        };
        let claims = id_token::verify(token, &keys, &expected)?;
        let shown_at = claims.shown_at();
        Ok((account(&self.provider.issuer, claims), shown_at))
    }

    /// Whether the provider is there and knows us: a code that nobody was given is refused for being none by who knows us, and
    /// for us being nobody by who does not.
    pub(crate) async fn test(&self) -> Result<Tested, ProviderError> {
        let providers = &self.app.providers;
        if let Some(discovery) = &self.discovery {
            let keys: JwkSet = providers.keys(discovery).await?;
            if keys.keys.is_empty() {
                return Err(ProviderError::Answer(format!("{} has no keys", discovery.jwks_uri)));
            }
        }
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new("holdfast-test".to_owned()))
            .request_async(&providers.client)
            .await;
        let error = match answer {
            Ok(_) => return Ok(Tested::Reached),
            Err(RequestTokenError::Request(error)) => return Err(error.into()),
            Err(RequestTokenError::ServerResponse(refused)) => refused.error().clone(),
            // GitHub says with a success that it was none.
            Err(RequestTokenError::Parse(_, body)) => match serde_json::from_slice::<BasicErrorResponse>(&body) {
                Ok(refused) => refused.error().clone(),
                Err(_) => return Ok(Tested::Reached),
            },
            Err(RequestTokenError::Other(_)) => return Ok(Tested::Reached),
        };
        Ok(match error {
            BasicErrorResponseType::InvalidGrant => Tested::Works,
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => Tested::ClientRefused,
            BasicErrorResponseType::Extension(word) => match word.as_str() {
                "bad_verification_code" => Tested::Works,
                "incorrect_client_credentials" => Tested::ClientRefused,
                _ => Tested::Reached,
            },
            _ => Tested::Reached,
        })
    }
}

pub(super) fn account(issuer: &str, claims: id_token::Claims) -> Account {
    let email = claims.email.as_deref().and_then(|email| Email::parse(email).ok());
    let label = [&claims.email, &claims.preferred_username, &claims.name]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .unwrap_or(&claims.sub);
    Account {
        label: label
            .chars()
            .filter(|c| !c.is_control())
            .take(limits::EMAIL_BYTES)
            .collect(),
        email: email.filter(|_| claims.email_is_verified()),
        name: claims.name,
        issuer: issuer.to_owned(),
        subject: claims.sub,
    }
}

/// What the provider said instead of a token. Its own description stays out: it is theirs, and may repeat what it was given.
fn said(error: RequestTokenError<Unreachable, BasicErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::ServerResponse(refused) => {
            let word: String = refused.error().as_ref().chars().take(64).collect();
            ProviderError::Answer(format!("it did not take the code: {word}"))
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            ProviderError::Answer("it did not take the code, and what it answered cannot be read".to_owned())
        }
    }
}
