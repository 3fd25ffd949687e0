//! `POST /api/v1/chat`: one message to the tenant's agent, and its answer, whole or as it comes.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use protocol::limits::MESSAGE_BYTES;
use serde::Deserialize;

use super::access::Tenant;
use super::turn::{self, Wanted};
use super::turns::Stage;
use super::{idempotency, sessions, sse};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chat {
    session_id: Option<String>,
    message: Option<String>,
    /// Events instead of one answer; also asked for with `Accept: text/event-stream`.
    stream: Option<bool>,
    model: Option<String>,
    /// Go on when the client closes.
    #[serde(default)]
    detach: bool,
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body<Chat>,
) -> Result<Response, ApiError> {
    let session = match &body.session_id {
        Some(id) => sessions::check(id)?.to_owned(),
        None => turn::new_session(),
    };
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(last) = text(header::HeaderName::from_static("last-event-id")) {
        return Ok(sse::answer(turn::resume(&app, tenant.id, last)?));
    }
    let model = turn::model_of(&tenant)?.to_owned();
    if body.model.as_ref().is_some_and(|wanted| *wanted != model) {
        return Err(ApiError::InvalidField {
            field: "model",
            reason: format!("This tenant's model is `{model}`. Leave it out, or PATCH the tenant."),
        });
    }
    let message = checked(body.message)?;
    let asked_for_events = text(header::ACCEPT).is_some_and(|kinds| kinds.contains("text/event-stream"));
    let (turn, named) = idempotency::turn(&headers, tenant.id)?;
    // A turn that is asked for again is of the session that it was of, also where the caller did not name it.
    let session = match (&body.session_id, named) {
        (None, true) => format!("s-{}", turn.simple()),
        _ => session,
    };
    let wanted = Wanted {
        turn,
        named,
        session,
        text: message,
        detach: body.detach,
        once: false,
        model,
    };
    let mut follower = turn::start(&app, &tenant, wanted)?;
    if body.stream.unwrap_or(asked_for_events) {
        follower.until(Stage::Open).await?;
        return Ok(sse::answer(follower));
    }
    Ok(Json(follower.answer().await?).into_response())
}

/// A message that can be sent.
fn checked(message: Option<String>) -> Result<String, ApiError> {
    let refused = |reason: String| ApiError::InvalidField {
        field: "message",
        reason,
    };
    match message {
        Some(message) if message.len() > MESSAGE_BYTES => {
            Err(refused(format!("A message has at most {MESSAGE_BYTES} bytes.")))
        }
        Some(message) if !message.trim().is_empty() => Ok(message),
        _ => Err(refused("The message is empty.".to_owned())),
    }
}
