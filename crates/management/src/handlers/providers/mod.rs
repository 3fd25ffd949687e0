//! Other sites that the people of the organisation sign in with: what those who manage it set up. Secrets go in and never come out.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod test;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::ids::IdentityProviderId;
use crate::providers::Kind;
use crate::storage::providers::Provider;

/// A provider, as those who manage the organisation get it.
#[derive(Serialize, ToSchema)]
#[schema(as = Provider)]
pub(crate) struct ProviderAnswer {
    #[schema(value_type = Uuid)]
    id: IdentityProviderId,
    kind: Kind,
    name: String,
    issuer: String,
    client_id: String,
    /// Whether there is a secret. What it is, nobody is told.
    has_secret: bool,
    on: bool,
    /// What to enter at the provider as the address to send people back to.
    way_back: String,
}

impl ProviderAnswer {
    fn new(app: &App, provider: Provider) -> Self {
        Self {
            way_back: app.config.public_url.way_back(provider.id),
            id: provider.id,
            kind: provider.kind,
            name: provider.name,
            issuer: provider.issuer,
            client_id: provider.client_id,
            has_secret: provider.sealed_secret.is_some(),
            on: provider.on,
        }
    }
}
