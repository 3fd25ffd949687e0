//! `GET /api/v1/factors`: what one can show besides the mailbox, and until when dangerous acts are allowed.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::{after, millis};
use crate::ids::PasskeyId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{factors, passkeys};

#[derive(Serialize, ToSchema)]
pub(crate) struct Factors {
    authenticator: bool,
    passkeys: Vec<Passkey>,
    backup_codes: i64,
    required: bool,
    proved_until: Millis,
}

#[derive(Serialize, ToSchema)]
struct Passkey {
    #[schema(value_type = Uuid)]
    id: PasskeyId,
    name: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Millis>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Factors>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let standing = factors::standing(&mut transaction, person.session().user).await?;
    let passkeys = passkeys::list(&mut transaction, person.session().user).await?;
    let passkeys = passkeys.into_iter().map(|each| Passkey {
        id: each.id,
        name: each.name,
        created_at: millis(each.created_at),
        last_used_at: each.last_used_at.map(millis),
    });
    Ok(Json(Factors {
        authenticator: standing.authenticator,
        passkeys: passkeys.collect(),
        backup_codes: standing.backup_codes,
        required: standing.required,
        proved_until: millis(after(person.session().proved_at, limits::STEP_UP)),
    }))
}
