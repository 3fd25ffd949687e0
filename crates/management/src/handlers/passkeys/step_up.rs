//! `POST /api/v1/step-up/passkey`: shows a passkey again, which allows dangerous acts for ten minutes.
//!
//! The session has another token from then on.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Body, Client, SignedIn};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors::passkey;
use crate::problem::ApiError;
use crate::session;

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    person: SignedIn,
    Body(shown): Body<passkey::Shown>,
) -> Result<WithCookies<NoContent>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let signed_in = person.session();
    let own = Some((signed_in.tenant, signed_in.user));
    let (mut transaction, _) = passkey::show(&app, &client, shown, own).await?;
    let entry = Entry::done(Action::SteppedUp).with("factor", "passkey");
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    session::renew(&app, transaction, &client, signed_in.id, NoContent).await
}
