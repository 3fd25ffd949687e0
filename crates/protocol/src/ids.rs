use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by time (UUID version 7, RFC 9562).
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The plain UUID, for the database.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

typed_id! {
    /// An organisation.
    TenantId,
    /// A person in a tenant.
    UserId,
    /// One sign-in of a person in one browser.
    SessionId,
    /// One user's agent and its keeper.
    CellId,
    /// One open channel between a client and a keeper.
    ChannelId,
    /// One way to open a vault.
    SlotId,
    /// One named secret of a vault.
    SecretId,
    /// One model provider of a vault.
    ProviderId,
    /// One request of an agent for its owner's word.
    ApprovalId,
    /// One key with which a program calls the API.
    ApiKeyId,
    /// Some people of a tenant who share something.
    GroupId,
    /// Something that an admin of a group lets its members use.
    GroupResourceId,
    /// One message between two vaults.
    EnvelopeId,
    /// One permission to have a keeper do something (its `jti`).
    CapabilityId,
    /// One installation of Holdfast on a machine: what its containers are labelled with.
    InstallationId,
}
