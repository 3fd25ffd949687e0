//! `GET /api/v1/audit/export.csv`: what matches a search, as a table for other programs. It cannot be checked; the other export can.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use time::format_description::well_known::Rfc3339;

use super::{Search, taken_away};
use crate::access::{InQuery, Manager};
use crate::app::App;
use crate::audit::told::{Named, Told};
use crate::clock::moment;
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;

const COLUMNS: &str =
    "seq,at,action,outcome,actor_kind,actor_id,actor_name,target_kind,target_id,target_name,address,device,details\r\n";

/// The file.
pub(crate) struct Csv(Body);

impl IntoResponse for Csv {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8"),
            (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.csv\""),
        ];
        (headers, self.0).into_response()
    }
}

impl InContract for Csv {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_text("A table.", "text/csv");
    }
}

pub(crate) async fn get(
    State(app): State<App>,
    manager: Manager,
    InQuery(search): InQuery<Search>,
) -> Result<Csv, ApiError> {
    let found = taken_away(&app, &manager, search, "csv", row).await?;
    let head = stream::once(async { Ok(COLUMNS.to_owned()) });
    Ok(Csv(Body::from_stream(head.chain(found))))
}

fn row(event: &Told) -> String {
    let at = moment(event.at)
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default();
    let nothing = Named::default();
    let target = event.target.as_ref().unwrap_or(&nothing);
    let cells = [
        event.seq.to_string(),
        at,
        cell(&event.action),
        cell(&event.outcome),
        cell(&event.actor.kind),
        cell(event.actor.id.as_deref().unwrap_or_default()),
        cell(&event.actor.name),
        cell(&target.kind),
        cell(target.id.as_deref().unwrap_or_default()),
        cell(&target.name),
        cell(&event.address),
        cell(&event.device),
        cell(&event.details.to_string()),
    ];
    cells.join(",") + "\r\n"
}

/// A value in quotes. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_formula_or_another_column() {
        assert_eq!(cell("Anna \"A\", B"), "\"Anna \"\"A\"\", B\"");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert_eq!(cell("two\nlines"), "\"two\nlines\"");
    }
}
