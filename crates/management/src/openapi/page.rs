//! The document as one page of HTML: no script, no style of its own, nothing from elsewhere. Everything in it is escaped, so a
//! sentence with a bracket in it is only a sentence.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::Value;

use super::COMMITTED;

static PAGE: LazyLock<String> = LazyLock::new(|| html(&serde_json::from_str(COMMITTED).unwrap_or_default()));

/// The page.
pub(crate) fn page() -> &'static str {
    &PAGE
}

fn html(document: &Value) -> String {
    let mut operations = String::new();
    let mut contents = String::new();
    let mut tag = String::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let of = text(&operation["tags"][0]);
            if of != tag {
                let _ = write!(contents, "<li><a href=\"#{of}\">{of}</a></li>");
                let _ = write!(operations, "<h2 id=\"{of}\">{of}</h2>");
                tag = of;
            }
            operations += &article(path, method, operation);
        }
    }
    let schemas: String = members(&document["components"]["schemas"])
        .map(|(name, schema)| {
            let name = escaped(name);
            format!("<article><h3 id=\"type-{name}\">{name}</h3>{}</article>", shape(schema))
        })
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Holdfast: API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"docs.css\"></head><body><header><h1>Holdfast: API</h1>{}\
         <p><a href=\"openapi.json\">The same as OpenAPI 3.1</a>, for programs.</p></header>\
         <nav aria-label=\"Contents\"><ul>{contents}<li><a href=\"#types\">types</a></li></ul></nav>\
         <main>{operations}<h2 id=\"types\">types</h2>{schemas}</main></body></html>",
        paragraphs(&document["info"]["description"])
    )
}

fn article(path: &str, method: &str, operation: &Value) -> String {
    let id = text(&operation["operationId"]);
    let method = escaped(&method.to_uppercase());
    let mut article = format!(
        "<article><h3 id=\"{id}\"><a href=\"#{id}\"><span class=\"method\">{method}</span> <code>{}</code></a></h3>{}",
        escaped(path),
        paragraphs(&operation["description"])
    );
    let parameters = list(&operation["parameters"]).map(|parameter| {
        let place = text(&parameter["in"]);
        let name = text(&parameter["name"]);
        format!(
            "<dt><code>{name}</code> <small>{place}</small></dt><dd>{}{}</dd>",
            shape(&parameter["schema"]),
            paragraphs(&parameter["description"])
        )
    });
    let parameters: String = parameters.collect();
    if !parameters.is_empty() {
        let _ = write!(article, "<h4>In the address</h4><dl>{parameters}</dl>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let _ = write!(article, "<h4>Body</h4>{}{}", shape(body), example(body));
    }
    // Refusals are the same everywhere.
    for (status, response) in members(&operation["responses"]).filter(|(status, _)| status.starts_with('2')) {
        let _ = write!(article, "<h4>Answer {}</h4>", escaped(status));
        article += &paragraphs(&response["description"]);
        for (media_type, content) in members(&response["content"]) {
            let _ = match media_type {
                "application/json" => write!(article, "{}{}", shape(&content["schema"]), example(&content["schema"])),
                other => write!(article, "<p><code>{}</code></p>", escaped(other)),
            };
        }
    }
    article + "</article>"
}

/// The first example of a type, where it has one.
fn example(schema: &Value) -> String {
    let Some(example) = schema["examples"].get(0) else {
        return String::new();
    };
    let json = serde_json::to_string_pretty(example).unwrap_or_default();
    format!("<h5>For example</h5><pre><code>{}</code></pre>", escaped(&json))
}

/// A type in words, with its fields.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#type-{name}\">{name}</a>");
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if schema[key].is_array() {
            let parts: Vec<String> = list(&schema[key]).map(shape).collect();
            return parts.join(between);
        }
    }
    if schema["enum"].is_array() {
        let words = list(&schema["enum"]).map(|word| format!("<code>{}</code>", text(word)));
        return words.collect::<Vec<_>>().join(" or ");
    }
    if schema["items"].is_object() {
        return format!("a list of {}", shape(&schema["items"]));
    }
    let fields: String = members(&schema["properties"])
        .map(|(name, field)| {
            let needed = list(&schema["required"]).any(|required| required == name);
            format!(
                "<dt><code>{}</code>{}</dt><dd>{}{}</dd>",
                escaped(name),
                if needed { "" } else { " <small>may be missing</small>" },
                shape(field),
                paragraphs(&field["description"])
            )
        })
        .collect();
    if !fields.is_empty() {
        return format!("<dl>{fields}</dl>");
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect(),
        kind => vec![text(kind)],
    };
    let kinds = kinds.join(" or ");
    match (kinds.as_str(), text(&schema["format"])) {
        ("", _) => "anything".to_owned(),
        (_, format) if format.is_empty() => kinds,
        (_, format) => format!("{kinds} ({format})"),
    }
}

fn paragraphs(description: &Value) -> String {
    let description = description.as_str().unwrap_or_default();
    let paragraphs = description.split("\n\n").filter(|paragraph| !paragraph.is_empty());
    paragraphs
        .map(|paragraph| format!("<p>{}</p>", marked(paragraph)))
        .collect()
}

/// With what stands between backquotes as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    parts.collect()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_runs_nothing() {
        let document: Value = serde_json::from_str(COMMITTED).unwrap();
        let page = html(&document);
        for (path, _) in members(&document["paths"]) {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for refused in ["<script", "<style", "style=", "http:", "https:", " on"] {
            let tags = page.split('<').filter_map(|tag| tag.split('>').next());
            assert!(
                !tags.into_iter().any(|tag| format!("<{tag}").contains(refused)),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_the_document_says_is_only_text() {
        assert_eq!(marked("a <b> & `c<d>`"), "a &lt;b&gt; &amp; <code>c&lt;d&gt;</code>");
    }
}
