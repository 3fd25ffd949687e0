//! `POST /api/v1/factors/backup-codes`: ten new backup codes in place of the old ones, shown once.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Fresh;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::storage::factors as stored;

#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    backup_codes: Vec<String>,
}

pub(crate) async fn post(State(app): State<App>, person: Fresh) -> Result<Json<Made>, ApiError> {
    let person = person.signed_in();
    let mut transaction = person.transaction(&app).await?;
    if !stored::standing(&mut transaction, person.session().user)
        .await?
        .has_factor()
    {
        return Err(ApiError::FactorFirst);
    }
    let backup_codes = factors::new_backup_codes(&app, &mut transaction, person.session()).await?;
    let entry = Entry::done(Action::BackupCodesMade);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Json(Made { backup_codes }))
}
