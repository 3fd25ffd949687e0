//! `POST /api/v1/operator/sign-in`: a session of the operator, for the token in the data directory.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session::SessionAnswer;
use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry};
use crate::clock::after;
use crate::limits;
use crate::operator::{self, Given, ShownToken};
use crate::problem::ApiError;
use crate::secret_token::{SecretToken, TokenHash};
use crate::storage::{StorageError, operator_sessions};

#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorToken)]
pub(crate) struct Shown {
    token: String,
}

/// The hash of the operator's token of now, if this is it; a wrong one is written down.
pub(super) async fn check(app: &App, client: &Client, shown: Shown, action: Action) -> Result<TokenHash, ApiError> {
    app.limits.operator(client.address).await.map_err(ApiError::TooMany)?;
    let checked = app.operator_token.check(&ShownToken::new(shown.token)).await;
    let right = checked.map_err(|error| {
        tracing::error!(%error, "the operator's token");
        ApiError::OperatorTokenUnreadable
    })?;
    if let Some(right) = right {
        return Ok(right);
    }
    let mut transaction = app.database.begin().await?;
    let entry = Entry::refused(action);
    app.audit
        .record_operator(&mut transaction, None, &By::nobody(Some(client)), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Err(ApiError::OperatorTokenWrong)
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(shown): Body<Shown>,
) -> Result<WithCookies<Json<SessionAnswer>>, ApiError> {
    let right = check(&app, &client, shown, Action::OperatorSignedIn).await?;
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let mut transaction = app.database.begin().await?;
    let ends = after(now, limits::OPERATOR_LIFE);
    let session = operator_sessions::create(&mut transaction, token.hash(), right, now, ends).await?;
    let entry = Entry::done(Action::OperatorSignedIn);
    app.audit
        .record_operator(&mut transaction, None, &By::operator(&client), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    app.limits.tried(client.address, true).await;
    Ok(WithCookies {
        answer: Json(SessionAnswer::new(&app, &session)),
        cookies: operator::cookies(&app.config.public_url, &Given(token), limits::OPERATOR_LIFE)?.into(),
    })
}
