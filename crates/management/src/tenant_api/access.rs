//! Who asks: the operator, with their token, or a tenant, with its key. Nothing else counts here, a browser's session least of all.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::TenantId;
use uuid::Uuid;

use super::TenantApi;
use crate::api_key::{TenantKey, bearer};
use crate::app::App;
use crate::openapi::silent;
use crate::problem::ApiError;
use crate::proxies;
use crate::routes::Access;
use crate::storage::api_tenant_keys;
use crate::storage::api_tenants::ApiTenant;

/// Whoever was let through.
#[derive(Clone)]
pub(crate) enum Caller {
    Operator,
    Tenant(Box<ApiTenant>),
}

impl Caller {
    /// Whose writes these are; the operator's are of nobody.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Operator => TenantId::from(Uuid::nil()),
            Self::Tenant(tenant) => tenant.id,
        }
    }
}

/// Lets through who may call a route.
pub(crate) async fn admit(State((app, access)): State<(App, Access)>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let headers = request.headers().clone();
    match caller(&app, access, &headers, peer).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn caller(app: &App, access: Access, headers: &HeaderMap, peer: Option<SocketAddr>) -> Result<Caller, ApiError> {
    let api = app.tenant_api()?;
    let presented = bearer(headers).ok_or(ApiError::KeyNeeded)?;
    let now = app.clock.now();
    let caller = if TenantKey::is_meant(presented) {
        match TenantKey::parse(presented) {
            Some(key) => api_tenant_keys::authenticate(&app.database, key.hash(), now)
                .await?
                .map(|tenant| Caller::Tenant(Box::new(tenant))),
            None => None,
        }
    } else {
        api.admin_token.is(presented).then_some(Caller::Operator)
    };
    match (caller, access) {
        (Some(Caller::Operator), Access::Operator) => Ok(Caller::Operator),
        (Some(Caller::Tenant(tenant)), Access::Tenant) => {
            api.requests
                .take(tenant.id, tenant.limits.requests_per_minute, now)
                .map_err(ApiError::TooMany)?;
            Ok(Caller::Tenant(tenant))
        }
        (Some(_), _) => Err(ApiError::NotAllowed),
        (None, _) => {
            let address = peer.map(|peer| proxies::client(peer.ip(), headers, &app.config.trusted_proxies));
            app.limits.attempt(address).await.map_err(ApiError::TooMany)?;
            Err(ApiError::KeyNeeded)
        }
    }
}

/// The operator.
pub(crate) struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Operator) => Ok(Self),
            _ => Err(ApiError::KeyNeeded),
        }
    }
}

/// The tenant whose key was presented.
pub(crate) struct Tenant(pub(crate) ApiTenant);

impl FromRequestParts<App> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Tenant(tenant)) => Ok(Self(tenant.as_ref().clone())),
            _ => Err(ApiError::KeyNeeded),
        }
    }
}

silent!(Operator, Tenant);

impl App {
    /// The tenant API, where it is turned on; where it is not, there is nothing.
    pub(crate) fn tenant_api(&self) -> Result<&TenantApi, ApiError> {
        self.tenant_api.as_ref().ok_or(ApiError::NotFound)
    }
}
