//! `POST /api/v1/operator/people/{id}/sign-out`: ends every session of somebody, and with them their open channels.

use axum::Json;
use axum::extract::State;
use protocol::UserId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{person, record};
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, sessions};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorEnded)]
pub(crate) struct Ended {
    ended: u64,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id<UserId>,
) -> Result<Json<Ended>, ApiError> {
    let person = person(&app, &operator, id).await?;
    let mut transaction = TenantTransaction::begin(&app.database, person.tenant).await?;
    let ended = sessions::end_all(&mut transaction, person.user, None).await?;
    let entry = || {
        Entry::done(Action::PersonSignedOut)
            .on(Target::new("person", person.user, &person.name))
            .with("sessions", ended)
    };
    record(&app, transaction, &operator, entry).await?;
    Ok(Json(Ended { ended }))
}
