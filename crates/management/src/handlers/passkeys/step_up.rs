//! `POST /api/v1/step-up/passkey`: shows a passkey again, which allows dangerous acts for ten minutes.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Body, Client, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors::passkey;
use crate::problem::ApiError;
use crate::storage::sessions;

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    person: SignedIn,
    Body(shown): Body<passkey::Shown>,
) -> Result<NoContent, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let session = person.session();
    let own = Some((session.tenant, session.user));
    let (mut transaction, _) = passkey::show(&app, &client, shown, own).await?;
    sessions::showed_second_factor(&mut transaction, session.id, app.clock.now()).await?;
    let entry = Entry::done(Action::SteppedUp).with("factor", "passkey");
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
