//! `GET /api/v1/sign-in/providers`: the buttons of the sign-in page: those of the organisation that is named, else of the one that the
//! installation was set up for. Nothing is told of an organisation but what its own people press.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Client, InQuery};
use crate::app::App;
use crate::ids::IdentityProviderId;
use crate::problem::ApiError;
use crate::providers::Kind;
use crate::storage::providers::Provider;
use crate::storage::{TenantTransaction, installation, providers};

/// Whose buttons, in the address.
#[derive(Deserialize, IntoParams)]
pub(crate) struct Which {
    organisation: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Buttons {
    providers: Vec<Button>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProviderButton)]
pub(crate) struct Button {
    #[schema(value_type = Uuid)]
    id: IdentityProviderId,
    kind: Kind,
    name: String,
}

impl From<Provider> for Button {
    fn from(provider: Provider) -> Self {
        Self {
            id: provider.id,
            kind: provider.kind,
            name: provider.name,
        }
    }
}

pub(crate) async fn get(
    State(app): State<App>,
    client: Client,
    InQuery(which): InQuery<Which>,
) -> Result<Json<Buttons>, ApiError> {
    app.limits
        .sign_in_page(client.address)
        .await
        .map_err(ApiError::TooMany)?;
    let tenant = match which.organisation.map(|id| id.parse()) {
        Some(named) => named.ok(),
        None => installation::organisation(&app.database).await?,
    };
    let Some(tenant) = tenant else {
        return Ok(Json(Buttons { providers: Vec::new() }));
    };
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let found = providers::list(&mut transaction).await?;
    let providers = found
        .into_iter()
        .filter(|provider| provider.on)
        .map(Button::from)
        .collect();
    Ok(Json(Buttons { providers }))
}
