//! `GET /api/v1/keys`: one's own keys, the newest first; nothing that opens anything.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::KeyAnswer;
use crate::access::SignedIn;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::api_keys;

#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<KeyAnswer>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Keys>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let now = app.clock.now();
    let keys = api_keys::list(&mut transaction, person.session().user).await?;
    let keys = keys.into_iter().map(|key| KeyAnswer::new(key, now)).collect();
    Ok(Json(Keys { keys }))
}
