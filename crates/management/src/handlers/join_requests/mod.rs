//! People who wait to be let in.

pub(crate) mod approve;
pub(crate) mod list;
pub(crate) mod refuse;

use axum::response::NoContent;

use crate::access::Manager;
use crate::app::App;
use crate::ids::JoinRequestId;
use crate::joining::{self, Answer};
use crate::problem::ApiError;

async fn answer(app: &App, manager: &Manager, id: JoinRequestId, answer: Answer) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(app).await?;
    let answered = joining::answer(app, &mut transaction, manager, id, answer).await?;
    app.audit
        .record(&mut transaction, &person.by(), answered.entry())
        .await?;
    transaction.commit().await?;
    joining::send(app, answered.letter).await;
    Ok(NoContent)
}
