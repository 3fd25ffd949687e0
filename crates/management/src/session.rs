//! Signing somebody in: the one function that issues sessions, for every way in, the one that gives a session another token when its holder
//! shows again who they are, and the cookie that carries it.

use std::time::Duration;

use axum::Json;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use protocol::{SessionId, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::access::Client;
use crate::answer::WithCookies;
use crate::api_key;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::clock::after;
use crate::config::PublicUrl;
use crate::csrf_token::{self, Realm};
use crate::handlers::me::Me;
use crate::limits;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::storage::factors::{self, Standing};
use crate::storage::sessions::{self, NewSession, State};
use crate::storage::{StorageError, TenantTransaction, users};

/// The cookie of a session, where people come by TLS.
pub(crate) const NAME_OVER_TLS: &str = "__Host-holdfast_session";

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Setup,
    Link,
    Invitation,
    Passkey,
    /// An account at another site.
    Provider,
    /// A link to an organisation whose domain the address is of.
    Joined,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Link => "link",
            Self::Invitation => "invitation",
            Self::Passkey => "passkey",
            Self::Provider => "oidc",
            Self::Joined => "joined",
        }
    }

    pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "setup" => Self::Setup,
            "link" => Self::Link,
            "invitation" => Self::Invitation,
            "passkey" => Self::Passkey,
            "oidc" => Self::Provider,
            "joined" => Self::Joined,
            _ => return Err(StorageError::Unreadable("how a session was begun")),
        })
    }
}

/// What they have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// That a mail reaches them.
    Mailbox,
    /// That an account at another site is theirs, and, where that site says so, when they last showed it who they are. What it asked them for
    /// is not known here, so it is one factor, too.
    Account { at: Option<OffsetDateTime> },
    /// A second factor beside it, or a passkey, which is two by itself: something held, and a finger, face or PIN.
    SecondFactor,
}

impl Shown {
    /// Since when it counts as shown. A site may let whoever is at the browser in without asking for anything: where it does not say when
    /// it asked, it counts as shown long ago.
    fn since(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Mailbox | Self::SecondFactor => now,
            Self::Account { at } => at.map_or(OffsetDateTime::UNIX_EPOCH, |at| at.min(now)),
        }
    }
}

/// The one place where policy decides what signing in takes.
fn state(shown: Shown, standing: Standing) -> State {
    match (shown, standing) {
        (Shown::SecondFactor, _) => State::Full,
        (Shown::Mailbox | Shown::Account { .. }, standing) if standing.has_factor() => State::Factor,
        (Shown::Mailbox | Shown::Account { .. }, Standing { required: true, .. }) => State::Enrol,
        (Shown::Mailbox | Shown::Account { .. }, _) => State::Full,
    }
}

/// Signs somebody in who has just shown who they are, commits, and answers with the cookie and with who they are, or with
/// what is still to be shown. The session that this browser had before ends.
pub(crate) async fn issue(
    app: &App,
    mut transaction: TenantTransaction,
    client: &Client,
    user: UserId,
    way: Way,
    shown: Shown,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    if !factors::one_at_a_time(&mut transaction, user).await? {
        return Err(ApiError::LinkInvalid);
    }
    let standing = factors::standing(&mut transaction, user).await?;
    let state = state(shown, standing);
    // Whoever only finds an open browser sets up no factor of theirs for somebody else. Who has just joined is in, all the same.
    let shown_at = shown.since(now);
    if state == State::Enrol && after(shown_at, limits::STEP_UP) <= now {
        transaction.commit().await?;
        return Err(ApiError::MailFirst);
    }
    let (life, proved_at) = match state {
        State::Full => (app.config.sessions.life, shown_at),
        State::Factor | State::Enrol => (limits::HALF_SESSION_LIFE, OffsetDateTime::UNIX_EPOCH),
    };
    if let Some(before) = client.session {
        sessions::end_presented(&mut transaction, before).await?;
    }
    let id = SessionId::new();
    let new = NewSession {
        id,
        user,
        hash: token.hash(),
        state,
        method: way.as_str(),
        second_factor: shown == Shown::SecondFactor,
        proved_at,
        device: &client.device,
        address: &client.address_text(),
        now,
        expires_at: after(now, life),
        times: app.config.sessions,
    };
    sessions::create(&mut transaction, new).await?;
    let name = users::name(&mut transaction, user).await?;
    let action = match state {
        State::Full => Action::SignedIn,
        State::Factor | State::Enrol => Action::FactorAsked,
    };
    let entry = Entry::done(action)
        .on(Target::new("session", id, &client.device))
        .with("way", way.as_str())
        .with("second_factor", shown == Shown::SecondFactor);
    let by = By::user(user, &name, client);
    app.audit.record(&mut transaction, &by, entry).await?;
    transaction.commit().await?;
    if state == State::Full {
        app.limits.tried(client.address, true).await;
    }
    // Read back as any later request will: what does not work now is an error now.
    let session = sessions::authenticate(&app.database, token.hash(), app.session_clock(), "")
        .await?
        .ok_or(StorageError::Unreadable("a session that was just made"))?;
    app.limits.known_session(token.hash());
    let answer = match session.state {
        State::Full => Arrived::In(Box::new(Me::from(&session))),
        State::Factor | State::Enrol => Arrived::Half(Pending::new(session.state, standing)),
    };
    Ok(WithCookies {
        answer: Json(answer),
        cookies: cookies(&app.config.public_url, &token, life)?.into(),
    })
}

/// Gives a session another token in the place of the one that was presented, since a second factor was shown or set up in it; commits, and
/// answers with the cookies. Refused, and nothing is done, if the session has ended meanwhile or was given another token at the same moment.
pub(crate) async fn renew<T>(
    app: &App,
    mut transaction: TenantTransaction,
    client: &Client,
    session: SessionId,
    answer: T,
) -> Result<WithCookies<T>, ApiError> {
    let presented = client.session.ok_or(ApiError::NotSignedIn)?;
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let renewed = sessions::renew(&mut transaction, session, (presented, token.hash()), now).await?;
    let life = left(renewed.ok_or(ApiError::NotSignedIn)?, now);
    let cookies = cookies(&app.config.public_url, &token, life)?.into();
    transaction.commit().await?;
    app.limits.known_session(token.hash());
    Ok(WithCookies { answer, cookies })
}

/// How long the cookie of a session lasts that ends then.
pub(crate) fn left(expires_at: OffsetDateTime, now: OffsetDateTime) -> Duration {
    (expires_at - now).try_into().unwrap_or(Duration::ZERO)
}

/// The answer of every way in.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Arrived {
    In(Box<Me>),
    Half(Pending),
}

/// What is still to be done before somebody is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pending {
    pending: &'static str,
    /// What can be shown, besides a backup code.
    factors: Vec<&'static str>,
}

impl Pending {
    pub(crate) fn new(state: State, standing: Standing) -> Self {
        let factors = [
            ("authenticator", standing.authenticator),
            ("passkey", standing.passkeys > 0),
        ];
        Self {
            pending: state.as_str(),
            factors: factors
                .into_iter()
                .filter_map(|(name, there)| there.then_some(name))
                .collect(),
        }
    }
}

/// The token that a request presents. The name depends on the scheme, so that over TLS no cookie of a lesser kind counts.
pub(crate) fn presented(headers: &HeaderMap, public_url: &PublicUrl) -> Option<SecretToken> {
    named(headers, name(public_url))
}

/// The token of a cookie. None counts where a key is presented: such a request is no browser's, and is not asked for what browsers' are.
pub(crate) fn named(headers: &HeaderMap, name: &str) -> Option<SecretToken> {
    if api_key::bearer(headers).is_some() {
        return None;
    }
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| SecretToken::parse(value))
}

/// What takes the cookies of a session away.
pub(crate) fn clear(public_url: &PublicUrl) -> [HeaderValue; 2] {
    let session = match public_url.is_tls() {
        true => HeaderValue::from_static("__Host-holdfast_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"),
        false => HeaderValue::from_static("holdfast_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    };
    [session, csrf_token::clear(Realm::Person, public_url)]
}

fn name(public_url: &PublicUrl) -> &'static str {
    match public_url.is_tls() {
        true => NAME_OVER_TLS,
        false => "holdfast_session",
    }
}

/// The session's own cookie, and the one that tells our pages what to send with a write.
fn cookies(public_url: &PublicUrl, token: &SecretToken, life: Duration) -> Result<[HeaderValue; 2], ApiError> {
    let csrf = csrf_token::cookie(Realm::Person, public_url, token, life);
    Ok([set_cookie(name(public_url), public_url, token, life)?, sensitive(csrf)?])
}

/// A cookie with a token, for this host alone and out of reach of scripts.
pub(crate) fn set_cookie(
    name: &str,
    public_url: &PublicUrl,
    token: &SecretToken,
    life: Duration,
) -> Result<HeaderValue, ApiError> {
    let secure = if public_url.is_tls() { "; Secure" } else { "" };
    let text = format!(
        "{name}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        token.text().as_str(),
        life.as_secs()
    );
    sensitive(text)
}

pub(crate) fn sensitive(cookie: String) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::try_from(cookie).map_err(|_| StorageError::Unreadable("a cookie"))?;
    value.set_sensitive(true);
    Ok(value)
}
