//! What stands behind the route's name in a request of the agent: a path that no server can read as leading elsewhere.

use vault::percent_decoded;

use super::error::RouteError;

/// How often a path may be encoded over itself before it is refused as a trick.
const DECODINGS: usize = 4;

/// The route's name, and the path below it, as they stand in `/x/<route>/<path>`.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(super::PREFIX)?;
    Some(match rest.find('/') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    })
}

/// Refuses a path that has a step upwards in it, however it is written, or characters that servers read differently.
pub(super) fn check(path: &str) -> Result<(), RouteError> {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..DECODINGS {
        let plain = |byte: &u8| !byte.is_ascii_control() && *byte != b'\\' && *byte != b'#' && *byte != b'?';
        let steps = text.split(|byte| *byte == b'/').any(|segment| {
            // Some servers cut a segment at ';'.
            let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
            name == b"." || name == b".."
        });
        if steps || !text.iter().all(plain) {
            return Err(RouteError::Path);
        }
        let decoded = percent_decoded(&text);
        if decoded == text {
            return Ok(());
        }
        text = decoded;
    }
    Err(RouteError::Path)
}

/// The agent's query without the parameter that the secret goes into.
pub(super) fn query_without(query: &str, parameter: Option<&str>) -> String {
    let is_it = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_decoded(name.replace('+', " ").as_bytes());
        parameter.is_some_and(|parameter| name.eq_ignore_ascii_case(parameter.as_bytes()))
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_it(pair))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_04_no_path_leads_out_of_a_route_however_it_is_written() {
        for path in [
            "/../admin",
            "/a/..",
            "/./a",
            "/%2e%2e/admin",
            "/%2E./admin",
            "/a%2f..%2fadmin",
            "/%252e%252e/admin",
            "/%25252e%25252e/admin",
            "/%2525252525252e",
            "/..;/admin",
            "/..%3b/admin",
            "/a\\..\\b",
            "/a%5cb",
            "/a%00b",
            "/a%0d%0aHost:%20b",
            "/a%23b",
            "/a%3fkey=1",
        ] {
            assert!(matches!(check(path), Err(RouteError::Path)), "{path}");
        }
        for path in [
            "",
            "/",
            "/repos/a/b",
            "/a..b/...",
            "/50%25",
            "/%C3%BC",
            "/a;v=1",
            "//a",
            "/a%2Fb",
            "/@me/~x:y",
        ] {
            assert!(check(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn the_parameter_of_the_secret_is_the_keepers_alone() {
        let query = "a=1&key=mine&KEY=mine&%6bey=mine&key&b=%6bey&&keys=2";
        assert_eq!(query_without(query, Some("key")), "a=1&b=%6bey&keys=2");
        assert_eq!(query_without("a=1&key=2", None), "a=1&key=2");
    }
}
