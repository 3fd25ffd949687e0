//! `GET /api/v1/operator/health`: the checks of `holdfast doctor`, and those that only a server that runs can make.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::millis;
use crate::machine::{Check, CheckState};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::StorageError;

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorHealth)]
pub(crate) struct Health {
    checked_at: Millis,
    checks: Vec<Check>,
}

fn check(name: &str, state: CheckState, found: impl Into<String>, fix: Option<&str>) -> Check {
    Check {
        name: name.to_owned(),
        state,
        found: found.into(),
        fix: fix.map(str::to_owned),
    }
}

/// The checks that are quick: `holdfast doctor`'s first, as they are the machine's.
pub(super) async fn checks(app: &App) -> Vec<Check> {
    let mut checks = app.machine.checks().await;
    checks.push(match app.database.ready().await {
        true => check("Database", CheckState::Good, "PostgreSQL answers.", None),
        false => check(
            "Database",
            CheckState::Bad,
            "PostgreSQL does not answer.",
            Some("Look at its log: its disk may be full, or it may be stopped."),
        ),
    });
    checks.push(match app.mailer.kind() {
        "outbox" => check(
            "Mail",
            CheckState::Weak,
            "No mail server is set: what Holdfast writes lands in the folder outbox of the data directory.",
            Some("Set mail.host in holdfast.toml, so that sign-in links and invitations arrive."),
        ),
        _ => check("Mail", CheckState::Good, "A mail server is set.", None),
    });
    checks.push(match app.config.public_url.is_tls() {
        true => check("Address", CheckState::Good, app.config.public_url.origin(), None),
        false => check(
            "Address",
            CheckState::Weak,
            format!(
                "{} is not https: it works on this machine alone.",
                app.config.public_url.origin()
            ),
            Some("Put a TLS proxy before the server and set server.public_url to its https address."),
        ),
    });
    checks
}

/// Whether nobody changed the operator's log: all of it is read.
async fn log(app: &App) -> Result<Check, StorageError> {
    Ok(match app.audit.verify_operator(&app.database).await? {
        Ok(events) => check(
            "Operator's log",
            CheckState::Good,
            format!("Its chain of {events} events holds."),
            None,
        ),
        Err(at) => check(
            "Operator's log",
            CheckState::Bad,
            format!("Its chain is broken at event {at}: somebody changed it in the database."),
            Some("Find out who may write to the database, and compare with a backup."),
        ),
    })
}

pub(crate) async fn get(State(app): State<App>, _operator: Operator) -> Result<Json<Health>, ApiError> {
    let mut checks = checks(&app).await;
    checks.push(log(&app).await?);
    Ok(Json(Health {
        checks,
        checked_at: millis(app.clock.now()),
    }))
}
