//! Putting the document together.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required, Response,
    ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use super::header;
use crate::problem::Problem;
use crate::routes::{self, Access, Route};
use crate::scope::Scope;
use crate::{csrf_token, operator, session};

const ABOUT: &str = "The HTTP API of Holdfast. `docs/protocol.md` says what it promises; this says what is sent.\n\n\
    Writes from a browser are taken from pages of the same origin only (`Sec-Fetch-Site: same-origin`, or `Origin`), and, with a \
    session, only with its token in `X-CSRF-Token`. A program presents an API key instead, and needs neither. \
    Every refusal is a problem (RFC 9457) with a `code` that programs may rely on; what may not be seen is 404. Times are \
    milliseconds since 1970.";

/// Why the document cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NotDescribed {
    #[error("{0} is in no file of its module's name")]
    NoFile(String),
    #[error("the file of {handler} does not begin with `//! {named}: what it does`")]
    NoSentence { named: String, handler: String },
    #[error("{0} is no method that the document knows")]
    Method(Method),
    #[error("two types are called {0}: give one another name with #[schema(as = Name)]")]
    TwoOfOneName(String),
    #[error("the document cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The document, as it is committed. `src` is this crate's folder of that name, where the handlers say what they do.
///
/// # Errors
/// Something is said of a route nowhere, or twice: [`NotDescribed`] says what to do.
pub fn document(src: &Path) -> Result<String, NotDescribed> {
    let mut paths = Paths::new();
    let mut schemas = BTreeMap::new();
    name::<Problem>(&mut schemas)?;
    for route in routes::all() {
        let sketch = (route.sketch)();
        for (name, schema) in &sketch.schemas {
            add(&mut schemas, name, schema)?;
        }
        let text = header::text(src, sketch.handler, &route.method, route.path)?;
        let method = method(&route.method)?;
        let item = paths.paths.entry(route.path.to_owned()).or_default();
        item.merge_operations(PathItem::new(method, operation(&route, sketch, &text)));
    }
    Ok(written(&whole(paths, schemas))? + "\n")
}

fn written(document: &OpenApi) -> serde_json::Result<String> {
    // Through a value, so that whoever wrote them, names are in order.
    serde_json::to_string_pretty(&serde_json::to_value(document)?)
}

fn name<T: ToSchema>(schemas: &mut BTreeMap<String, RefOr<Schema>>) -> Result<(), NotDescribed> {
    add(schemas, &T::name(), &T::schema())
}

fn add(schemas: &mut BTreeMap<String, RefOr<Schema>>, name: &str, schema: &RefOr<Schema>) -> Result<(), NotDescribed> {
    match schemas.insert(name.to_owned(), schema.clone()) {
        Some(before) if before != *schema => Err(NotDescribed::TwoOfOneName(name.to_owned())),
        _ => Ok(()),
    }
}

fn method(method: &Method) -> Result<HttpMethod, NotDescribed> {
    Ok(match *method {
        Method::GET => HttpMethod::Get,
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => return Err(NotDescribed::Method(method.clone())),
    })
}

fn operation(route: &Route, sketch: super::Sketch, text: &str) -> OperationBuilder {
    let summary = text.split_inclusive(". ").next().unwrap_or(text);
    let keys = match route.scope {
        Some(scope) => format!("An API key with the scope `{}` may call it, too.", scope.as_str()),
        None => "No API key may call it.".to_owned(),
    };
    let description = match route.access {
        Access::Anyone => format!("{text}\n\n{}", route.access.words()),
        _ => format!("{text}\n\n{} {keys}", route.access.words()),
    };
    let id: Vec<&str> = sketch.handler.split("::").skip(2).collect();
    let refused = refusals(route, sketch.body.is_some());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id.join("_")))
        .summary(Some(summary.trim_end_matches([' ', '.'])))
        .description(Some(description))
        .tag(tag(route.path))
        .securities(Some(security(route)))
        .extensions(Some(
            ExtensionsBuilder::new()
                .add("x-who-may-call", format!("{:?}", route.access))
                .build(),
        ));
    for parameter in placeholders(route.path) {
        let parameter = ParameterBuilder::new()
            .name(parameter)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(sketch.placeholder.clone().unwrap_or_else(String::schema)));
        operation = operation.parameter(parameter);
    }
    for parameter in sketch.query {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = sketch.body {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", Content::new(Some(body)));
        operation = operation.request_body(Some(body.build()));
    }
    for (status, response) in sketch.answers {
        operation = operation.response(status.to_string(), response);
    }
    for (status, name) in refused {
        operation = operation.response(status, Ref::from_response_name(name));
    }
    operation
}

/// What every route of its kind may refuse with; what else a route refuses is in the ranges.
fn refusals(route: &Route, has_body: bool) -> Vec<(&'static str, &'static str)> {
    let mut refused = vec![
        ("4XX", "Refused"),
        ("429", "TooMany"),
        ("503", "NotNow"),
        ("5XX", "Failed"),
    ];
    if route.access != Access::Anyone {
        refused.extend([("401", "Refused"), ("403", "Refused")]);
    }
    if has_body {
        refused.extend([("400", "Refused"), ("413", "Refused"), ("415", "Refused")]);
    }
    if route.path.contains('{') {
        refused.push(("404", "Refused"));
    }
    refused
}

fn security(route: &Route) -> Vec<SecurityRequirement> {
    if route.access == Access::Anyone {
        return Vec::new();
    }
    let none: [&str; 0] = [];
    if matches!(route.access, Access::OperatorSession | Access::FreshOperator) {
        let operator = SecurityRequirement::new("operator", none);
        return vec![match route.method {
            Method::GET => operator,
            _ => operator.add("operator-csrf", none),
        }];
    }
    let session = match route.method {
        Method::GET => SecurityRequirement::new("session", none),
        _ => SecurityRequirement::new("session", none).add("csrf", none),
    };
    let key = route
        .scope
        .map(|scope| SecurityRequirement::new("key", [scope.as_str()]));
    std::iter::once(session).chain(key).collect()
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1/").split('/').next().unwrap_or(path)
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
}

/// A problem, under the name of when it is answered.
fn problem(description: &str, waits: bool) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    if waits {
        let seconds = HeaderBuilder::new()
            .description(Some("Seconds until trying again makes sense."))
            .schema(u32::schema());
        response = response.header("Retry-After", seconds.build());
    }
    response.build()
}

fn whole(paths: Paths, schemas: BTreeMap<String, RefOr<Schema>>) -> OpenApi {
    let scopes: Vec<String> = Scope::ALL.iter().map(|scope| format!("`{}`", scope.as_str())).collect();
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("hf_…")
        .description(Some(format!(
            "An API key. What it may do is said by its scopes: {}.",
            scopes.join(", ")
        )));
    let session = ApiKeyValue::with_description(
        session::NAME_OVER_TLS,
        "The cookie that signing in sets; `holdfast_session` where the installation is reached without TLS.",
    );
    let operator = ApiKeyValue::with_description(
        operator::NAME_OVER_TLS,
        "The cookie of the operator's session; `holdfast_operator` where the installation is reached without TLS.",
    );
    let operator_csrf = ApiKeyValue::with_description(
        csrf_token::HEADER.as_str(),
        "What the cookie `__Host-holdfast_operator_csrf` tells (`holdfast_operator_csrf` without TLS), sent back with every write.",
    );
    let csrf = ApiKeyValue::with_description(
        csrf_token::HEADER.as_str(),
        "What the cookie `__Host-holdfast_csrf` tells (`holdfast_csrf` without TLS), sent back with every write.",
    );
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .response("Refused", problem("Refused; nothing was changed.", false))
        .response(
            "TooMany",
            problem("Too many requests or tries; nothing was changed.", true),
        )
        .response("NotNow", problem("It cannot be done at this moment.", true))
        .response("Failed", problem("The server could not do it.", false))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .security_scheme("csrf", SecurityScheme::ApiKey(ApiKey::Header(csrf)))
        .security_scheme("operator", SecurityScheme::ApiKey(ApiKey::Cookie(operator)))
        .security_scheme("operator-csrf", SecurityScheme::ApiKey(ApiKey::Header(operator_csrf)))
        .security_scheme("key", SecurityScheme::Http(key.build()));
    let info = InfoBuilder::new()
        .title("Holdfast")
        .version("1")
        .description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .build()
}
