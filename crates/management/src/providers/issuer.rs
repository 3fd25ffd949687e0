//! Who a provider is, from what somebody enters about it.

use axum::http::Uri;

use super::Kind;
use crate::limits;

/// Google's and GitHub's own names for themselves.
const GOOGLE: &str = "https://accounts.google.com";
pub(super) const GITHUB: &str = "https://github.com";

/// The issuer of a provider; the error is a sentence for whoever entered it. For Microsoft it is the id of the directory that is
/// entered, for GitHub the address of one's own server if there is one.
pub(crate) fn issuer(kind: Kind, entered: &str) -> Result<String, String> {
    let entered = entered.trim();
    match (kind, entered) {
        (Kind::Google, _) => Ok(GOOGLE.to_owned()),
        (Kind::Github, "") => Ok(GITHUB.to_owned()),
        (Kind::Microsoft, id) => match id.parse::<uuid::Uuid>() {
            Ok(id) => Ok(format!("https://login.microsoftonline.com/{id}/v2.0")),
            Err(_) => Err(
                "Enter the Directory (tenant) ID, which looks like 00000000-0000-0000-0000-000000000000.".to_owned(),
            ),
        },
        (Kind::Github, url) => checked(url.trim_end_matches('/')),
        (Kind::Oidc, url) => checked(url),
    }
}

fn checked(url: &str) -> Result<String, String> {
    let wrong = || "Enter an address such as https://login.example.org.".to_owned();
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let fits = url.len() <= limits::ISSUER_CHARS
        && matches!(uri.scheme_str(), Some("https" | "http"))
        && uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.query().is_none()
        && !url.contains('#');
    fits.then(|| url.to_owned()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_what_the_provider_calls_itself() {
        let is = |kind, entered: &str| issuer(kind, entered).unwrap();
        assert_eq!(is(Kind::Google, "https://evil.example"), GOOGLE);
        assert_eq!(is(Kind::Github, " "), GITHUB);
        assert_eq!(is(Kind::Github, "https://git.example.org/"), "https://git.example.org");
        assert_eq!(
            is(Kind::Microsoft, "9188040D-6c67-4c5b-b112-36a304b66dad"),
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
        );
        // To the letter: some end in a slash.
        assert_eq!(is(Kind::Oidc, "https://x.eu.auth0.com/"), "https://x.eu.auth0.com/");
        for bad in [
            "",
            "login.example.org",
            "ftp://x.example",
            "https://u@x.example",
            "https://x.example?a=b",
            "https://x/#y",
        ] {
            assert!(issuer(Kind::Oidc, bad).is_err(), "{bad}");
        }
        assert!(issuer(Kind::Microsoft, "common").is_err());
    }
}
