//! Who asks: the operator, with their token, or a tenant, with its key. Nothing else counts here, a browser's session least of all.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::TenantId;
use uuid::Uuid;

use super::TenantApi;
use crate::access::Client;
use crate::api_key::{TenantKey, bearer};
use crate::app::App;
use crate::audit::By;
use crate::openapi::silent;
use crate::problem::ApiError;
use crate::refusals;
use crate::routes::Access;
use crate::storage::api_tenant_keys;
use crate::storage::api_tenants::ApiTenant;

/// Whoever was let through.
#[derive(Clone)]
pub(crate) enum Caller {
    Operator(Box<Client>),
    Tenant(Box<ApiTenant>),
}

impl Caller {
    /// Whose writes these are; the operator's are of nobody.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Operator(_) => TenantId::from(Uuid::nil()),
            Self::Tenant(tenant) => tenant.id,
        }
    }
}

/// Lets through who may call a route.
pub(crate) async fn admit(State((app, access)): State<(App, Access)>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = caller(&app, access, &parts).await;
    let mut request = Request::from_parts(parts, body);
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn caller(app: &App, access: Access, parts: &Parts) -> Result<Caller, ApiError> {
    let api = app.tenant_api()?;
    let client = Client::of(parts, app);
    let presented = bearer(&parts.headers).ok_or(ApiError::KeyNeeded)?;
    let now = app.clock.now();
    let caller = if TenantKey::is_meant(presented) {
        match TenantKey::parse(presented) {
            Some(key) => api_tenant_keys::authenticate(&app.database, key.hash(), now)
                .await?
                .map(|tenant| Caller::Tenant(Box::new(tenant))),
            None => None,
        }
    } else {
        let is_operator = api.admin_token.is(presented);
        is_operator.then(|| Caller::Operator(Box::new(client.clone())))
    };
    let Some(caller) = caller else {
        refusals::see_somebody(&client);
        app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
        return Err(ApiError::TenantKeyRefused);
    };
    match &caller {
        Caller::Operator(_) => refusals::see_operator(&client),
        Caller::Tenant(tenant) => refusals::see_tenant(tenant.id, &tenant.name, client),
    }
    match (&caller, access) {
        (Caller::Operator(_), Access::Operator) => {}
        (Caller::Tenant(tenant), Access::Tenant) => api
            .requests
            .take(tenant.id, tenant.limits.requests_per_minute, now)
            .map_err(ApiError::TooMany)?,
        _ => return Err(ApiError::NotAllowed),
    }
    Ok(caller)
}

/// The operator, by their token.
pub(crate) struct Operator(Box<Client>);

impl Operator {
    /// For the audit log.
    pub(crate) fn by(&self) -> By {
        By::operator(&self.0)
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Operator(client)) => Ok(Self(client.clone())),
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
