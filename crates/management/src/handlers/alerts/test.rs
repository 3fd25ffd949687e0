//! `POST /api/v1/alerts/{id}/test`: tells whoever an alert tells, as it would come, at once, and says whether it was taken.

use axum::extract::State;
use axum::response::NoContent;

use super::super::email;
use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::millis;
use crate::delivery::Notice;
use crate::ids::AlertRuleId;
use crate::problem::ApiError;
use crate::storage::alerts::{self, Receiver};
use crate::storage::destinations;

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<AlertRuleId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let session = person.session();
    let mut transaction = person.transaction(&app).await?;
    let rule = alerts::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let notice = Notice::test(&session.tenant_name, &session.user_name, millis(app.clock.now()));
    let told = match &rule.receiver {
        Receiver::Mailbox(address) => {
            drop(transaction);
            app.limits.invitation(session.tenant).await.map_err(ApiError::TooMany)?;
            let sent = app.delivery.mail(&email(address)?, &notice).await;
            sent.map_err(|error| {
                tracing::warn!(%error, "the test of an alert could not be mailed");
                ApiError::MailFailed
            })
        }
        Receiver::Destination { id, kind, .. } => {
            let found = destinations::find(&mut transaction, &manager, *id).await?;
            drop(transaction);
            let sealed = found.ok_or(ApiError::NotFound)?.sealed;
            app.limits
                .destination_test(session.tenant)
                .await
                .map_err(ApiError::TooMany)?;
            let told = app.delivery.test(session.tenant, *id, *kind, &sealed, &notice).await;
            told.map_err(|error| ApiError::NotDelivered(error.to_string()))
        }
    };
    let entry = match told {
        Ok(()) => Entry::done(Action::AlertTested),
        Err(_) => Entry::refused(Action::AlertTested),
    };
    let entry = entry.on(Target::new("alert", id, rule.receiver.name()));
    let mut transaction = person.transaction(&app).await?;
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    told.map(|()| NoContent)
}
