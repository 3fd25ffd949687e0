/// Makes types of ids: each a UUID, in JSON as it is, that is none of another type. Whoever calls it depends on `uuid` and `serde`.
#[macro_export]
macro_rules! typed_id {
    ($($(#[$attribute:meta])+ $visibility:vis $name:ident),+ $(,)?) => {$(
        $(#[$attribute])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(transparent)]
        $visibility struct $name(::uuid::Uuid);

        impl $name {
            /// A new id, ordered by time (UUID version 7, RFC 9562).
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(::uuid::Uuid::now_v7())
            }

            /// The plain UUID, for the database.
            pub fn uuid(self) -> ::uuid::Uuid {
                self.0
            }
        }

        impl From<::uuid::Uuid> for $name {
            fn from(uuid: ::uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for ::uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

/// Those that cross a process boundary, each of which the OpenAPI document has by its name.
macro_rules! ids {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {
        typed_id! {$(
            #[$doc]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub $name
        ),+}
    };
}

ids! {
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
    /// One connection of a keeper's that the platform carries to a relay.
    CarrierId,
    /// One permission to have a keeper do something (its `jti`).
    CapabilityId,
    /// One installation of Holdfast on a machine: what its containers are labelled with.
    InstallationId,
}
