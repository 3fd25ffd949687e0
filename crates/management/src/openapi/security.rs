//! Who may call an operation, as the document says it: the ways of showing who one is, and which of them a route takes.

use axum::http::Method;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use crate::routes::{Access, Route};
use crate::scope::Scope;
use crate::{csrf_token, operator, session};

const NONE: [&str; 0] = [];

/// What a route takes: one of these.
pub(super) fn of(route: &Route) -> Vec<SecurityRequirement> {
    let of_reads_and_writes = |cookie: &str, csrf: &str| {
        let way = SecurityRequirement::new(cookie, NONE);
        match route.method {
            Method::GET => way,
            _ => way.add(csrf, NONE),
        }
    };
    match route.access {
        Access::Anyone => Vec::new(),
        Access::Operator => vec![SecurityRequirement::new("admin-token", NONE)],
        Access::Tenant => vec![SecurityRequirement::new("tenant-key", NONE)],
        Access::OperatorSession | Access::FreshOperator => vec![of_reads_and_writes("operator", "operator-csrf")],
        _ => {
            let key = route
                .scope
                .map(|scope| SecurityRequirement::new("key", [scope.as_str()]));
            let session = of_reads_and_writes("session", "csrf");
            std::iter::once(session).chain(key).collect()
        }
    }
}

/// Every way, by its name.
pub(super) fn schemes() -> [(&'static str, SecurityScheme); 7] {
    let scopes: Vec<String> = Scope::ALL.iter().map(|scope| format!("`{}`", scope.as_str())).collect();
    let scopes = format!(
        "An API key. What it may do is said by its scopes: {}.",
        scopes.join(", ")
    );
    [
        (
            "session",
            cookie(
                session::NAME_OVER_TLS,
                "The cookie that signing in sets; `holdfast_session` where the installation is reached without TLS.",
            ),
        ),
        (
            "csrf",
            csrf_header(
                "What the cookie `__Host-holdfast_csrf` tells (`holdfast_csrf` without TLS), sent back with every write.",
            ),
        ),
        (
            "operator",
            cookie(
                operator::NAME_OVER_TLS,
                "The cookie of the operator's session; `holdfast_operator` where the installation is reached without TLS.",
            ),
        ),
        (
            "operator-csrf",
            csrf_header(
                "What the cookie `__Host-holdfast_operator_csrf` tells (`holdfast_operator_csrf` without TLS), sent back with every write.",
            ),
        ),
        ("key", bearer(Some("hf_…"), &scopes)),
        (
            "admin-token",
            bearer(
                None,
                "The operator's token, for what is about tenants of the tenant API: what `OPENCLAW_ADMIN_TOKEN` says, or the file \
                 `admin-token` of the data directory.",
            ),
        ),
        (
            "tenant-key",
            bearer(
                Some("ocpk_…"),
                "A tenant's key of the tenant API, told once when it is made. It sees its own tenant alone; everything of others is 404.",
            ),
        ),
    ]
}

fn cookie(name: &str, description: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, description)))
}

fn csrf_header(description: &str) -> SecurityScheme {
    let header = ApiKeyValue::with_description(csrf_token::HEADER.as_str(), description);
    SecurityScheme::ApiKey(ApiKey::Header(header))
}

fn bearer(format: Option<&str>, description: &str) -> SecurityScheme {
    let mut scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(description));
    if let Some(format) = format {
        scheme = scheme.bearer_format(format);
    }
    SecurityScheme::Http(scheme.build())
}
