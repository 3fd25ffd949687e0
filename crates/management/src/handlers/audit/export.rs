//! `GET /api/v1/audit/export`: the whole chain as JSON lines that `holdfast audit verify` checks.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::access::Manager;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;

/// The file.
pub(crate) struct Chain(pub(in crate::handlers) Body);

impl IntoResponse for Chain {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "application/jsonl"),
            (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.jsonl\""),
        ];
        (headers, self.0).into_response()
    }
}

impl InContract for Chain {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_text(
            "The chain, one event a line, with its checkpoints.",
            "application/jsonl",
        );
    }
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Chain, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let entry = Entry::done(Action::AuditExported).with("format", "jsonl");
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let chain = app.audit.export(&app.database, person.session().tenant).await?;
    Ok(Chain(Body::from_stream(chain)))
}
