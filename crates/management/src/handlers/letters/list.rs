//! `GET /api/v1/letters`: the letters that wait for one's own vault, oldest first.

use axum::Json;
use axum::extract::State;
use protocol::{UserId, b64};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::ids::LetterId;
use crate::problem::ApiError;
use crate::storage::letters;

#[derive(Serialize, ToSchema)]
pub(crate) struct Letters {
    letters: Vec<Letter>,
}

#[derive(Serialize, ToSchema)]
struct Letter {
    #[schema(value_type = Uuid)]
    id: LetterId,
    from: UserId,
    from_name: String,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    body: Vec<u8>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Letters>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let letters = letters::list(&mut transaction, &person).await?;
    let letters = letters
        .into_iter()
        .map(|letter| Letter {
            id: letter.id,
            from: letter.from,
            from_name: letter.from_name,
            body: letter.body,
        })
        .collect();
    Ok(Json(Letters { letters }))
}
