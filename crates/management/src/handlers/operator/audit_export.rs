//! `GET /api/v1/operator/audit/export`: the operator's whole chain as JSON lines that `holdfast audit verify` checks.

use axum::body::Body;
use axum::extract::State;

use crate::app::App;
use crate::audit::{Action, Entry};
use crate::handlers::audit::export::Chain;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::StorageError;

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Chain, ApiError> {
    let mut transaction = app.database.begin().await?;
    let entry = Entry::done(Action::AuditExported).with("format", "jsonl");
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    let chain = app.audit.export_operator(&app.database).await?;
    Ok(Chain(Body::from_stream(chain)))
}
