//! `POST /api/v1/chat`: one message to an agent of the tenant's, and its answer, whole or as it comes.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use protocol::limits::MESSAGE_BYTES;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::{self, KeyEnd, Tenant};
use super::sse::{LastEvent, WholeOrEvents};
use super::turn::{self, Wanted, Words};
use super::turns::{Final, Stage, TurnEvent};
use super::{idempotency, sessions, sse};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"session_id": "first", "message": "Hello"})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Chat {
    /// The caller's name for the session. Absent: a new one is made.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,128}$")]
    session_id: Option<String>,
    /// The name of the agent that is spoken to. Absent: `main`.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    agent: Option<String>,
    /// Needed, but where `Last-Event-ID` names an event.
    message: Option<String>,
    /// Events instead of one answer; also asked for with `Accept: text/event-stream`.
    stream: Option<bool>,
    /// The agent's, if any is named.
    model: Option<String>,
    /// Go on when the client closes. One request with it is enough for a turn that several ask for under one `Idempotency-Key`, whichever of
    /// them closes.
    #[serde(default)]
    detach: bool,
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    KeyEnd(key_end): KeyEnd,
    headers: HeaderMap,
    LastEvent(last): LastEvent,
    body: Result<Body<Chat>, ApiError>,
) -> Result<WholeOrEvents<Final, TurnEvent>, ApiError> {
    if let Some(last) = last {
        let follower = turn::resume(&app, tenant.id, &last)?.until_end_of(key_end);
        return Ok(WholeOrEvents::events(sse::answer(follower)));
    }
    let Body(body) = body?;
    let session = match &body.session_id {
        Some(id) => sessions::check(id)?.to_owned(),
        None => turn::new_session(),
    };
    let agent = access::agent(&app, &tenant, body.agent.as_deref()).await?;
    let model = turn::model_of(&agent)?.to_owned();
    if body.model.as_ref().is_some_and(|wanted| *wanted != model) {
        return Err(ApiError::InvalidField {
            field: "model",
            reason: format!("This agent's model is `{model}`. Leave it out, or PATCH the tenant, or the agent."),
        });
    }
    let message = checked(body.message)?;
    let accepted = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok());
    let asked_for_events = accepted.is_some_and(|kinds| kinds.contains("text/event-stream"));
    let (turn, named) = idempotency::turn(&headers, &agent)?;
    // A turn that is asked for again is of the session that it was of, also where the caller did not name it.
    let session = match (&body.session_id, named) {
        (None, true) => format!("s-{}", turn.simple()),
        _ => session,
    };
    let wanted = Wanted {
        turn,
        named,
        session,
        unnamed: false,
        words: Words::Text(message),
        detach: body.detach,
        once: false,
        functions: None,
        model,
    };
    let mut follower = turn::start(&app, &agent, wanted)?.until_end_of(key_end);
    if body.stream.unwrap_or(asked_for_events) {
        follower.begins(Stage::Open).await?;
        return Ok(WholeOrEvents::events(sse::answer(follower)));
    }
    Ok(WholeOrEvents::Whole(follower.answer().await?))
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
