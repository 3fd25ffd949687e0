//! Where a redirect leads, as the agent is told it. The keeper follows none: within the route the agent comes back through it,
//! elsewhere it goes without the secret.

use reqwest::Url;

use super::inject::Inject;
use super::path::query_without;

/// The header `location` for the agent; none if it cannot be read.
pub(super) fn for_agent(location: &str, asked: &Url, base: &Url, route: &str, inject: &Inject) -> Option<String> {
    let mut to = asked.join(location).ok()?;
    let without = query_without(to.query().unwrap_or_default(), inject.parameter());
    to.set_query((!without.is_empty()).then_some(&without));
    if to.origin() != base.origin() {
        return matches!(to.scheme(), "http" | "https").then(|| to.to_string());
    }
    let below = to.path().strip_prefix(base.path().trim_end_matches('/'));
    match below {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let query = to.query().map(|query| format!("?{query}")).unwrap_or_default();
            let fragment = to.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
            Some(format!("{}{route}{rest}{query}{fragment}", super::PREFIX))
        }
        _ => Some(to.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_within_the_route_stays_in_it_and_one_elsewhere_goes_without_the_secret() {
        let base: Url = "https://api.example/v1".parse().unwrap();
        let asked: Url = "https://api.example/v1/a/b?key=secret".parse().unwrap();
        let inject = Inject::Query { name: "key".to_owned() };
        for (location, told) in [
            ("c", "/x/svc/a/c"),
            ("/v1/c?key=secret&d=1#e", "/x/svc/c?d=1#e"),
            ("/v1", "/x/svc"),
            ("/v10/c", "https://api.example/v10/c"),
            ("/admin?key=secret", "https://api.example/admin"),
            ("//collector.example/?key=secret", "https://collector.example/"),
            ("http://api.example/v1/c", "http://api.example/v1/c"),
            ("https://api.example:444/v1/c", "https://api.example:444/v1/c"),
        ] {
            assert_eq!(
                for_agent(location, &asked, &base, "svc", &inject).as_deref(),
                Some(told),
                "{location}"
            );
        }
        assert_eq!(for_agent("javascript:alert(1)", &asked, &base, "svc", &inject), None);
    }
}
