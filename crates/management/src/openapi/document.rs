//! Putting the document together.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use super::{header, refusals, security, shared};
use crate::problem::Problem;
use crate::routes::{self, Access, Route};
use crate::tenant_api::{self, ErrorBody, Keyed, OpenAiError, idempotency};

const ABOUT: &str = "The HTTP API of Holdfast. `docs/protocol.md` says what it promises; this says what is sent.\n\n\
    Writes from a browser are taken from pages of the same origin only (`Sec-Fetch-Site: same-origin`, or `Origin`), and, with a \
    session, only with its token in `X-CSRF-Token`. A program presents an API key instead, and needs neither. \
    Every refusal is a problem (RFC 9457) with a `code` that programs may rely on; what may not be seen is 404. Times are \
    milliseconds since 1970.\n\n\
    The tenant API (`docs/tenant-api.md`) is there where the operator has turned it on, and 404 elsewhere. It takes the operator's \
    token or a tenant's key, `ocpk_…`, and no session. Below `/v1` it speaks as OpenAI's does, errors included.";

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
    name::<OpenAiError>(&mut schemas)?;
    name::<ErrorBody>(&mut schemas)?;
    for route in routes::all().into_iter().chain(tenant_api::all()) {
        let sketch = (route.sketch)();
        for (name, schema) in &sketch.schemas {
            add(&mut schemas, name, schema)?;
        }
        let path = address(route.path);
        let text = header::text(src, sketch.handler, &route.method, &path)?;
        let operation = operation(&route, sketch, &text);
        let place = place(paths.paths.entry(path).or_default(), &route.method)?;
        *place = Some(match place.take() {
            Some(of_people) => shared::by_both(of_people, operation),
            None => operation,
        });
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

/// A path as the document writes it, where every placeholder is one segment.
fn address(path: &str) -> String {
    path.replace("{*", "{")
}

fn place<'a>(item: &'a mut PathItem, method: &Method) -> Result<&'a mut Option<Operation>, NotDescribed> {
    Ok(match *method {
        Method::GET => &mut item.get,
        Method::POST => &mut item.post,
        Method::PUT => &mut item.put,
        Method::PATCH => &mut item.patch,
        Method::DELETE => &mut item.delete,
        _ => return Err(NotDescribed::Method(method.clone())),
    })
}

fn operation(route: &Route, sketch: super::Sketch, text: &str) -> Operation {
    let summary = text.split_inclusive(". ").next().unwrap_or(text);
    let keys = match route.scope {
        Some(scope) => format!("An API key with the scope `{}` may call it, too.", scope.as_str()),
        None => "No API key may call it.".to_owned(),
    };
    let description = match route.access {
        Access::Anyone | Access::Operator | Access::Tenant => format!("{text}\n\n{}", route.access.words()),
        _ => format!("{text}\n\n{} {keys}", route.access.words()),
    };
    let id: Vec<&str> = sketch.handler.split("::").skip(2).collect();
    let refused = refusals::of(route, sketch.body.is_some());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id.join("_")))
        .summary(Some(summary.trim_end_matches([' ', '.'])))
        .description(Some(description))
        .tag(tag(route.path))
        .securities(Some(security::of(route)))
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
    for parameter in sketch.parameters {
        operation = operation.parameter(parameter);
    }
    if matches!(route.access, Access::Operator | Access::Tenant)
        && route.method != Method::GET
        && let Some(parameter) = idempotency::parameter(Keyed::at(route.path))
    {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = sketch.body {
        let content = Content::new(Some(body));
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        if route.method == Method::PATCH && matches!(route.access, Access::Operator | Access::Tenant) {
            body = body.content("application/merge-patch+json", content.clone());
        }
        operation = operation.request_body(Some(body.content("application/json", content).build()));
    }
    for (status, response) in sketch.answers {
        operation = operation.response(status.to_string(), response);
    }
    for (status, name) in refused {
        operation = operation.response(status, Ref::from_response_name(name));
    }
    operation.build()
}

fn tag(path: &str) -> &str {
    if path.starts_with("/v1/") {
        return "openai";
    }
    path.trim_start_matches("/api/v1/").split('/').next().unwrap_or(path)
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
}

fn whole(paths: Paths, schemas: BTreeMap<String, RefOr<Schema>>) -> OpenApi {
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas);
    for (name, response) in refusals::responses() {
        components = components.response(name, response);
    }
    for (name, scheme) in security::schemes() {
        components = components.security_scheme(name, scheme);
    }
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
