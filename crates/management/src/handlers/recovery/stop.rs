//! `POST /api/v1/recovery/stop`: ends one's own open request: it was not one's own, or it is done. What was not one's own is shown to
//! one's own vault until it is forgotten, which tells the contacts' keepers.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::recovery::{self, End};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Stop {
    /// The vault was opened with it.
    #[serde(default)]
    done: bool,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Body(body): Body<Stop>,
) -> Result<NoContent, ApiError> {
    let end = if body.done { End::Done } else { End::Stopped };
    let mut transaction = person.transaction(&app).await?;
    if recovery::end(&mut transaction, &person, end, app.clock.now()).await? {
        let entry = Entry::done(Action::RecoveryStopped);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
    }
    transaction.commit().await?;
    Ok(NoContent)
}
