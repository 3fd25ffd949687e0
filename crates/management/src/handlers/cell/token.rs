//! `POST /api/v1/cell/token`: a gateway token for the own cell, good for an hour.

use axum::Json;
use axum::extract::State;
use protocol::{GatewayToken, Millis};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::{after, millis};
use crate::problem::ApiError;

#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    token: String,
    expires_at: Millis,
}

pub(crate) async fn post(State(app): State<App>, person: SignedIn) -> Result<Json<Token>, ApiError> {
    let cell = person.cell();
    let expires_at = after(app.clock.now(), protocol::limits::GATEWAY_TOKEN_LIFE).truncate_to_second();
    let token = GatewayToken {
        cell: cell.cell,
        tenant: cell.tenant,
        user: cell.user,
        session: person.session().id,
        exp: u64::try_from(expires_at.unix_timestamp()).unwrap_or(0),
    };
    let mut transaction = person.transaction(&app).await?;
    let entry = Entry::done(Action::GatewayToken).on(Target::new("cell", cell.cell, ""));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Json(Token {
        token: token.sign(&app.gateway_key),
        expires_at: millis(expires_at),
    }))
}
