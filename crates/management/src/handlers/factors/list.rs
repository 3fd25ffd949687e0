//! `GET /api/v1/factors`: what one can show besides the mailbox, and until when dangerous acts are allowed.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::{after, millis};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::factors;

#[derive(Serialize)]
pub(crate) struct Factors {
    authenticator: bool,
    backup_codes: i64,
    required: bool,
    proved_until: Millis,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Factors>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let standing = factors::standing(&mut transaction, person.session().user).await?;
    Ok(Json(Factors {
        authenticator: standing.authenticator,
        backup_codes: standing.backup_codes,
        required: standing.required,
        proved_until: millis(after(person.session().proved_at, limits::STEP_UP)),
    }))
}
