//! `POST /api/v1/letters/received`: one's own vault has taken these, so they are not kept any longer.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::ids::LetterId;
use crate::problem::ApiError;
use crate::storage::letters;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Received {
    #[schema(value_type = Vec<Uuid>)]
    ids: Vec<LetterId>,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Body(received): Body<Received>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    letters::remove(&mut transaction, &person, &received.ids).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
