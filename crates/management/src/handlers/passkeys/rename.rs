//! `PUT /api/v1/factors/passkeys/{id}`: gives one's own passkey another name.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::name;
use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::PasskeyId;
use crate::problem::ApiError;
use crate::storage::passkeys;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Rename {
    name: String,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<PasskeyId>,
    Body(body): Body<Rename>,
) -> Result<NoContent, ApiError> {
    let name = name("name", &body.name)?;
    let mut transaction = person.transaction(&app).await?;
    if !passkeys::rename(&mut transaction, person.session().user, id, &name).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::PasskeyRenamed).on(Target::new("passkey", id, name.as_str()));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
