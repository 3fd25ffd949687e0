//! One address that does one thing for people and another for a tenant, by who asks: a document has one operation for both.

use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{RefOr, Response, Schema};

const WHO: &str = "x-who-may-call";

/// Both in one: who may call either may call it, and what either takes and answers is taken and answered.
pub(super) fn by_both(people: Operation, tenant: Operation) -> Operation {
    let mut both = people;
    both.summary = joined(both.summary, tenant.summary, "; with a tenant's key: ");
    both.description = joined(both.description, tenant.description, "\n\nWith a tenant's key: ");
    both.security = Some(
        [both.security, tenant.security]
            .into_iter()
            .flatten()
            .flatten()
            .collect(),
    );
    let parameters = both.parameters.get_or_insert_default();
    for other in tenant.parameters.into_iter().flatten() {
        let same = parameters
            .iter_mut()
            .find(|known| known.name == other.name && known.parameter_in == other.parameter_in);
        match same {
            Some(known) => known.schema = either(known.schema.take(), other.schema),
            None => parameters.push(other),
        }
    }
    for (status, other) in tenant.responses.responses {
        match (both.responses.responses.get_mut(&status), other) {
            (Some(RefOr::T(known)), RefOr::T(other)) => add(known, other),
            // Refusals, which are the same for all routes of this server that are not OpenAI's.
            (Some(_), _) => {}
            (None, other) => {
                both.responses.responses.insert(status, other);
            }
        }
    }
    if let (Some(of_both), Some(of_tenant)) = (&mut both.extensions, tenant.extensions) {
        let word = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        if let (Some(known), Some(other)) = (of_both.get_mut(WHO), of_tenant.get(WHO)) {
            *known = format!("{}, {}", word(known), word(other)).into();
        }
    }
    both
}

fn joined(first: Option<String>, second: Option<String>, between: &str) -> Option<String> {
    Some([first, second].into_iter().flatten().collect::<Vec<_>>().join(between))
}

/// Any of the two: what is of one may be of the other, too.
fn either(first: Option<RefOr<Schema>>, second: Option<RefOr<Schema>>) -> Option<RefOr<Schema>> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => Some(AnyOfBuilder::new().item(first).item(second).into()),
        (first, second) => first.or(second),
    }
}

fn add(known: &mut Response, other: Response) {
    for (media_type, other) in other.content {
        let content = known.content.entry(media_type).or_default();
        content.schema = either(content.schema.take(), other.schema);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;
    use utoipa::openapi::extensions::ExtensionsBuilder;
    use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
    use utoipa::openapi::security::SecurityRequirement;
    use utoipa::openapi::{Content, Ref, ResponseBuilder};

    use super::*;

    fn operation(name: &str, of_path: RefOr<Schema>, answer: RefOr<Schema>) -> OperationBuilder {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .schema(Some(of_path));
        let answer = ResponseBuilder::new().content("application/json", Content::new(Some(answer)));
        let who = ExtensionsBuilder::new().add(WHO, name).build();
        OperationBuilder::new()
            .description(Some(format!("For {name}.")))
            .securities(Some([SecurityRequirement::new(name, [""; 0])]))
            .parameter(id)
            .response("200", answer)
            .response("4XX", Ref::from_response_name("Refused"))
            .extensions(Some(who))
    }

    #[test]
    fn an_address_of_both_takes_and_answers_what_either_does() {
        let people = operation("session", u64::schema(), bool::schema()).build();
        let page = ParameterBuilder::new().name("cursor").parameter_in(ParameterIn::Query);
        let tenant = operation("tenant-key", String::schema(), String::schema()).parameter(page);
        let both = serde_json::to_value(by_both(people, tenant.build())).unwrap();
        assert_eq!(
            both["description"],
            "For session.\n\nWith a tenant's key: For tenant-key."
        );
        assert_eq!(both["security"], json!([{"session": []}, {"tenant-key": []}]));
        assert_eq!(both[WHO], "session, tenant-key");
        let kinds = |schema: &Value| schema["anyOf"].as_array().map_or(0, Vec::len);
        assert_eq!(kinds(&both["parameters"][0]["schema"]), 2);
        assert_eq!(both["parameters"][1]["name"], "cursor");
        assert_eq!(
            kinds(&both["responses"]["200"]["content"]["application/json"]["schema"]),
            2
        );
        assert_eq!(both["responses"]["4XX"]["$ref"], "#/components/responses/Refused");
    }

    #[test]
    fn what_is_the_same_for_both_is_said_once() {
        let of = |name| operation(name, String::schema(), bool::schema()).build();
        let both = serde_json::to_value(by_both(of("session"), of("tenant-key"))).unwrap();
        assert_eq!(
            both["parameters"],
            json!([{"name": "id", "in": "path", "required": false, "schema": {"type": "string"}}])
        );
        let answer = &both["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(answer, &json!({"type": "boolean"}));
    }
}
