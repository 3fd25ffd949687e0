//! Who asks: the operator, with their token, or a tenant, with its key. Nothing else counts here, a browser's session least of all.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::limits::TEMPLATE_NAME_CHARS;
use protocol::template::is_name;
use protocol::{ApiKeyId, TenantId};
use serde::Deserialize;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use super::TenantApi;
use crate::access::{Client, InQuery};
use crate::api_key::{TenantKey, bearer};
use crate::app::App;
use crate::audit::By;
use crate::openapi::{InContract, Sketch, silent};
use crate::problem::ApiError;
use crate::refusals;
use crate::routes::Access;
use crate::session_watch::End;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::ApiTenant;
use crate::storage::{TenantTransaction, api_tenant_keys};

/// Whoever was let through.
#[derive(Clone)]
pub(crate) enum Caller {
    Operator(Box<Client>),
    Tenant(Box<ApiTenant>, ApiKeyId),
}

impl Caller {
    /// Whose writes these are; the operator's are of nobody.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Operator(_) => TenantId::from(Uuid::nil()),
            Self::Tenant(tenant, _) => tenant.id,
        }
    }
}

/// Lets through who may call a route.
pub(crate) async fn admit(State((app, access)): State<(App, Access)>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = async {
        let caller = caller(&app, access, &parts).await?;
        let place = match &caller {
            Caller::Operator(_) => None,
            Caller::Tenant(tenant, _) => Some(app.tenant_api()?.open.take(tenant.id)?),
        };
        Ok::<_, ApiError>((caller, place))
    };
    let (caller, place) = match admitted.await {
        Ok(admitted) => admitted,
        Err(error) => return error.into_response(),
    };
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(caller);
    let answer = next.run(request).await;
    match place {
        Some(place) => place.until_read(answer),
        None => answer,
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
                .map(|found| Caller::Tenant(Box::new(found.tenant), found.key)),
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
        Caller::Tenant(tenant, _) => refusals::see_tenant(tenant.id, &tenant.name, client),
    }
    match (&caller, access) {
        (Caller::Operator(_), Access::Operator) => {}
        (Caller::Tenant(tenant, _), Access::Tenant) => api
            .requests
            .take(tenant.id, tenant.limits.requests_per_minute, now)
            .map_err(ApiError::TenantTooOften)?,
        (Caller::Tenant(..), _) => return Err(ApiError::OperatorsToken),
        (Caller::Operator(_), _) => return Err(ApiError::TenantsKey),
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
            Some(Caller::Tenant(tenant, _)) => Ok(Self(tenant.as_ref().clone())),
            _ => Err(ApiError::KeyNeeded),
        }
    }
}

/// The end of the key that was presented, of a tenant.
pub(crate) struct KeyEnd(pub(crate) End);

impl FromRequestParts<App> for KeyEnd {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Tenant(tenant, key)) => Ok(Self(app.tenant_api()?.keys.end(tenant.id, *key))),
            _ => Err(ApiError::KeyNeeded),
        }
    }
}

/// A name of an agent, or 400.
pub(crate) fn agent_name(name: &str) -> Result<&str, ApiError> {
    match is_name(name) {
        true => Ok(name),
        false => Err(ApiError::BadRequest(format!(
            "the name of an agent is 1 to {TEMPLATE_NAME_CHARS} characters of a-z, 0-9 and -, with no - at its ends"
        ))),
    }
}

/// The tenant's agent of this name; its first where none is named.
pub(crate) async fn agent(app: &App, tenant: &ApiTenant, name: Option<&str>) -> Result<ApiAgent, ApiError> {
    let name = name.map(agent_name).transpose()?;
    let Some(name) = name.filter(|name| *name != api_agents::MAIN) else {
        return Ok(tenant.main());
    };
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let found = api_agents::find_whole(&mut transaction, tenant, name).await?;
    transaction.commit().await?;
    found.ok_or(ApiError::NotFound)
}

/// The agent that is meant, of the tenant whose key was presented: `agent` in the address, or the first.
pub(crate) struct Talking(pub(crate) ApiAgent);

#[derive(Deserialize)]
struct Meant {
    agent: Option<String>,
}

impl FromRequestParts<App> for Talking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Tenant(tenant) = Tenant::from_request_parts(parts, app).await?;
        let InQuery(meant) = InQuery::<Meant>::from_request_parts(parts, app).await?;
        Ok(Self(agent(app, &tenant, meant.agent.as_deref()).await?))
    }
}

/// Looks at the form of `agent` where a person's own route has the path of one of ours: the document has one form for both.
pub(crate) struct AgentNamed;

impl FromRequestParts<App> for AgentNamed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let InQuery(meant) = InQuery::<Meant>::from_request_parts(parts, app).await?;
        meant.agent.as_deref().map(agent_name).transpose()?;
        Ok(Self)
    }
}

impl InContract for Talking {
    fn describe(sketch: &mut Sketch) {
        let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!(
            "^[a-z0-9]([a-z0-9-]{{0,{}}}[a-z0-9])?$",
            TEMPLATE_NAME_CHARS - 2
        )));
        let meant = ParameterBuilder::new()
            .name("agent")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some("The name of the agent that is meant. Absent: `main`."))
            .schema(Some(name));
        sketch.parameters.push(meant.build());
    }
}

silent!(Operator, Tenant, KeyEnd, AgentNamed);

impl App {
    /// The tenant API, where it is turned on; where it is not, there is nothing.
    pub(crate) fn tenant_api(&self) -> Result<&TenantApi, ApiError> {
        self.tenant_api.as_ref().ok_or(ApiError::NotFound)
    }
}
