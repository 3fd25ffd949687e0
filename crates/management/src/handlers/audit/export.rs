//! `GET /api/v1/audit/export`: the whole chain as JSON lines that `holdfast audit verify` checks.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;

use crate::access::Manager;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<impl IntoResponse, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let entry = Entry::done(Action::AuditExported).with("format", "jsonl");
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    let chain = app.audit.export(&app.database, transaction).await?;
    let headers = [
        (CONTENT_TYPE, "application/jsonl"),
        (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(chain)))
}
