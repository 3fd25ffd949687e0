//! What in a request's parameters makes services take it for another one: some frameworks read the method, or the path, from there.
//!
//! What is promised here: a parameter that one of the names below may come out of, however it is written, is found. What a service does with
//! names of its own is not known here.

use super::member_names::for_each_name;

/// How often text may be encoded over itself before it is taken for a trick.
const DECODINGS: usize = 4;
/// The longest name of a part of a form that is read.
const NAME_BYTES: usize = 256;
/// Charsets in which a name of ASCII letters is written as it is here.
const CHARSETS: [&str; 5] = ["utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252"];

/// Names that say another method, and another path.
struct Names {
    methods: &'static [&'static str],
    paths: &'static [&'static str],
}

/// Methods: Rails, Laravel, Symfony, WordPress, Spring, Yii, CakePHP, Jersey; Google's; and headers of the same meaning that some read there, too.
/// Paths: WordPress, Symfony, Phalcon.
const OF_A_QUERY: Names = Names {
    methods: &[
        "_method",
        "_http_method",
        "_method_override",
        "method_override",
        "http_method",
        "$httpmethod",
        "x_http_method",
        "x_http_method_override",
        "x_method_override",
    ],
    paths: &["rest_route", "_path", "_url"],
};
/// The same frameworks, where other words are data.
const OF_A_BODY: Names = Names {
    methods: &["_method"],
    paths: &["rest_route"],
};

/// What a request says beside its method and its path that a service may go by instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Steering {
    /// Another path.
    Path,
    /// Another method.
    Method,
    /// It cannot be read, so it may be either.
    Unreadable,
}

/// What of this is in a request: its query (without the `?`), its content types and its body.
pub fn steering(query: &str, content_type: &str, body: &[u8]) -> Option<Steering> {
    steering_in_query(query).max(steering_in_body(content_type, body))
}

/// What of this is in a query (without its `?`).
pub fn steering_in_query(query: &str) -> Option<Steering> {
    in_pairs(query.as_bytes(), &OF_A_QUERY)
}

/// Whether services read parameters out of a body of this content type: JSON, or a form, in parts or in one. Without a content type it is taken for
/// a form.
pub fn has_parameters(content_type: &str) -> bool {
    readers(&content_type.to_ascii_lowercase()).next().is_some()
}

/// What of this is in a body, where [`has_parameters`]; of others nothing is read.
fn steering_in_body(content_type: &str, body: &[u8]) -> Option<Steering> {
    let kind = content_type.to_ascii_lowercase();
    let foreign = (!body.is_empty() && is_foreign(&kind)).then_some(Steering::Unreadable);
    readers(&kind).map(|read| read(body).max(foreign)).max().flatten()
}

type Reader = fn(&[u8]) -> Option<Steering>;

/// How a body of this content type is read.
fn readers(kind: &str) -> impl Iterator<Item = Reader> {
    let any = kind.trim().is_empty();
    [
        kind.contains("json").then_some(in_json as Reader),
        (any || kind.contains("urlencoded")).then_some(in_form as Reader),
        (any || kind.contains("multipart")).then_some(in_parts as Reader),
    ]
    .into_iter()
    .flatten()
}

/// Whether a content type names a charset in which other bytes may be a name.
fn is_foreign(kind: &str) -> bool {
    let before = |letter: char| letter.is_ascii_whitespace() || matches!(letter, '=' | '"' | '\'');
    let ends = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_');
    kind.split("charset").skip(1).any(|rest| {
        let name = rest.trim_start_matches(before).split(ends).next();
        !CHARSETS.contains(&name.unwrap_or_default())
    })
}

fn in_form(body: &[u8]) -> Option<Steering> {
    in_pairs(body, &OF_A_BODY)
}

fn in_pairs(pairs: &[u8], names: &Names) -> Option<Steering> {
    // Some take ';' for '&'.
    let pairs = pairs.split(|byte| matches!(byte, b'&' | b';'));
    pairs
        .filter_map(|pair| named(pair.split(|byte| *byte == b'=').next()?, names))
        .max()
}

fn in_json(body: &[u8]) -> Option<Steering> {
    let mut found = None;
    let read = for_each_name(body, |name| found = found.max(named(name.as_bytes(), &OF_A_BODY)));
    found.max(read.is_err().then_some(Steering::Unreadable))
}

/// Of every `name=` that stands before a part of a form. One that is longer than [`NAME_BYTES`], or is said in pieces or in another alphabet
/// (`name*`, RFC 2231; `=?`, RFC 2047), is not read.
fn in_parts(body: &[u8]) -> Option<Steering> {
    let text = before_parts(body);
    let lower = text.to_ascii_lowercase();
    let quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let after_name = lower.windows(4).enumerate().filter(|(_, word)| *word == b"name");
    after_name
        .filter(|(at, _)| !text[..*at].last().is_some_and(u8::is_ascii_alphanumeric))
        .filter_map(|(at, _)| {
            let rest = text[at + 4..].trim_ascii_start();
            if rest.starts_with(b"*") {
                return Some(Steering::Unreadable);
            }
            let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
            let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest);
            let ends = |byte: &u8| quote(byte) || matches!(byte, b';' | b'\r' | b'\n');
            let name = match rest.iter().take(NAME_BYTES + 1).position(ends) {
                Some(end) => &rest[..end],
                None if rest.len() <= NAME_BYTES => rest,
                None => return Some(Steering::Unreadable),
            };
            if name.windows(2).any(|two| two == b"=?") {
                return Some(Steering::Unreadable);
            }
            named(name, &OF_A_BODY)
        })
        .max()
}

/// What stands between a line that may part a form and the next empty one, without the strokes that quote a letter. Where lines do not end as
/// RFC 2046 has it, servers differ in what is empty, so that all the rest is taken.
fn before_parts(body: &[u8]) -> Vec<u8> {
    let (mut headers, mut is_inside, mut was_ended) = (Vec::new(), false, false);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        is_inside &= !(was_ended && line == b"\r\n");
        is_inside |= line.split(|byte| *byte == b'\r').any(|line| line.starts_with(b"--"));
        was_ended = line.ends_with(b"\r\n");
        if is_inside {
            headers.extend(line.iter().filter(|byte| **byte != b'\\'));
        }
    }
    headers
}

/// What a parameter of this name does, in any of the ways in which servers read names.
fn named(name: &[u8], names: &Names) -> Option<Steering> {
    let mut text = name.to_vec();
    for _ in 0..DECODINGS {
        // Before and after each decoding, since what is decoded once more is not known.
        let found = known(&text, names);
        let decoded = percent_decoded(&text);
        if found.is_some() || decoded == text {
            return found;
        }
        text = decoded;
    }
    Some(Steering::Unreadable)
}

fn known(name: &[u8], names: &Names) -> Option<Steering> {
    // Rack lets brackets before a name go, PHP blanks; PHP reads a blank, a point and an open bracket as '_', and ends at a zero byte.
    let begins = name
        .iter()
        .position(|byte| !matches!(byte, b'[' | b']' | b'+') && !byte.is_ascii_whitespace())?;
    let name = name[begins..].split(|byte| matches!(byte, 0 | b']')).next()?;
    let plain = |byte: &u8| match byte {
        b' ' | b'+' | b'.' | b'-' | b'[' => b'_',
        other => other.to_ascii_lowercase(),
    };
    let whole: Vec<u8> = name.iter().map(plain).collect();
    // `name[]` is a list of that name.
    let first = &whole[..name.iter().position(|byte| *byte == b'[').unwrap_or(whole.len())];
    let is_one_of = |known: &[&str]| {
        known
            .iter()
            .any(|known| [&whole[..], first].contains(&known.as_bytes()))
    };
    if is_one_of(names.methods) {
        Some(Steering::Method)
    } else {
        is_one_of(names.paths).then_some(Steering::Path)
    }
}

/// The bytes that percent-encoded text stands for, decoded once; what is no encoding stays.
pub fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(0), digit(1))
            && let Ok(decoded) = u8::try_from(high * 16 + low)
        {
            out.push(decoded);
            rest = &tail[2..];
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_07_a_query_that_names_another_method_is_found_however_it_is_written() {
        for query in [
            "_method=DELETE",
            "a=1&_METHOD=delete",
            "a=1;_method=PUT",
            "%5fmethod=DELETE",
            "%255fmethod=DELETE",
            "_method",
            ".method=DELETE",
            "+_method=DELETE",
            "%20_method=DELETE",
            "[_method]=DELETE",
            "_method%00x=DELETE",
            "_method[]=DELETE",
            "X-HTTP-Method-Override=DELETE",
            "x_http_method=DELETE",
            "x-method-override=DELETE",
            "http_method=DELETE",
            "$httpMethod=DELETE",
            "%24httpMethod=DELETE",
        ] {
            assert_eq!(steering_in_query(query), Some(Steering::Method), "{query}");
        }
        for query in [
            "",
            "method=flickr.photos.search",
            "a=_method",
            "my_method=1",
            "q=rest_route",
        ] {
            assert_eq!(steering_in_query(query), None, "{query}");
        }
        assert_eq!(
            steering_in_query("%2525252525255fmethod=DELETE"),
            Some(Steering::Unreadable)
        );
    }

    #[test]
    fn promise_07_a_query_that_names_another_path_is_found_however_it_is_written() {
        for query in [
            "rest_route=/wp/v2/users",
            "rest.route=/wp/v2/users",
            "rest[route=/wp/v2/users",
            "Rest%5Froute=/wp/v2/users",
            "_path=/admin",
            "_url=/admin",
        ] {
            assert_eq!(steering_in_query(query), Some(Steering::Path), "{query}");
        }
        let both = "rest_route=/wp/v2/users/1&_method=DELETE";
        assert_eq!(steering_in_query(both), Some(Steering::Method));
    }

    #[test]
    fn a_body_out_of_which_services_read_parameters_is_known_by_its_content_type() {
        for kind in [
            "",
            " ",
            "Application/JSON",
            "text/plain, multipart/mixed",
            "application/x-www-form-urlencoded",
        ] {
            assert!(has_parameters(kind), "{kind}");
        }
        for kind in ["text/plain", "application/octet-stream", "image/png"] {
            assert!(!has_parameters(kind), "{kind}");
        }
    }

    #[test]
    fn promise_07_a_body_that_names_another_method_is_found_and_other_bodies_are_not() {
        let form = "application/x-www-form-urlencoded";
        let parts = "multipart/form-data; boundary=x";
        for (kind, body) in [
            (form, "a=1&_method=DELETE"),
            ("", "_method=DELETE"),
            ("Application/JSON; charset=utf-8", r#"{"a":1,"_method":"DELETE"}"#),
            ("application/vnd.api+json", r#"{"\u005fmethod":"DELETE"}"#),
            ("application/json", "{\"a\":1}\n{\"_method\":\"DELETE\"}"),
            ("application/json", r#"{"_method":"DELETE","_method":null}"#),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--",
            ),
            (
                parts,
                "--x\r\ncontent-disposition: form-data; NAME = _method\r\n\r\nDELETE\r\n--x--",
            ),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"_meth\\od\"\r\n\r\nDELETE\r\n--x--",
            ),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; a=\"\n\n\"; name=\"_method\"\r\n\r\nDELETE\r\n--x--",
            ),
            (
                parts,
                "--x\nContent-Disposition: form-data;\n name=\n \"_method\"\n\nDELETE\n--x--",
            ),
        ] {
            assert_eq!(
                steering_in_body(kind, body.as_bytes()),
                Some(Steering::Method),
                "{body}"
            );
        }
        for (kind, body) in [
            (form, "a=_method"),
            ("application/json", r#"{"a":{"_method":"DELETE"},"http_method":"GET"}"#),
            ("application/json", r#"[{"_method":"DELETE"}, 1.5, true, null, "a"]"#),
            ("application/json; charset=\"UTF-8\"", r#"{"a":1}"#),
            ("application/json", ""),
            ("text/plain", "_method=DELETE"),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n_method\r\n--x--",
            ),
            // A page that is uploaded, and its name.
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"_method\"; filename*=utf-8''_method\r\n\r\n<input name=\"_method\">\r\n--x--",
            ),
            ("", "<input name=\"_method\">"),
        ] {
            assert_eq!(steering_in_body(kind, body.as_bytes()), None, "{body}");
        }
        for name in [
            "name*=utf-8''_method",
            "name*0=_met; name*1=hod",
            "name=\"=?UTF-8?Q?=5Fmethod?=\"",
            &format!("name={}_method", "+".repeat(NAME_BYTES)),
        ] {
            let body = format!("--x\r\nContent-Disposition: form-data; {name}\r\n\r\nDELETE\r\n--x--");
            let found = steering_in_body(parts, body.as_bytes());
            assert_eq!(found, Some(Steering::Unreadable), "{body}");
        }
        // The same letters in UTF-16, in EBCDIC, and in what nobody knows.
        for (kind, body) in [
            (
                "application/x-www-form-urlencoded; charset=UTF-16BE",
                "%00_%00m%00e%00t%00h%00o%00d=DELETE",
            ),
            (
                "application/x-www-form-urlencoded;charset = 'ibm037'",
                "%6D%94%85%A3%88%96%84=DELETE",
            ),
            ("multipart/form-data; boundary=x; charset*=us-ascii''utf-16", "--x--"),
            ("application/json; charset=", r#"{"a":1}"#),
        ] {
            let found = steering_in_body(kind, body.as_bytes());
            assert_eq!(found, Some(Steering::Unreadable), "{kind}");
        }
        assert_eq!(steering_in_body("text/plain; charset=utf-16", b"a"), None);
        assert_eq!(steering_in_body("application/json; charset=utf-16", b""), None);
        let rest = steering_in_body(form, b"rest_route=/wp/v2/users");
        assert_eq!(rest, Some(Steering::Path));
        assert_eq!(
            steering_in_body("application/json", b"{\"_method\""),
            Some(Steering::Unreadable)
        );
    }
}
