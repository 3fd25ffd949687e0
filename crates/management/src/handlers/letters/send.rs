//! `POST /api/v1/letters`: a letter to somebody of the organisation. The same id again is the same letter.

use axum::extract::State;
use axum::response::NoContent;
use protocol::{UserId, b64};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::LetterId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::letters;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Letter {
    #[schema(value_type = Uuid)]
    id: LetterId,
    to: UserId,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    body: Vec<u8>,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Body(letter): Body<Letter>,
) -> Result<NoContent, ApiError> {
    if letter.body.is_empty() || letter.body.len() > limits::LETTER_BYTES {
        return Err(ApiError::InvalidField {
            field: "body",
            reason: format!("A letter has 1 to {} bytes.", limits::LETTER_BYTES),
        });
    }
    let mut transaction = person.transaction(&app).await?;
    let (of_sender, all) = letters::waiting(&mut transaction, &person, letter.to).await?;
    if of_sender >= limits::LETTERS_OF_SENDER || all >= limits::LETTERS_WAITING {
        return Err(ApiError::TooMany(limits::LETTERS_RETRY));
    }
    let now = app.clock.now();
    if !letters::send(&mut transaction, &person, letter.id, letter.to, &letter.body, now).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::LetterSent).on(Target::new("person", letter.to, ""));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
