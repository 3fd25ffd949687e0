//! Who asks on the operator's routes. Storage functions that are for the operator take these types, so looking up and authorising are
//! one call, as they are for people.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::session;
use crate::access::{Client, may_look_up, not_signed_in};
use crate::app::App;
use crate::audit::By;
use crate::clock::after;
use crate::limits;
use crate::problem::ApiError;
use crate::refusals;
use crate::storage::operator_sessions::{self, OperatorSession};

/// The operator, with a session that is not over.
pub(crate) struct Operator(OperatorSession, Client);

impl Operator {
    pub(crate) fn session(&self) -> &OperatorSession {
        &self.0
    }

    pub(crate) fn client(&self) -> &Client {
        &self.1
    }

    /// For the audit logs.
    pub(crate) fn by(&self) -> By {
        By::operator(&self.1)
    }

    /// Whether they have just shown the token.
    pub(crate) fn is_fresh(&self, app: &App) -> bool {
        after(self.0.proved_at, limits::STEP_UP) > app.clock.now()
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = session::presented(&parts.headers, &app.config.public_url).ok_or(ApiError::NotSignedIn)?;
        let Ok(client) = Client::from_request_parts(parts, app)
            .await
            .map_err(|never: Infallible| never);
        may_look_up(app, &client, token.hash())?;
        let shown = app.operator_token.hash().await.map_err(|error| {
            tracing::error!(%error, "the operator's token");
            ApiError::OperatorTokenUnreadable
        })?;
        let now = app.clock.now();
        let found = operator_sessions::authenticate(&app.database, token.hash(), shown, now).await?;
        let Some(session) = found else {
            return Err(not_signed_in(app, &client, token.hash()).await);
        };
        app.limits.known_session(token.hash());
        refusals::see_operator(&client);
        Ok(Self(session, client))
    }
}

/// The operator, who has just shown the token: for dangerous acts.
pub(crate) struct FreshOperator(Operator);

impl FreshOperator {
    pub(crate) fn operator(&self) -> &Operator {
        &self.0
    }
}

impl FromRequestParts<App> for FreshOperator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let operator = Operator::from_request_parts(parts, app).await?;
        match operator.is_fresh(app) {
            true => Ok(Self(operator)),
            false => Err(ApiError::StepUpNeeded),
        }
    }
}
