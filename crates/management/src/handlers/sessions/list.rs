//! `GET /api/v1/sessions`: where one is signed in, the last used first.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use protocol::{Millis, SessionId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::millis;
use crate::problem::ApiError;
use crate::storage::sessions;
use crate::tenant_api::access::AgentNamed;

#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    sessions: Vec<One>,
    /// How long without use, and how long at most, one lasts.
    idle_ms: u64,
    life_ms: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct One {
    id: SessionId,
    device: String,
    address: String,
    method: String,
    created_at: Millis,
    last_seen_at: Millis,
    current: bool,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn, _: AgentNamed) -> Result<Json<Sessions>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let listed = sessions::list(&mut transaction, person.session().user, app.session_clock()).await?;
    let sessions = listed
        .into_iter()
        .map(|one| One {
            id: one.id,
            device: one.device,
            address: one.address,
            method: one.method,
            created_at: millis(one.created_at),
            last_seen_at: millis(one.last_seen_at),
            current: one.id == person.session().id,
        })
        .collect();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(Sessions {
        sessions,
        idle_ms: millis(app.config.sessions.idle),
        life_ms: millis(app.config.sessions.life),
    }))
}
