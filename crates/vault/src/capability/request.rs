use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::presentation::Presentable;
use super::{CapabilityError, Granted, Resource, Scope, Scopes, Steering, steering};

/// One call that a keeper is asked to make: below the service's address, by its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRequest {
    /// The service's name, as its owner calls it.
    pub service: String,
    /// In capitals.
    pub method: String,
    /// Empty, or with its first `/`.
    pub path: String,
    /// Without its `?`; empty for none.
    pub query: String,
    /// Empty for none.
    pub content_type: String,
    #[serde(serialize_with = "write_body", deserialize_with = "read_body")]
    pub body: Vec<u8>,
}

fn write_body<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(body))
}

fn read_body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    URL_SAFE_NO_PAD
        .decode(String::deserialize(deserializer)?)
        .map_err(|_| D::Error::custom("not base64url"))
}

impl Presentable for SharedRequest {
    const DOMAIN: &'static [u8] = b"holdfast/presentation/v1";

    fn check(&self, granted: &Granted) -> Result<(), CapabilityError> {
        self.check_within(&granted.resource, &granted.scope)
    }
}

impl SharedRequest {
    /// Whether this is allowed by what may be done with this.
    pub(super) fn check_within(&self, resource: &Resource, scope: &Scopes) -> Result<(), CapabilityError> {
        self.check_path()?;
        let below = self
            .path
            .strip_prefix(resource.path())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let below = below.filter(|_| self.service == resource.service());
        let below = below.ok_or(CapabilityError::OtherResource)?;
        match steering(&self.query, &self.content_type, &self.body) {
            Some(Steering::Method | Steering::Unreadable) => return Err(CapabilityError::OtherMethod),
            Some(Steering::Path) if !resource.path().is_empty() => return Err(CapabilityError::OtherPath),
            _ => {}
        }
        let needed = match self.method.as_str() {
            // Its own address, with or without the last stroke, is a list of what is there.
            "GET" | "HEAD" if below.trim_end_matches('/').is_empty() && scope.contains(&Scope::List) => Scope::List,
            "GET" | "HEAD" => Scope::Read,
            "POST" | "PUT" | "PATCH" => Scope::Write,
            "DELETE" => Scope::Delete,
            _ => return Err(CapabilityError::Method),
        };
        if scope.contains(&needed) {
            Ok(())
        } else {
            Err(CapabilityError::NotAllowed(needed.name()))
        }
    }

    /// No step upwards and nothing that servers read differently, also not encoded.
    fn check_path(&self) -> Result<(), CapabilityError> {
        let path = self.path.as_bytes();
        let begins = path.is_empty() || path.starts_with(b"/");
        let visible = path
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"\\?#".contains(byte));
        let step = path.split(|byte| *byte == b'/').any(|part| {
            let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
            name == b"." || name == b".."
        });
        let encoded = path.windows(3).filter(|three| three[0] == b'%').any(|three| {
            matches!(
                &three.to_ascii_lowercase()[1..],
                b"2e" | b"2f" | b"5c" | b"25" | b"3b" | b"00"
            )
        });
        let query = self.query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if begins && visible && !step && !encoded && query {
            Ok(())
        } else {
            Err(CapabilityError::Path)
        }
    }
}
