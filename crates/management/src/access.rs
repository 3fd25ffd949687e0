//! Who asks. A handler that takes [`SignedIn`] is not reached without a session that is whole; one that takes [`Manager`] only
//! by an owner or an admin; one that takes [`Fresh`] only by somebody who has just shown who they are. Storage functions that
//! are not for everybody take the same types, so looking up and authorising are one call.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use protocol::UserId;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::api_key::{self, ApiKey};
use crate::app::App;
use crate::audit::By;
pub(crate) use crate::body::Body;
use crate::cell_control::CellRef;
pub(crate) use crate::client::Client;
use crate::clock::after;
use crate::limits;
use crate::operator::FreshOperator;
use crate::person::Role;
use crate::problem::ApiError;
use crate::refusals;
use crate::scope::ForKeys;
use crate::secret_token::TokenHash;
use crate::storage::sessions::{Session, State};
use crate::storage::{StorageError, TenantTransaction, api_keys, factors, sessions};

/// Whose a request is, and where it comes from.
pub(crate) struct Asker {
    session: Session,
    client: Client,
}

impl Asker {
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The person, for the audit log.
    pub(crate) fn by(&self) -> By {
        By::person(&self.session, &self.client)
    }

    fn proved_within_step_up(&self, app: &App) -> bool {
        after(self.session.proved_at, limits::STEP_UP) > app.clock.now()
    }
}

/// A person with a session that is not over and whole.
pub(crate) struct SignedIn(Arc<Asker>);

impl SignedIn {
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    /// The person, for the audit log.
    pub(crate) fn by(&self) -> By {
        self.0.by()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// Whether they have just shown who they are.
    pub(crate) fn is_fresh(&self, app: &App) -> bool {
        self.0.proved_within_step_up(app)
    }

    /// Their own cell: there is no other way to name one.
    pub(crate) fn cell(&self) -> CellRef {
        CellRef {
            cell: self.0.session.cell,
            tenant: self.0.session.tenant,
            user: self.0.session.user,
        }
    }

    /// Whether they manage the organisation.
    pub(crate) fn manages(&self) -> bool {
        self.0.session.role.manages()
    }

    /// A transaction in their tenant, in which they stay: whoever suspends them waits for its end, and finds what it made. For what would
    /// outlast them.
    pub(crate) async fn staying(&self, app: &App) -> Result<TenantTransaction, ApiError> {
        let mut transaction = self.transaction(app).await?;
        match factors::one_at_a_time(&mut transaction, self.0.session.user).await? {
            true => Ok(transaction),
            false => Err(ApiError::NotSignedIn),
        }
    }

    /// A transaction in their tenant.
    pub(crate) async fn transaction(&self, app: &App) -> Result<TenantTransaction, StorageError> {
        TenantTransaction::begin(&app.database, self.0.session.tenant).await
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let asker = authenticated(parts, app).await?;
        match asker.session.state {
            State::Full => Ok(Self(asker)),
            State::Factor | State::Enrol => Err(ApiError::FactorNeeded),
        }
    }
}

async fn authenticated(parts: &mut Parts, app: &App) -> Result<Arc<Asker>, ApiError> {
    let client = Client::of(parts, app);
    if let Some(key) = api_key::presented(&parts.headers) {
        return with_key(parts, app, key, client).await;
    }
    let token = client.session.ok_or(ApiError::NotSignedIn)?;
    may_look_up(app, &client, token)?;
    let found = sessions::authenticate(&app.database, token, app.session_clock(), &client.address_text()).await?;
    match found {
        Some(session) => {
            app.limits.known_session(token);
            known(app, Asker { session, client }).await
        }
        None => Err(not_signed_in(app, &client, token).await),
    }
}

/// Whether the database is asked for a session: not where whoever brings it came with too many that there are not.
pub(crate) fn may_look_up(app: &App, client: &Client, session: TokenHash) -> Result<(), ApiError> {
    app.limits.session(client.address, session).map_err(|wait| {
        refusals::see_somebody(client);
        ApiError::TooMany(wait)
    })
}

/// The refusal of a session that is over, or never was; who comes with too many is told to wait.
pub(crate) async fn not_signed_in(app: &App, client: &Client, session: TokenHash) -> ApiError {
    refusals::see_somebody(client);
    match app.limits.unknown_session(client.address, session).await {
        Ok(()) => ApiError::NotSignedIn,
        Err(wait) => ApiError::TooMany(wait),
    }
}

/// A program with a key acts as whose the key is, with their role of this moment, where the route takes keys and the key has its
/// scope. It has never just shown who it is, so what needs that is out of its reach.
async fn with_key(parts: &Parts, app: &App, key: Option<ApiKey>, mut client: Client) -> Result<Arc<Asker>, ApiError> {
    let now = app.clock.now();
    let found = match &key {
        Some(key) => api_keys::authenticate(&app.database, key.hash(), now, &client.address_text()).await?,
        None => None,
    };
    let Some(found) = found else {
        refusals::see_somebody(&client);
        app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
        if let Some(key) = &key
            && let Some(ended) = api_keys::ended(&app.database, key.hash()).await?
        {
            client.device = api_key::device(&ended.name);
            refusals::see_somebody_of(ended.tenant, &client);
        }
        return Err(ApiError::KeyRefused);
    };
    client.device = api_key::device(&found.name);
    let session = found.session;
    let asker = known(app, Asker { session, client }).await?;
    // A route that did not say is one that no key calls.
    let for_keys = parts.extensions.get::<ForKeys>().and_then(|route| route.0);
    let scope = for_keys.ok_or(ApiError::NotForKeys)?;
    match found.scopes.contains(&scope) {
        true => Ok(asker),
        false => Err(ApiError::ScopeMissing(scope.as_str())),
    }
}

/// Who asks is known: whatever becomes of the request, it is one of theirs.
async fn known(app: &App, asker: Asker) -> Result<Arc<Asker>, ApiError> {
    let asker = Arc::new(asker);
    refusals::see_person(&asker);
    app.limits.request(&asker.session).await.map_err(ApiError::TooOften)?;
    Ok(asker)
}

/// A person whose sign-in is not finished. All that they can do is finish it.
pub(crate) struct HalfSignedIn(Arc<Asker>);

impl HalfSignedIn {
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }
}

impl FromRequestParts<App> for HalfSignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let asker = authenticated(parts, app).await?;
        match asker.session.state {
            State::Full => Err(ApiError::AlreadySignedIn),
            State::Factor | State::Enrol => Ok(Self(asker)),
        }
    }
}

/// Anybody with a session, whole or not: to leave.
pub(crate) struct AnySession(Arc<Asker>);

impl AnySession {
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(crate) fn by(&self) -> By {
        self.0.by()
    }
}

impl FromRequestParts<App> for AnySession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(authenticated(parts, app).await?))
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
        // A site may have let whoever is at the browser in without asking for anything.
        let newly = |at| after(at, limits::STEP_UP) > app.clock.now();
        let begun = begun.filter(|begun| newly(begun.created_at) && person.is_fresh(app));
        let begun = begun.ok_or(ApiError::SignInAgain)?;
        match begun.second_factor
            || !factors::standing(&mut transaction, person.session().user)
                .await?
                .has_factor()
        {
            true => Ok(Self(person)),
            false => Err(ApiError::SignInAgain),
        }
    }
}

/// Who may set up a second factor: somebody who has just shown who they are, or whose sign-in waits for exactly that.
pub(crate) struct Enroller(Arc<Asker>);

impl Enroller {
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn by(&self) -> By {
        self.0.by()
    }
}

impl FromRequestParts<App> for Enroller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let asker = authenticated(parts, app).await?;
        match asker.session.state {
            State::Enrol => Ok(Self(asker)),
            State::Factor => Err(ApiError::FactorNeeded),
            State::Full if asker.proved_within_step_up(app) => Ok(Self(asker)),
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
        match person.session().role {
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
        match person.session().role {
            Role::Owner | Role::Admin | Role::Member => Ok(Self(person)),
            Role::Observer => Err(ApiError::NotAllowed),
        }
    }
}

/// An owner or an admin.
pub(crate) struct Manager(SignedIn);

impl Manager {
    pub(crate) fn user(&self) -> UserId {
        self.0.session().user
    }

    pub(crate) fn signed_in(&self) -> &SignedIn {
        &self.0
    }

    /// Nobody gives more than they have: owners are made by owners.
    pub(crate) fn may_give(&self, role: Role) -> bool {
        role != Role::Owner || self.0.session().role == Role::Owner
    }

    /// The role, for somebody whom they invite. One that manages the organisation takes the same proof as giving it to who is in it already,
    /// which no program has.
    pub(crate) fn give(&self, role: Role, app: &App) -> Result<Given, ApiError> {
        let manages = role.manages();
        match self.may_give(role) {
            false => Err(ApiError::NotAllowed),
            true if manages && self.0.session().by_key => Err(ApiError::NotForKeys),
            true if manages && !self.0.is_fresh(app) => Err(ApiError::StepUpNeeded),
            true => Ok(Given(role)),
        }
    }
}

/// Who may say whether somebody who asked for it joins an organisation: who manages it, and the operator.
pub(crate) trait LetsIn {}

impl LetsIn for Manager {}

impl LetsIn for FreshOperator {}

/// A role that whoever invites may give at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given(Role);

impl Given {
    pub(crate) fn role(self) -> Role {
        self.0
    }
}

impl FromRequestParts<App> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let person = SignedIn::from_request_parts(parts, app).await?;
        match person.session().role {
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

/// The id in the path, of what the handler says; one that is no id names nothing.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: From<Uuid>, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<Uuid>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id.into())).map_err(|_| ApiError::NotFound)
    }
}
