//! Who somebody is at GitHub, which has no signed tokens: asked of its API, over TLS, with the token that the code was good for.

use serde::Deserialize;

use super::issuer::GITHUB;
use super::{Account, ProviderError, Providers};
use crate::person::Email;

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// Where its API is: GitHub's own, or that of a server of one's own.
fn api(issuer: &str) -> String {
    match issuer {
        GITHUB => "https://api.github.com".to_owned(),
        own => format!("{own}/api/v3"),
    }
}

pub(super) async fn account(providers: &Providers, issuer: &str, token: &str) -> Result<Account, ProviderError> {
    let api = api(issuer);
    let user: User = providers.read(&format!("{api}/user"), Some(token)).await?;
    let addresses: Vec<Address> = providers.read(&format!("{api}/user/emails"), Some(token)).await?;
    let own = addresses
        .into_iter()
        .find(|address| address.primary && address.verified);
    Ok(Account {
        issuer: issuer.to_owned(),
        // The number, not the name: a name that is given up may be taken by somebody else.
        subject: user.id.to_string(),
        email: own.and_then(|address| Email::parse(&address.email).ok()),
        name: user
            .name
            .filter(|name| !name.trim().is_empty())
            .or_else(|| Some(user.login.clone())),
        label: user.login,
    })
}
