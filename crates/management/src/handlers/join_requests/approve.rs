//! `POST /api/v1/join-requests/{id}/approve`: lets somebody in, as a member, and tells them by mail.

use axum::extract::State;
use axum::response::NoContent;

use super::super::{email, name};
use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::JoinRequestId;
use crate::joining::{self, Newcomer};
use crate::mail;
use crate::problem::ApiError;
use crate::providers::Account;
use crate::storage::join_requests;

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<JoinRequestId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let waiting = join_requests::take(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let account = waiting.issuer.zip(waiting.subject).map(|(issuer, subject)| Account {
        issuer,
        subject,
        email: None,
        name: None,
        label: waiting.email.clone(),
    });
    let (name, email) = (name("name", &waiting.name)?, email(&waiting.email)?);
    let newcomer = Newcomer {
        name: &name,
        email: &email,
        account: account.as_ref(),
    };
    let user = joining::admit(&app, &mut transaction, &newcomer).await?;
    let entry = Entry::done(Action::JoinApproved)
        .on(Target::new("person", user, name.as_str()))
        .with("email", email.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let page = app.config.public_url.page("sign-in");
    let letter = mail::join_approved(&email, &person.session().tenant_name, &page);
    joining::send(&app, letter).await;
    Ok(NoContent)
}
