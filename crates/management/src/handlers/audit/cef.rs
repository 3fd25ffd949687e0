//! `GET /api/v1/audit/export.cef`: what matches a search, one event a line in the form that collectors of logs read. It cannot be
//! checked; the signed export can.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::Search;
use crate::access::Manager;
use crate::app::App;
use crate::audit::told::Told;
use crate::audit::{Action, Entry, cef};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::audit;

pub(crate) async fn get(
    State(app): State<App>,
    manager: Manager,
    search: Search,
) -> Result<impl IntoResponse, ApiError> {
    let person = manager.signed_in();
    let filter = search.filter(person);
    let mut transaction = person.transaction(&app).await?;
    let found = audit::find(&mut transaction, &filter, limits::AUDIT_TABLE).await?;
    let entry = Entry::done(Action::AuditExported).with("format", "cef");
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let mut lines = String::new();
    for event in found {
        lines.push_str(&cef::line(&Told::read(&event.body)?, &app.config.version));
        lines.push('\n');
    }
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.cef\""),
    ];
    Ok((headers, lines))
}
