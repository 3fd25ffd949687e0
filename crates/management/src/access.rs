//! Who asks. A handler that takes [`SignedIn`] is not reached without a session; one that takes [`Manager`] only by an owner
//! or an admin. Storage functions that are not for everybody take the same types, so looking up and authorising are one call.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use protocol::UserId;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::app::App;
use crate::cell_control::CellRef;
use crate::person::Role;
use crate::problem::ApiError;
use crate::session;
use crate::storage::sessions::Session;
use crate::storage::{StorageError, TenantTransaction, sessions};

/// A person with a session that is not over.
pub(crate) struct SignedIn(Session);

impl SignedIn {
    pub(crate) fn session(&self) -> &Session {
        &self.0
    }

    /// Their own cell: there is no other way to name one.
    pub(crate) fn cell(&self) -> CellRef {
        CellRef {
            cell: self.0.cell,
            tenant: self.0.tenant,
            user: self.0.user,
        }
    }

    /// A transaction in their tenant.
    pub(crate) async fn transaction(&self, app: &App) -> Result<TenantTransaction, StorageError> {
        TenantTransaction::begin(&app.database, self.0.tenant).await
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = session::presented(&parts.headers, &app.config.public_url).ok_or(ApiError::NotSignedIn)?;
        let session = sessions::authenticate(&app.database, token.hash(), app.clock.now()).await?;
        session.map(Self).ok_or(ApiError::NotSignedIn)
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

/// Who asks, as far as the network tells: for rate limits alone.
pub(crate) struct Client(pub(crate) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip().to_canonical());
        // A proxy on this machine adds the address that it sees at the end; what comes before it, or from elsewhere, is talk.
        let forwarded = || {
            let last = parts.headers.get_all("x-forwarded-for").iter().next_back()?;
            last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        Ok(Self(peer.map(|peer| match peer.is_loopback() {
            true => forwarded().unwrap_or(peer),
            false => peer,
        })))
    }
}

/// A JSON body; what is wrong with one is a problem like any other.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(body) = Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
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
