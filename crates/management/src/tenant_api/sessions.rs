//! `/api/v1/sessions`: a tenant's conversations, under the names that the developer gave them. What was said, and titles, come from
//! the cell, which is woken for it.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::Millis;
use protocol::chat::{Conversation, Message, Status};
use protocol::limits::TITLE_CHARS;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::Tenant;
use super::agents::AgentError;
use super::turn;
use super::turns::Answer;
use crate::access::Body;
use crate::access::InQuery;
use crate::app::App;
use crate::clock::millis;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::api_sessions::{self, ApiSession};
use crate::storage::api_tenants::ApiTenant;

/// A session's name, or 400.
pub(super) fn check(id: &str) -> Result<&str, ApiError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match (1..=limits::API_SESSION_CHARS).contains(&id.len()) && id.bytes().all(good) {
        true => Ok(id),
        false => Err(ApiError::BadRequest(format!(
            "a `session_id` is 1 to {} characters of A-Z, a-z, 0-9, _ and -",
            limits::API_SESSION_CHARS
        ))),
    }
}

#[derive(Deserialize)]
pub(crate) struct Page {
    cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Sessions {
    sessions: Vec<SessionAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct SessionAnswer {
    id: String,
    title: String,
    created_at: Millis,
    used_at: Millis,
    running: bool,
}

impl SessionAnswer {
    fn new(session: ApiSession, known: Option<&Conversation>) -> Self {
        Self {
            id: session.id,
            title: known.map(|row| row.title.clone()).unwrap_or_default(),
            created_at: millis(session.created_at),
            used_at: millis(session.used_at),
            running: known.is_some_and(|row| row.running),
        }
    }
}

#[derive(Deserialize)]
struct Listed {
    conversations: Vec<Conversation>,
}

/// The keeper's list.
async fn conversations(app: &App, tenant: &ApiTenant) -> Result<HashMap<String, Conversation>, ApiError> {
    let listed = app
        .tenant_api()?
        .agents
        .call(tenant.cell(), "chat.list", json!({}))
        .await?;
    let listed: Listed = read(listed)?;
    Ok(listed
        .conversations
        .into_iter()
        .map(|row| (row.id.clone(), row))
        .collect())
}

fn read<T: for<'de> Deserialize<'de>>(value: serde_json::Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| AgentError::Failed(format!("the keeper's answer: {error}")).into())
}

pub(crate) async fn list(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Sessions>, ApiError> {
    let after = page.cursor.as_deref().map(check).transpose()?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let mut sessions = api_sessions::list(&mut transaction, after, limits::API_SESSIONS_LISTED + 1).await?;
    transaction.commit().await?;
    let most = usize::try_from(limits::API_SESSIONS_LISTED).unwrap_or(usize::MAX);
    let more = sessions.len() > most;
    sessions.truncate(most);
    // A tenant that never said anything is not woken to say so.
    let known = match sessions.is_empty() {
        true => HashMap::new(),
        false => conversations(&app, &tenant).await?,
    };
    let next_cursor = sessions.last().filter(|_| more).map(|last| last.id.clone());
    let sessions = sessions.into_iter().map(|session| {
        let row = known.get(&session.conversation);
        SessionAnswer::new(session, row)
    });
    Ok(Json(Sessions {
        sessions: sessions.collect(),
        next_cursor,
    }))
}

async fn find(app: &App, tenant: &ApiTenant, id: &str) -> Result<ApiSession, ApiError> {
    check(id)?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let found = api_sessions::find(&mut transaction, id).await?;
    transaction.commit().await?;
    found.ok_or(ApiError::NotFound)
}

#[derive(Deserialize)]
pub(crate) struct Older {
    /// A message's id: the page before it.
    before: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Transcript {
    #[serde(flatten)]
    session: SessionAnswer,
    messages: Vec<MessageAnswer>,
    /// There are older ones.
    more: bool,
}

#[derive(Serialize)]
struct MessageAnswer {
    #[serde(flatten)]
    message: Answer,
    status: Status,
}

#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    messages: Vec<Message>,
    more: bool,
}

pub(crate) async fn get(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    InQuery(older): InQuery<Older>,
) -> Result<Json<Transcript>, ApiError> {
    let session = find(&app, &tenant, &id).await?;
    let params = json!({"conversation": session.conversation, "before": older.before});
    let opened = app
        .tenant_api()?
        .agents
        .call(tenant.cell(), "chat.open", params)
        .await?;
    let opened: Opened = read(opened)?;
    let known = conversations(&app, &tenant).await?;
    let row = known.get(&session.conversation);
    let messages = opened.messages.into_iter().map(|message| MessageAnswer {
        status: message.status,
        message: turn::answer(message),
    });
    Ok(Json(Transcript {
        messages: messages.collect(),
        more: opened.more,
        session: SessionAnswer::new(session, row),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    title: String,
}

pub(crate) async fn patch(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<SessionAnswer>, ApiError> {
    let session = find(&app, &tenant, &id).await?;
    let title = change.title.trim();
    if title.is_empty() || title.chars().count() > TITLE_CHARS {
        return Err(ApiError::InvalidField {
            field: "title",
            reason: format!("A title has 1 to {TITLE_CHARS} characters."),
        });
    }
    let params = json!({"conversation": session.conversation, "title": title});
    app.tenant_api()?
        .agents
        .call(tenant.cell(), "chat.rename", params)
        .await?;
    let known = conversations(&app, &tenant).await?;
    let row = known.get(&session.conversation);
    Ok(Json(SessionAnswer::new(session, row)))
}

pub(crate) async fn delete(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    match remove(&app, &tenant, &id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound),
    }
}

/// Deletes a session with its transcript and its archives; `false` if there is none.
pub(super) async fn remove(app: &App, tenant: &ApiTenant, id: &str) -> Result<bool, ApiError> {
    let session = match find(app, tenant, id).await {
        Ok(session) => session,
        Err(ApiError::NotFound) => return Ok(false),
        Err(error) => return Err(error),
    };
    let params = json!({"conversation": session.conversation});
    match app
        .tenant_api()?
        .agents
        .call(tenant.cell(), "chat.delete", params)
        .await
    {
        // Deleted before, by a request that did not come to forget the name.
        Err(AgentError::Refused(error)) if error.code == "unknown_conversation" => {}
        done => {
            done?;
        }
    }
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    api_sessions::remove(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(true)
}
