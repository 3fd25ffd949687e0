//! `PUT /api/v1/recovery/contacts`: whom one's own recovery asks, so that requests can be shown to them. One's own vault has signed it:
//! who has got hold of a session names nobody and takes nobody off.

use axum::extract::State;
use axum::response::NoContent;
use protocol::recovery::ContactList;
use protocol::{Millis, SlotId, UserId, b64};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{identities, recovery};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Contacts {
    /// The way into the vault that they open together.
    slot: SlotId,
    /// When they were chosen: of two lists the later one counts.
    #[schema(minimum = 1)]
    made: Millis,
    contacts: Vec<UserId>,
    threshold: u8,
    #[schema(value_type = i64, minimum = 0, maximum = 4294967295u32)]
    wait_ms: u32,
    /// Of the vault's own key, over all of this and the cell.
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    signature: Vec<u8>,
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
    let signature: [u8; 64] = body.signature.try_into().map_err(|_| ApiError::NotSigned)?;
    let list = ContactList {
        cell: person.cell().cell,
        slot: body.slot,
        made: body.made,
        threshold: body.threshold,
        wait_ms: body.wait_ms.into(),
        contacts: body.contacts,
    };
    let mut transaction = person.transaction(&app).await?;
    let key = identities::signing_key(&mut transaction, &person)
        .await?
        .ok_or(ApiError::IdentityUnknown)?;
    if list.made <= 0 || !list.is_signed(key, &signature) {
        return Err(ApiError::NotSigned);
    }
    let contacts = recovery::Contacts {
        contacts: list.contacts,
        threshold: list.threshold.into(),
        wait_ms: body.wait_ms.into(),
        made: list.made,
    };
    if recovery::put_contacts(&mut transaction, &person, &contacts, app.clock.now()).await? {
        let entry = Entry::done(Action::RecoveryContacts)
            .with("contacts", contacts.contacts.len())
            .with("threshold", contacts.threshold)
            .with("wait_ms", contacts.wait_ms);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
    } else if recovery::contacts(&mut transaction, &person).await? != contacts {
        return Err(ApiError::ContactsOlder);
    }
    transaction.commit().await?;
    Ok(NoContent)
}
