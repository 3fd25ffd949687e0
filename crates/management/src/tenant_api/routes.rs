//! The routes of the tenant API, in one list as the others are, and the fork in front of both: what bears a tenant's key, and what is
//! only there for tenants, goes here; so does the operator at the addresses of sessions. Everything else goes where it always went.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::Method;
use axum::routing::{MethodFilter, any, on};
use axum::{Extension, Router, middleware};
use tower::ServiceExt as _;
use tower_http::request_id::RequestId;

use super::{access, approvals, chat, idempotency, openai, platform_keys, sessions, templates, tenants, usage};
use crate::api_key::{TenantKey, bearer};
use crate::app::App;
use crate::body::BodyLimit;
use crate::openapi::sketch;
use crate::problem::ApiError;
use crate::routes::{Access, Route};
use crate::{limits, outer, refusals};

/// Beside the routes of people, only these begin so.
const OURS: [&str; 7] = [
    "/api/v1/tenants",
    "/api/v1/templates",
    "/api/v1/platform-keys",
    "/api/v1/approvals",
    "/api/v1/chat",
    "/api/v1/usage",
    "/v1",
];

/// People's sessions and tenants' are at the same addresses.
const SHARED: &str = "/api/v1/sessions";

/// Open to everybody, whatever key they bear.
const OPEN: [&str; 3] = ["/api/v1/openapi.json", "/api/v1/docs", "/api/v1/docs.css"];

macro_rules! routes {
    ($($method:ident $path:literal $access:ident => $handler:path),+ $(,)?) => {
        vec![$(Route {
            method: Method::$method,
            path: $path,
            access: Access::$access,
            scope: None,
            sketch: || sketch($handler),
            handler: on(MethodFilter::$method, $handler),
        }),+]
    };
}

/// The list.
pub(crate) fn all() -> Vec<Route> {
    routes! {
        GET "/api/v1/tenants" Operator => tenants::list::get,
        POST "/api/v1/tenants" Operator => tenants::create::post,
        GET "/api/v1/tenants/{id}" Operator => tenants::get::get,
        PATCH "/api/v1/tenants/{id}" Operator => tenants::change::patch,
        DELETE "/api/v1/tenants/{id}" Operator => tenants::remove::delete,
        GET "/api/v1/tenants/{id}/agents" Operator => tenants::agents::list::get,
        POST "/api/v1/tenants/{id}/agents" Operator => tenants::agents::create::post,
        GET "/api/v1/tenants/{id}/agents/{name}" Operator => tenants::agents::get::get,
        PATCH "/api/v1/tenants/{id}/agents/{name}" Operator => tenants::agents::change::patch,
        DELETE "/api/v1/tenants/{id}/agents/{name}" Operator => tenants::agents::remove::delete,
        POST "/api/v1/tenants/{id}/keys" Operator => tenants::keys::post,
        DELETE "/api/v1/tenants/{id}/keys/{key}" Operator => tenants::keys::delete,
        GET "/api/v1/tenants/{id}/webhooks" Operator => tenants::webhooks::get,
        POST "/api/v1/tenants/{id}/webhooks" Operator => tenants::webhooks::post,
        DELETE "/api/v1/tenants/{id}/webhooks/{webhook}" Operator => tenants::webhooks::delete,
        POST "/api/v1/tenants/{id}/webhooks/{webhook}/test" Operator => tenants::webhooks::test,
        GET "/api/v1/templates" Operator => templates::list::get,
        POST "/api/v1/templates" Operator => templates::create::post,
        GET "/api/v1/templates/{name}" Operator => templates::get::get,
        PATCH "/api/v1/templates/{name}" Operator => templates::change::patch,
        DELETE "/api/v1/templates/{name}" Operator => templates::remove::delete,
        POST "/api/v1/platform-keys/rotate" Operator => platform_keys::post,
        POST "/api/v1/chat" Tenant => chat::post,
        GET "/api/v1/sessions" Tenant => sessions::list,
        GET "/api/v1/sessions/{id}" Tenant => sessions::get,
        PATCH "/api/v1/sessions/{id}" Tenant => sessions::patch,
        DELETE "/api/v1/sessions/{id}" Tenant => sessions::delete,
        GET "/api/v1/approvals" Tenant => approvals::list::get,
        PATCH "/api/v1/approvals" Tenant => approvals::settings::patch,
        POST "/api/v1/approvals/{id}" Tenant => approvals::answer::post,
        GET "/api/v1/usage" Tenant => usage::get,
        POST "/v1/chat/completions" Tenant => openai::completions::post,
        POST "/v1/responses" Tenant => openai::responses::post,
        GET "/v1/models" Tenant => openai::models::list,
        GET "/v1/models/{*id}" Tenant => openai::models::get,
    }
}

/// What an `Idempotency-Key` names where something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyed {
    /// A write, whose answer is kept.
    Write,
    /// One that makes a cell. Half of what it makes is found without a key, too.
    Cell,
    /// A turn, which the cell remembers; its answer is not kept.
    Turn,
    /// It has no effect: what is asked holds the operator's master key, of which not even a hash is kept.
    Nothing,
}

impl Keyed {
    pub(crate) fn at(path: &str) -> Self {
        match path {
            "/api/v1/platform-keys/rotate" => Self::Nothing,
            "/api/v1/tenants" | "/api/v1/tenants/{id}/agents" => Self::Cell,
            "/api/v1/chat" => Self::Turn,
            path if path.starts_with("/v1/") => Self::Turn,
            _ => Self::Write,
        }
    }
}

fn router(app: App) -> Router {
    let routes = all().into_iter().fold(Router::new(), |router, route| {
        let mut handler = route.handler;
        let keyed = Keyed::at(route.path);
        if keyed != Keyed::Turn {
            handler = handler.layer(middleware::from_fn_with_state((app.clone(), keyed), idempotency::once));
        }
        let admit = middleware::from_fn_with_state((app.clone(), route.access), access::admit);
        router.route(route.path, handler.layer(admit))
    });
    routes
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NotFound)
        .layer(middleware::from_fn_with_state(app.clone(), refusals::notice))
        .layer(middleware::from_fn(openai::errors::wrap))
        .layer(DefaultBodyLimit::max(limits::TENANT_BODY_BYTES))
        .layer(Extension(BodyLimit(limits::TENANT_BODY_BYTES)))
        .layer(middleware::from_fn(outer::wrap_untimed))
        .with_state(app)
}

/// The router of people's routes with this one in front.
pub(crate) fn front(app: App, people: Router) -> Router {
    let tenants = router(app.clone());
    let fork = move |request: Request| {
        let to = if is_ours(&app, &request) {
            tenants.clone()
        } else {
            people.clone()
        };
        async move { to.oneshot(afresh(request)).await.unwrap_or_else(|never| match never {}) }
    };
    Router::new()
        .route("/api/v1/{*rest}", any(fork.clone()))
        .route("/v1/{*rest}", any(fork))
}

fn is_ours(app: &App, request: &Request) -> bool {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return false;
    }
    let below = |start: &str| {
        path.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_operators = |key| app.tenant_api().is_ok_and(|api| api.admin_token.is(key));
    OURS.iter().any(|start| below(start))
        || bearer(request.headers()).is_some_and(|key| TenantKey::is_meant(key) || (below(SHARED) && is_operators(key)))
}

/// The request as it came: a router that was passed leaves its own findings on it.
fn afresh(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    let mut extensions = axum::http::Extensions::new();
    if let Some(peer) = parts.extensions.remove::<ConnectInfo<SocketAddr>>() {
        extensions.insert(peer);
    }
    if let Some(id) = parts.extensions.remove::<RequestId>() {
        extensions.insert(id);
    }
    parts.extensions = extensions;
    Request::<Body>::from_parts(parts, body)
}
