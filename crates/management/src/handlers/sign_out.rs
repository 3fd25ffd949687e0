//! `POST /api/v1/sign-out`: ends this session, whole or not.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::AnySession;
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::session;
use crate::storage::{TenantTransaction, sessions};

pub(crate) async fn post(State(app): State<App>, any: AnySession) -> Result<WithCookies<NoContent>, ApiError> {
    let session = any.session();
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    if let Some(device) = sessions::end(&mut transaction, session.user, session.id).await? {
        let entry = Entry::done(Action::SignedOut).on(Target::new("session", session.id, &device));
        app.audit.record(&mut transaction, &any.by(), entry).await?;
    }
    transaction.commit().await?;
    Ok(WithCookies {
        answer: NoContent,
        cookies: session::clear(&app.config.public_url).into(),
    })
}
