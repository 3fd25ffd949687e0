//! `GET /api/v1/instance`: what a page needs before anybody is signed in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::ApiError;
use crate::storage::installation;

#[derive(Serialize, ToSchema)]
pub(crate) struct Instance {
    name: String,
    version: String,
    needs_setup: bool,
    mail: &'static str,
    /// The site that passkeys belong to, where there can be any.
    #[serde(skip_serializing_if = "Option::is_none")]
    passkey_site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo_model: Option<serde_json::Value>,
}

pub(crate) async fn get(State(app): State<App>) -> Result<Json<Instance>, ApiError> {
    Ok(Json(Instance {
        name: app.config.name.clone(),
        version: app.config.version.clone(),
        needs_setup: installation::needs_setup(&app.database).await?,
        mail: app.mailer.kind(),
        passkey_site: app.config.public_url.passkey_site().map(str::to_owned),
        demo_model: app.config.demo_model.clone(),
    }))
}
