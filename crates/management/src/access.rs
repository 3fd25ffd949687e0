//! Who asks. A handler that takes [`SignedIn`] is not reached without a session that is whole; one that takes [`Manager`] only
//! by an owner or an admin; one that takes [`Fresh`] only by somebody who has just shown who they are. Storage functions that
//! are not for everybody take the same types, so looking up and authorising are one call.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Path, Query};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use protocol::UserId;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::api_key::{self, ApiKey};
use crate::app::App;
use crate::audit::By;
pub(crate) use crate::body::Body;
use crate::cell_control::CellRef;
use crate::clock::after;
use crate::device;
use crate::limits;
use crate::person::Role;
use crate::problem::ApiError;
use crate::proxies;
use crate::scope::ForKeys;
use crate::secret_token::TokenHash;
use crate::session;
use crate::sign_in;
use crate::storage::sessions::{Session, State};
use crate::storage::{StorageError, TenantTransaction, api_keys, factors, sessions};

/// A person with a session that is not over and whole.
pub(crate) struct SignedIn(Session, Client);

impl SignedIn {
    pub(crate) fn session(&self) -> &Session {
        &self.0
    }

    /// The person, for the audit log.
    pub(crate) fn by(&self) -> By {
        By::person(&self.0, &self.1)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.1
    }

    /// Whether they have just shown who they are.
    pub(crate) fn is_fresh(&self, app: &App) -> bool {
        after(self.0.proved_at, limits::STEP_UP) > app.clock.now()
    }

    /// Their own cell: there is no other way to name one.
    pub(crate) fn cell(&self) -> CellRef {
        CellRef {
            cell: self.0.cell,
            tenant: self.0.tenant,
            user: self.0.user,
        }
    }

    /// Whether they manage the organisation.
    pub(crate) fn manages(&self) -> bool {
        matches!(self.0.role, Role::Owner | Role::Admin)
    }

    /// A transaction in their tenant.
    pub(crate) async fn transaction(&self, app: &App) -> Result<TenantTransaction, StorageError> {
        TenantTransaction::begin(&app.database, self.0.tenant).await
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (session, client) = authenticated(parts, app).await?;
        match session.state {
            State::Full => Ok(Self(session, client)),
            State::Factor | State::Enrol => Err(ApiError::FactorNeeded),
        }
    }
}

async fn authenticated(parts: &mut Parts, app: &App) -> Result<(Session, Client), ApiError> {
    let client = Client::of(parts, app);
    if let Some(key) = api_key::presented(&parts.headers) {
        return with_key(parts, app, key.ok_or(ApiError::NotSignedIn)?, client).await;
    }
    let token = client.session.ok_or(ApiError::NotSignedIn)?;
    let now = app.clock.now();
    let session = sessions::authenticate(&app.database, token, now, &client.address_text()).await?;
    session.map(|session| (session, client)).ok_or(ApiError::NotSignedIn)
}

/// A program with a key acts as whose the key is, with their role of this moment, where the route takes keys and the key has its
/// scope. It has never just shown who it is, so what needs that is out of its reach.
async fn with_key(parts: &Parts, app: &App, key: ApiKey, mut client: Client) -> Result<(Session, Client), ApiError> {
    // A route that did not say is one that no key calls.
    let for_keys = parts.extensions.get::<ForKeys>().and_then(|route| route.0);
    let now = app.clock.now();
    let found = api_keys::authenticate(&app.database, key.hash(), now, &client.address_text()).await?;
    let Some(found) = found else {
        app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
        return Err(ApiError::NotSignedIn);
    };
    let scope = for_keys.ok_or(ApiError::NotForKeys)?;
    if !found.scopes.contains(&scope) {
        return Err(ApiError::ScopeMissing(scope.as_str()));
    }
    client.device = api_key::device(&found.name);
    Ok((found.session, client))
}

/// A person whose sign-in is not finished. All that they can do is finish it.
pub(crate) struct HalfSignedIn(Session, Client);

impl HalfSignedIn {
    pub(crate) fn session(&self) -> &Session {
        &self.0
    }

    pub(crate) fn client(&self) -> &Client {
        &self.1
    }
}

impl FromRequestParts<App> for HalfSignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (session, client) = authenticated(parts, app).await?;
        match session.state {
            State::Full => Err(ApiError::AlreadySignedIn),
            State::Factor | State::Enrol => Ok(Self(session, client)),
        }
    }
}

/// Anybody with a session, whole or not: to leave.
pub(crate) struct AnySession(Session, Client);

impl AnySession {
    pub(crate) fn session(&self) -> &Session {
        &self.0
    }

    pub(crate) fn by(&self) -> By {
        By::person(&self.0, &self.1)
    }
}

impl FromRequestParts<App> for AnySession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (session, client) = authenticated(parts, app).await?;
        Ok(Self(session, client))
    }
}

/// A person who has just shown who they are: for dangerous acts.
pub(crate) struct Fresh(SignedIn);

impl Fresh {
    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequestParts<App> for Fresh {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        match person.is_fresh(app) {
            true => Ok(Self(person)),
            false => Err(ApiError::StepUpNeeded),
        }
    }
}

/// A person who has just signed in, with everything that they have to show. A session that somebody found open does not become one,
/// whatever is shown in it.
pub(crate) struct NewlySignedIn(SignedIn);

impl NewlySignedIn {
    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequestParts<App> for NewlySignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        let mut transaction = person.transaction(app).await?;
        let begun = sessions::begun(&mut transaction, &person).await?;
        let begun = begun.filter(|begun| after(begun.created_at, limits::STEP_UP) > app.clock.now());
        let begun = begun.ok_or(ApiError::SignInAgain)?;
        match begun.second_factor || !factors::standing(&mut transaction, person.0.user).await?.has_factor() {
            true => Ok(Self(person)),
            false => Err(ApiError::SignInAgain),
        }
    }
}

/// Who may set up a second factor: somebody who has just shown who they are, or whose sign-in waits for exactly that.
pub(crate) struct Enroller(Session, Client);

impl Enroller {
    pub(crate) fn session(&self) -> &Session {
        &self.0
    }

    pub(crate) fn client(&self) -> &Client {
        &self.1
    }

    pub(crate) fn by(&self) -> By {
        By::person(&self.0, &self.1)
    }
}

impl FromRequestParts<App> for Enroller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (session, client) = authenticated(parts, app).await?;
        match session.state {
            State::Enrol => Ok(Self(session, client)),
            State::Factor => Err(ApiError::FactorNeeded),
            State::Full if after(session.proved_at, limits::STEP_UP) > app.clock.now() => Ok(Self(session, client)),
            State::Full => Err(ApiError::StepUpNeeded),
        }
    }
}

/// An owner who has just shown who they are.
pub(crate) struct FreshOwner(SignedIn);

impl FreshOwner {
    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequestParts<App> for FreshOwner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        match person.0.role {
            Role::Owner if person.is_fresh(app) => Ok(Self(person)),
            Role::Owner => Err(ApiError::StepUpNeeded),
            Role::Admin | Role::Member | Role::Observer => Err(ApiError::NotAllowed),
        }
    }
}

/// Anybody but an observer, who changes nothing.
pub(crate) struct Contributor(SignedIn);

impl Contributor {
    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequestParts<App> for Contributor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        match person.0.role {
            Role::Owner | Role::Admin | Role::Member => Ok(Self(person)),
            Role::Observer => Err(ApiError::NotAllowed),
        }
    }
}

/// An owner or an admin.
pub(crate) struct Manager(SignedIn);

impl Manager {
    pub(crate) fn user(&self) -> UserId {
        self.0.0.user
    }

    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }

    /// Nobody gives more than they have: owners are made by owners.
    pub(crate) fn may_give(&self, role: Role) -> bool {
        role != Role::Owner || self.0.0.role == Role::Owner
    }
}

impl FromRequestParts<App> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        match person.0.role {
            Role::Owner | Role::Admin => Ok(Self(person)),
            Role::Member | Role::Observer => Err(ApiError::NotAllowed),
        }
    }
}

/// An owner or an admin who has just shown who they are.
pub(crate) struct FreshManager(Manager);

impl FreshManager {
    pub(crate) fn manager(&self) -> &Manager {
        &self.0
    }

    pub(crate) fn user(&self) -> UserId {
        self.0.user()
    }

    pub(crate) fn signed_in(&self) -> &SignedIn {
        self.0.signed_in()
    }

    /// Nobody manages who is above them: owners are managed by owners.
    pub(crate) fn may_manage(&self, role: Role) -> bool {
        self.0.may_give(role)
    }
}

impl FromRequestParts<App> for FreshManager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let manager = Manager::from_request_parts(parts, app).await?;
        match manager.0.is_fresh(app) {
            true => Ok(Self(manager)),
            false => Err(ApiError::StepUpNeeded),
        }
    }
}

/// Who asks, as far as the network and the browser tell: for rate limits, the list of sessions and the audit log.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: Option<IpAddr>,
    /// What the browser says that it is.
    pub(crate) device: String,
    /// The session's cookie, which may be anything.
    pub(crate) session: Option<TokenHash>,
    /// What this browser was given when it asked for a link.
    pub(crate) begun: Option<TokenHash>,
}

impl Client {
    /// The address as text; empty when it is not known.
    pub(crate) fn address_text(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    fn of(parts: &Parts, app: &App) -> Self {
        let headers = &parts.headers;
        let url = &app.config.public_url;
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            address: parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|peer| proxies::client(peer.0.ip(), headers, &app.config.trusted_proxies)),
            device: device::describe(agent.unwrap_or_default()),
            // Who presents a key is not also somebody's browser.
            session: match api_key::presented(headers) {
                Some(_) => None,
                None => session::presented(headers, url).map(|token| token.hash()),
            },
            begun: session::named(headers, sign_in::cookie_name(url)).map(|token| token.hash()),
        }
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(parts, app))
    }
}

/// What stands behind the question mark of the address; what is wrong with it is a problem like any other.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|error| ApiError::BadRequest(error.body_text()))
    }
}

/// The id in the path; one that is no id names nothing.
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<Uuid>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::NotFound)
    }
}
