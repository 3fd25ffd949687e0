//! `GET /api/v1/instance`: what a page needs before anybody is signed in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::problem::ApiError;
use crate::storage::installation;

#[derive(Serialize)]
pub(crate) struct Instance {
    name: String,
    version: String,
    needs_setup: bool,
    mail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo_model: Option<serde_json::Value>,
}

pub(crate) async fn get(State(app): State<App>) -> Result<Json<Instance>, ApiError> {
    Ok(Json(Instance {
        name: app.config.name.clone(),
        version: app.config.version.clone(),
        needs_setup: installation::needs_setup(&app.database).await?,
        mail: app.mailer.kind(),
        demo_model: app.config.demo_model.clone(),
    }))
}
