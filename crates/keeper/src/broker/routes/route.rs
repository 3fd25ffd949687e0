use std::collections::BTreeMap;

use protocol::SecretId;
use protocol::bridge::BROKER_PORT;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use vault::{Hash, Steering};

use super::error::RouteError;
use super::inject::Inject;
use super::tools::{self, ToolTerms};
use crate::limits;

/// First byte of a stored route. A keeper that does not know of tools must not take a server of them for a plain service.
const PLAIN: u8 = 1;
const WITH_TOOLS: u8 = 2;

/// A service that the agent may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    #[serde(skip)]
    pub name: String,
    pub base_url: String,
    pub secret: SecretId,
    pub inject: Inject,
    /// Only GET and HEAD.
    #[serde(default)]
    pub read_only: bool,
    /// What changes something there is asked of its owner, each time or by their rules. What deletes is, whatever this says.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub ask: bool,
    /// What it is for, in its owner's words: the agent reads them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// It is a server of tools (MCP), of which these may be called, as what their owner says that they do. None: a plain HTTP service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeMap<String, ToolTerms>>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_yes(ask: &bool) -> bool {
    *ask
}

impl Route {
    /// The record that holds the route of this name.
    pub(super) fn record(name: &str) -> Result<String, RouteError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 40 || name.starts_with('-') || !name.bytes().all(fits) {
            return Err(RouteError::Name);
        }
        Ok(format!("route/{name}"))
    }

    /// Where the agent calls it.
    pub fn agent_url(&self) -> String {
        format!("http://127.0.0.1:{BROKER_PORT}{}{}", super::PREFIX, self.name)
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        let url: Url = self.base_url.parse().map_err(|_| RouteError::BaseUrl)?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if !plain || !url.has_host() || self.base_url.len() > limits::SECRET_FIELD_BYTES {
            return Err(RouteError::BaseUrl);
        }
        if self.about.chars().count() > limits::ROUTE_ABOUT_CHARS {
            return Err(RouteError::About);
        }
        tools::check(self.tools.as_ref())?;
        self.inject.check()
    }

    /// Whether what a service may go by instead of a call's method and path could lead it elsewhere: out of what is read, asked about or
    /// shared; or out of the path that this route is.
    pub(super) fn check_steering(&self, steering: Option<Steering>) -> Result<(), RouteError> {
        let is_a_path = || self.base_url.parse::<Url>().map_or(true, |url| url.path() != "/");
        match steering {
            Some(Steering::Method | Steering::Unreadable) => Err(RouteError::OtherMethod),
            Some(Steering::Path) if is_a_path() => Err(RouteError::OtherPath),
            Some(Steering::Path) | None => Ok(()),
        }
    }

    /// Which service this is, for whoever is let use it: another address, secret or kind under the same name is another one.
    pub fn place(&self) -> Hash {
        let text = serde_json::to_vec(&(&self.base_url, self.secret, self.tools.is_some()));
        Hash::of(&text.expect("text and ids serialise"))
    }

    fn version(&self) -> u8 {
        if self.tools.is_some() { WITH_TOOLS } else { PLAIN }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.version()];
        serde_json::to_writer(&mut bytes, self).expect("a struct of text serialises");
        bytes
    }

    pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Self, RouteError> {
        let Some((&version @ (PLAIN | WITH_TOOLS), json)) = bytes.split_first() else {
            return Err(RouteError::Newer);
        };
        let route: Self = serde_json::from_slice(json).map_err(|_| RouteError::Newer)?;
        if route.version() != version {
            return Err(RouteError::Newer);
        }
        Ok(Self {
            name: name.to_owned(),
            ..route
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_route_of_the_first_version_is_read_and_written_the_same() {
        let fixture: &[u8] = b"\x01{\"base_url\":\"https://api.github.com\",\"secret\":\"0198a2c4-0000-7000-8000-000000000001\",\"inject\":{\"as\":\"header\",\"name\":\"authorization\",\"prefix\":\"Bearer \"},\"read_only\":true}";
        let route = Route::decode("github", fixture).unwrap();
        assert_eq!((route.name.as_str(), route.read_only), ("github", true));
        assert_eq!(route.encode(), fixture);
        assert!(matches!(Route::decode("github", b"\x03{}"), Err(RouteError::Newer)));
    }

    #[test]
    fn a_stored_server_of_tools_is_of_the_second_version_and_read_and_written_the_same() {
        let fixture: &[u8] = b"\x02{\"base_url\":\"https://notes.example.com/mcp\",\"secret\":\"0198a2c4-0000-7000-8000-000000000001\",\"inject\":{\"as\":\"header\",\"name\":\"authorization\",\"prefix\":\"Bearer \"},\"read_only\":false,\"tools\":{\"search\":{\"does\":\"read\",\"seen\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}}";
        let route = Route::decode("notes", fixture).unwrap();
        let terms = &route.tools.as_ref().unwrap()["search"];
        assert_eq!((terms.does, &terms.seen[..8]), (tools::Does::Read, "e3b0c442"));
        assert_eq!(route.encode(), fixture);
        // A keeper that knows the first version alone refuses it; and this one takes neither for the other.
        let none_yet = Route {
            tools: Some(BTreeMap::new()),
            ..route.clone()
        };
        assert_eq!(none_yet.encode()[0], WITH_TOOLS);
        for (version, rest) in [(PLAIN, &fixture[1..]), (WITH_TOOLS, &b"{\"base_url\":\"https://a.example\",\"secret\":\"0198a2c4-0000-7000-8000-000000000001\",\"inject\":{\"as\":\"basic\"}}"[..])] {
            let other = [&[version], rest].concat();
            assert!(matches!(Route::decode("notes", &other), Err(RouteError::Newer)), "{version}");
        }
    }
}
