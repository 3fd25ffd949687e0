//! What an API key may do. A scope opens routes and gives no right: what the person may not do, their key does not either.

use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// One thing that a key may be for. The words never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Scope {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        crate::openapi::words!(Scope: $($text),+);

        impl Scope {
            /// Every one.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// A stored word; one that this version does not know opens nothing.
            pub(crate) fn stored(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

scopes! {
    /// Who the key acts for.
    Profile = "profile",
    /// The people of the organisation and what is asked of them.
    PeopleRead = "people:read",
    /// Inviting people.
    PeopleManage = "people:manage",
    /// The audit log.
    AuditRead = "audit:read",
    /// The groups that one sees, and who is in them.
    GroupsRead = "groups:read",
    /// Making groups, and changing those that one manages.
    GroupsManage = "groups:manage",
    /// How the cell is.
    CellRead = "cell:read",
    /// Waking the cell. What is in it stays closed.
    CellWake = "cell:wake",
}

impl Scope {
    /// Whether it is about a cell, which service accounts have none of.
    pub(crate) fn is_of_cell(self) -> bool {
        matches!(self, Self::CellRead | Self::CellWake)
    }
}

/// What a route asks of keys: beside each request, put there by the router.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForKeys(pub(crate) Option<Scope>);
