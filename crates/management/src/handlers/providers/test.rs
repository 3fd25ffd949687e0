//! `POST /api/v1/providers/{id}/test`: asks a sign-in provider whether it is there and knows us. Nobody is signed in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::IdentityProviderId;
use crate::problem::ApiError;
use crate::providers::{ProviderError, Site, Tested};
use crate::storage::providers::{self, Provider};

#[derive(Serialize, ToSchema)]
pub(crate) struct Answer {
    result: Outcome,
    /// What to look at, where it did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// How it went.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderTest)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It is reached, and takes our id and secret.
    Works,
    /// It is reached, and does not take our id and secret.
    ClientRefused,
    /// It is reached; whether it takes our id and secret shows when somebody signs in.
    Reached,
    Failed,
}

impl From<Tested> for Outcome {
    fn from(tested: Tested) -> Self {
        match tested {
            Tested::Works => Self::Works,
            Tested::ClientRefused => Self::ClientRefused,
            Tested::Reached => Self::Reached,
        }
    }
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<IdentityProviderId>,
) -> Result<Json<Answer>, ApiError> {
    let person = manager.signed_in();
    app.limits
        .provider_test(person.session().tenant)
        .await
        .map_err(ApiError::TooMany)?;
    let mut transaction = person.transaction(&app).await?;
    let found = providers::find(&mut transaction, &manager, id).await?;
    drop(transaction);
    let provider = found.ok_or(ApiError::NotFound)?;
    if provider.client_id.is_empty() || provider.sealed_secret.is_none() {
        return Err(ApiError::ProviderUnfinished);
    }
    let tested = test(&app, &provider).await;
    let target = Target::new("provider", id, &provider.name);
    let entry = match tested {
        Ok(_) => Entry::done(Action::ProviderTested),
        Err(_) => Entry::refused(Action::ProviderTested),
    };
    let mut transaction = person.transaction(&app).await?;
    app.audit
        .record(&mut transaction, &person.by(), entry.on(target))
        .await?;
    transaction.commit().await?;
    Ok(Json(match tested {
        Ok(tested) => Answer {
            result: tested.into(),
            problem: None,
        },
        Err(error) => Answer {
            result: Outcome::Failed,
            problem: Some(format!("{error}.")),
        },
    }))
}

async fn test(app: &App, provider: &Provider) -> Result<Tested, ProviderError> {
    Site::open(app, provider, true).await?.test().await
}
