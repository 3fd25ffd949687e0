//! `PUT /api/v1/recovery/contacts`: whom one's own recovery asks, so that requests can be shown to them.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::recovery;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Contacts {
    contacts: Vec<UserId>,
    threshold: u8,
    #[schema(value_type = i64, minimum = 0, maximum = 4294967295u32)]
    wait_ms: u32,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Body(body): Body<Contacts>,
) -> Result<NoContent, ApiError> {
    if body.contacts.len() > limits::RECOVERY_CONTACTS || usize::from(body.threshold) > body.contacts.len() {
        return Err(ApiError::InvalidField {
            field: "contacts",
            reason: format!(
                "At most {} contacts, and not more needed than there are.",
                limits::RECOVERY_CONTACTS
            ),
        });
    }
    let contacts = recovery::Contacts {
        contacts: body.contacts,
        threshold: body.threshold.into(),
        wait_ms: body.wait_ms.into(),
    };
    let mut transaction = person.transaction(&app).await?;
    recovery::put_contacts(&mut transaction, &person, &contacts, app.clock.now()).await?;
    let entry = Entry::done(Action::RecoveryContacts)
        .with("contacts", contacts.contacts.len())
        .with("threshold", contacts.threshold)
        .with("wait_ms", contacts.wait_ms);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
