use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::CapabilityError;
use crate::limits::CAPABILITY_RESOURCE_BYTES;

const SERVICE: &str = "service/";

/// What a capability is for: a service of its issuer, or what lies below one path of it: `service/<name>[/<path>]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource(String);

impl Resource {
    /// Reads one.
    ///
    /// # Errors
    /// [`CapabilityError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CapabilityError> {
        let rest = text.strip_prefix(SERVICE).ok_or(CapabilityError::Malformed)?;
        let mut parts = rest.split('/');
        let name = parts.next().unwrap_or_default();
        let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // No character that a server may read in two ways, and no step upwards.
        let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:!$&'()*+,=".contains(&byte);
        let fits = text.len() <= CAPABILITY_RESOURCE_BYTES
            && !name.is_empty()
            && name.len() <= 40
            && !name.starts_with('-')
            && name.bytes().all(in_name)
            && parts.all(|part| !part.is_empty() && part != "." && part != ".." && part.bytes().all(in_path));
        fits.then(|| Self(text.to_owned())).ok_or(CapabilityError::Malformed)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        let rest = &self.0[SERVICE.len()..];
        rest.split_once('/').map_or(rest, |(name, _)| name)
    }

    /// The path that it is limited to, with its first `/`; empty for all of the service.
    pub fn path(&self) -> &str {
        &self.0[SERVICE.len() + self.service().len()..]
    }

    /// Whether this is `other`, or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
