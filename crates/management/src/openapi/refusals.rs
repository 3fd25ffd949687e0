//! What routes refuse with: a problem (RFC 9457), or, below `/v1`, an error as OpenAI's clients read it.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Content, Ref, Response, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema};

use crate::problem::Problem;
use crate::routes::{Access, Route};
use crate::tenant_api::OpenAiError;

/// When something is refused: the name of that answer on our own routes, on OpenAI's, what it means, and whether it says how long to
/// wait.
const KINDS: [(&str, &str, &str, bool); 4] = [
    ("Refused", "OpenAiRefused", "Refused; nothing was changed.", false),
    (
        "TooMany",
        "OpenAiTooMany",
        "Too many requests or tries; nothing was changed.",
        true,
    ),
    ("NotNow", "OpenAiNotNow", "It cannot be done at this moment.", true),
    ("Failed", "OpenAiFailed", "The server could not do it.", false),
];
const REFUSED: usize = 0;
const TOO_MANY: usize = 1;
const NOT_NOW: usize = 2;
const FAILED: usize = 3;

/// What every route of its kind may refuse with; what else a route refuses is in the ranges.
pub(super) fn of(route: &Route, has_body: bool) -> Vec<(&'static str, &'static str)> {
    let mut refused = vec![("4XX", REFUSED), ("429", TOO_MANY), ("503", NOT_NOW), ("5XX", FAILED)];
    if route.access != Access::Anyone {
        refused.extend([("401", REFUSED), ("403", REFUSED)]);
    }
    if has_body {
        refused.extend([("400", REFUSED), ("413", REFUSED), ("415", REFUSED)]);
    }
    if route.path.contains('{') {
        refused.push(("404", REFUSED));
    }
    let theirs = route.path.starts_with("/v1/");
    let named = refused.into_iter().map(|(status, kind)| {
        let (ours, openai, ..) = KINDS[kind];
        (status, if theirs { openai } else { ours })
    });
    named.collect()
}

/// Those answers, by their names.
pub(super) fn responses() -> impl Iterator<Item = (&'static str, Response)> {
    KINDS.into_iter().flat_map(|(ours, openai, description, waits)| {
        [
            (ours, answer::<Problem>("application/problem+json", description, waits)),
            (openai, answer::<OpenAiError>("application/json", description, waits)),
        ]
    })
}

fn answer<T: ToSchema>(media_type: &str, description: &str, waits: bool) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(T::name())));
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(media_type, content);
    if waits {
        let seconds = HeaderBuilder::new()
            .description(Some("Seconds until trying again makes sense."))
            .schema(u32::schema());
        response = response.header("Retry-After", seconds.build());
    }
    response.build()
}
