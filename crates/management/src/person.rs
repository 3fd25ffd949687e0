//! What people type about themselves, checked once at the edge: from here on a [`Name`] is a name and an [`Email`] an address.

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits;
use crate::storage::StorageError;

/// The name of a person or an organisation: trimmed, one line, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// Reads a name; the error is a sentence for whoever typed it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("Please enter a name.".into());
        }
        if text.chars().count() > limits::NAME_CHARS {
            return Err(format!("A name has at most {} characters.", limits::NAME_CHARS));
        }
        if text.chars().any(|c| c.is_control() || is_direction_mark(c)) {
            return Err("A name is one line of ordinary characters.".into());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that reorder the text after them: they would let a name rewrite the sentence it is shown in.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// An e-mail address in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address; the error is a sentence for whoever typed it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > limits::EMAIL_BYTES {
            return Err(format!(
                "An e-mail address has at most {} characters.",
                limits::EMAIL_BYTES
            ));
        }
        if !text.is_ascii() {
            return Err(
                "Write the e-mail address in plain letters (for an international domain, its xn-- form).".into(),
            );
        }
        match lettre::Address::from_str(text) {
            Ok(address) if address.domain().contains('.') || address.domain() == "localhost" => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err("This is not an e-mail address. One looks like anna@example.org.".into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The domain of e-mail addresses, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain(String);

impl Domain {
    /// Reads a domain; the error is a sentence for whoever typed it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_start_matches('@');
        // What could be the domain of an address is one, as long as it is a name.
        let is_name = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'));
        match Email::parse(&format!("x@{text}")) {
            Ok(email) if is_name && text.len() <= limits::DOMAIN_BYTES => Ok(Self(email.domain().to_owned())),
            _ => Err("This is not the domain of e-mail addresses. One looks like example.org.".into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody may do in their organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, also making owners.
    Owner,
    /// Inviting and managing people, but not owners.
    Admin,
    /// Using their own agent.
    Member,
    /// Looking, not changing.
    Observer,
}

impl Role {
    /// Whether who has it manages the organisation.
    pub(crate) fn manages(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Observer => "observer",
        }
    }

    pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "owner" => Self::Owner,
            "admin" => Self::Admin,
            "member" => Self::Member,
            "observer" => Self::Observer,
            _ => return Err(StorageError::Unreadable("role")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Name::parse("  Anna Ö. ").unwrap().as_str(), "Anna Ö.");
        assert!(Name::parse(&"ä".repeat(100)).is_ok());
        for bad in ["", "   ", "a\nb", "a\u{202e}b", &"ä".repeat(101)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn domains_are_what_addresses_end_in() {
        assert_eq!(Domain::parse(" @Example.ORG").unwrap().as_str(), "example.org");
        assert_eq!(Email::parse("a@example.org").unwrap().domain(), "example.org");
        for bad in [
            "",
            "org",
            "a@b.example",
            "example.org/x",
            "*.example.org",
            "exa mple.org",
            "[127.0.0.1]",
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_checked_and_lowered() {
        assert_eq!(Email::parse(" Anna@Example.ORG ").unwrap().as_str(), "anna@example.org");
        for bad in [
            "",
            "anna",
            "anna@",
            "@x.org",
            "a b@x.org",
            "anna@x.org\r\nBcc: b@x.org",
            "ännä@x.org",
            "a@intranet",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("a@{}.org", "x".repeat(260))).is_err());
    }
}
