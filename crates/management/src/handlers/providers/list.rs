//! `GET /api/v1/providers`: the organisation's sign-in providers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ProviderAnswer;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::sign_in;
use crate::storage::providers;

#[derive(Serialize, ToSchema)]
pub(crate) struct Providers {
    providers: Vec<ProviderAnswer>,
    /// The sign-in page with this organisation's buttons.
    sign_in_page: String,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Providers>, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let providers = providers::list(&mut transaction).await?;
    let page = sign_in::page_of(person.session().tenant);
    Ok(Json(Providers {
        providers: providers
            .into_iter()
            .map(|each| ProviderAnswer::new(&app, each))
            .collect(),
        sign_in_page: app.config.public_url.page(&page),
    }))
}
