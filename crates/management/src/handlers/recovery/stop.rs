//! `POST /api/v1/recovery/stop`: ends one's own open request: it was not one's own, or it is done.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::SignedIn;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::recovery;

pub(crate) async fn post(State(app): State<App>, person: SignedIn) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    if recovery::end(&mut transaction, &person, app.clock.now()).await? {
        let entry = Entry::done(Action::RecoveryStopped);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
    }
    transaction.commit().await?;
    Ok(NoContent)
}
