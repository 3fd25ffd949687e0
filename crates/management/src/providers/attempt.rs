//! Sending somebody to a provider and taking them back: once, within minutes, in the browser that was sent.

use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use protocol::{SessionId, TenantId};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::{Account, Site};
use crate::access::Client;
use crate::app::App;
use crate::clock::after;
use crate::ids::IdentityProviderId;
use crate::limits;
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;
use crate::refusals;
use crate::secret_token::SecretToken;
use crate::sign_in::mark;
use crate::storage::providers::Provider;
use crate::storage::sign_in_attempts::{self, Attempt, Taken};
use crate::storage::{TenantTransaction, providers};

/// Where a browser is to go, and the cookie to give it if it has none yet.
pub(crate) struct Sent {
    pub url: String,
    pub cookie: Option<HeaderValue>,
}

/// What somebody is sent to a provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    SignIn,
    /// To sign in, and to show the site anew who they are.
    SignInAnew,
    /// To link their account there to the person of this session.
    Link(SessionId),
}

/// Sends somebody there.
pub(crate) async fn begin(app: &App, client: &Client, provider: &Provider, purpose: Purpose) -> Result<Sent, ApiError> {
    let session = match purpose {
        Purpose::SignIn | Purpose::SignInAnew => None,
        Purpose::Link(session) => Some(session),
    };
    let site = Site::open(app, provider, false).await?;
    let state = SecretToken::generate(&*app.entropy)?;
    let (browser, cookie) = mark(app, client)?;
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, provider.tenant).await?;
    let expires_at = after(now, limits::SIGN_IN_ATTEMPT_LIFE);
    sign_in_attempts::keep(
        &mut transaction,
        state.hash(),
        provider.id,
        browser,
        session,
        now,
        expires_at,
    )
    .await?;
    transaction.commit().await?;
    let url = site.way_there(&state, purpose == Purpose::SignInAnew);
    Ok(Sent { url, cookie })
}

/// What a provider sends somebody back with (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Deserialize, IntoParams)]
pub(crate) struct Return {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Return {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Self>::from_request_parts(parts, state).await;
        query
            .map(|Query(back)| back)
            .map_err(|_| ApiError::BadRequest("this is no way back from a sign-in".to_owned()))
    }
}

impl InContract for Return {
    fn describe(sketch: &mut Sketch) {
        sketch.parameters.extend(Self::into_params(|| Some(ParameterIn::Query)));
    }
}

/// Who came back, from where, and for what.
pub(crate) struct Arrived {
    pub provider: Provider,
    pub account: Account,
    /// When they last showed the site who they are, where it says so.
    pub shown_at: Option<OffsetDateTime>,
    /// The session that asked to link the account; none: to sign in.
    pub session: Option<SessionId>,
}

/// Why somebody who came back is refused, and what is known of them.
pub(crate) struct Refused {
    pub error: ApiError,
    /// They came to link an account.
    pub linking: bool,
    /// Whose provider they were sent to: none where they bring no attempt of this browser's.
    pub tenant: Option<TenantId>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            linking: false,
            tenant: None,
        }
    }
}

/// Somebody came back to the address of a provider. What they bring is used up before it is looked into.
pub(crate) async fn take(
    app: &App,
    client: &Client,
    provider: IdentityProviderId,
    back: Return,
) -> Result<Arrived, Refused> {
    let state = back.state.as_deref().and_then(SecretToken::parse);
    let state = state.ok_or(ApiError::AttemptInvalid)?;
    let taken = sign_in_attempts::take(&app.database, state.hash(), client.begun, app.clock.now()).await;
    let attempt = match taken.map_err(ApiError::from)? {
        Taken::Attempt(attempt) => attempt,
        Taken::OtherBrowser => return Err(ApiError::OtherBrowser.into()),
        Taken::Nothing => return Err(ApiError::AttemptInvalid.into()),
    };
    let (linking, tenant) = (attempt.session.is_some(), attempt.tenant);
    if !linking {
        refusals::see_somebody_of(tenant, client);
    }
    let arrived = finish(app, attempt, provider, &state, back).await;
    arrived.map_err(|error| Refused {
        error,
        linking,
        tenant: Some(tenant),
    })
}

async fn finish(
    app: &App,
    attempt: Attempt,
    provider: IdentityProviderId,
    state: &SecretToken,
    back: Return,
) -> Result<Arrived, ApiError> {
    // Each provider has an address of its own to send people back to: one that passes its visitors on to another gets no code of
    // the other's.
    if attempt.provider != provider {
        return Err(ApiError::AttemptInvalid);
    }
    let mut transaction = TenantTransaction::begin(&app.database, attempt.tenant).await?;
    let provider = providers::find_on(&mut transaction, provider).await?;
    drop(transaction);
    let provider = provider.ok_or(ApiError::AttemptInvalid)?;
    if back.iss.is_some_and(|issuer| issuer != provider.issuer) {
        return Err(ApiError::AttemptInvalid);
    }
    let code = match (back.error, back.code) {
        (None, Some(code)) if !code.is_empty() => code,
        _ => return Err(ApiError::ProviderRefused),
    };
    let site = Site::open(app, &provider, false).await?;
    let (account, shown_at) = site.account(state, code).await?;
    drop(site);
    Ok(Arrived {
        provider,
        account,
        shown_at,
        session: attempt.session,
    })
}
