//! Conversations with one of a tenant's agents, under the names that the developer gave them. What was said, and titles, come from the cell, which is
//! woken for it.
//!
//! `GET /api/v1/sessions`: its sessions, in the order of their names, page by page.
//!
//! `GET /api/v1/sessions/{id}`: a session and what was said in it, the last page first.
//!
//! `PATCH /api/v1/sessions/{id}`: JSON Merge Patch (RFC 7396): gives a session another title.
//!
//! `DELETE /api/v1/sessions/{id}`: deletes a session, its transcript and its archives.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::response::NoContent;
use futures::FutureExt as _;
use futures::future::join_all;
use protocol::Millis;
use protocol::chat::{Conversation, Message, Status};
use protocol::limits::TITLE_CHARS;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::access::{self, Talking};
use super::agents::{AgentError, read};
use super::idempotency::Write;
use super::in_time;
use super::schedules;
use super::tenants::given;
use super::turn;
use super::turns::{Answer, Turn};
use crate::access::{Body, Client, InQuery};
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::clock::millis;
use crate::limits;
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;
use crate::repeating::Repeating;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_sessions::{self, ApiSession};
use crate::storage::{TenantTransaction, api_tenants, wrapping_keys};

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

#[derive(Deserialize, IntoParams)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChatSessions, examples(json!({
    "sessions": [{
        "id": "first", "title": "Saying hello", "created_at": 1_795_000_000_000_i64, "used_at": 1_795_000_060_000_i64, "running": false,
    }],
})))]
pub(crate) struct Sessions {
    sessions: Vec<SessionAnswer>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One session.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatSession, examples(json!({
    "id": "first", "title": "Saying hello", "created_at": 1_795_000_000_000_i64, "used_at": 1_795_000_060_000_i64, "running": false,
})))]
pub(crate) struct SessionAnswer {
    id: String,
    /// Empty where there is none yet.
    title: String,
    created_at: Millis,
    used_at: Millis,
    /// The agent works in it at this moment.
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
async fn conversations(app: &App, agent: &ApiAgent) -> Result<HashMap<String, Conversation>, ApiError> {
    let listed = app.tenant_api()?.ask(agent.cell(), "chat.list", json!({})).await?;
    let listed: Listed = read(listed)?;
    Ok(listed
        .conversations
        .into_iter()
        .map(|row| (row.id.clone(), row))
        .collect())
}

/// The session in the path.
pub(crate) struct Called(String);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        // What cannot be read is no name, as any other that is none.
        let Path(id) = path.unwrap_or_else(|_| Path(String::new()));
        check(&id)?;
        Ok(Self(id))
    }
}

impl InContract for Called {
    fn describe(sketch: &mut Sketch) {
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!("^[A-Za-z0-9_-]{{1,{}}}$", limits::API_SESSION_CHARS)));
        sketch.placeholder = Some(name.into());
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    Talking(agent): Talking,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Sessions>, ApiError> {
    let after = page.cursor.as_deref().map(check).transpose()?;
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let mut sessions =
        api_sessions::list(&mut transaction, &agent.name, after, limits::API_SESSIONS_LISTED + 1).await?;
    transaction.commit().await?;
    let most = usize::try_from(limits::API_SESSIONS_LISTED).unwrap_or(usize::MAX);
    let more = sessions.len() > most;
    sessions.truncate(most);
    // An agent that was never told anything is not woken to say so.
    let known = match sessions.is_empty() {
        true => HashMap::new(),
        false => conversations(&app, &agent).await?,
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

pub(super) async fn find(app: &App, agent: &ApiAgent, id: &str) -> Result<ApiSession, ApiError> {
    check(id)?;
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let found = api_sessions::find(&mut transaction, &agent.name, id).await?;
    transaction.commit().await?;
    found.ok_or(ApiError::NotFound)
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct Older {
    /// A message's id: the page before it.
    before: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "first", "title": "Saying hello", "created_at": 1_795_000_000_000_i64, "used_at": 1_795_000_060_000_i64, "running": false,
    "messages": [{
        "id": "u-6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "role": "user", "at": 1_795_000_060_000_i64, "text": "Hello", "tools": [],
        "status": "done",
    }],
    "more": false,
})))]
pub(crate) struct Transcript {
    #[serde(flatten)]
    session: SessionAnswer,
    messages: Vec<MessageAnswer>,
    /// There are older ones.
    more: bool,
}

/// A message, and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = SaidMessage)]
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
    Talking(agent): Talking,
    Called(id): Called,
    InQuery(older): InQuery<Older>,
) -> Result<Json<Transcript>, ApiError> {
    let session = find(&app, &agent, &id).await?;
    let params = json!({"conversation": session.conversation, "before": older.before});
    let opened = app.tenant_api()?.ask(agent.cell(), "chat.open", params).await?;
    let opened: Opened = read(opened)?;
    let known = conversations(&app, &agent).await?;
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

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"title": "Saying hello"})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// It can be replaced and not taken away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1)]
    title: Option<Option<String>>,
}

pub(crate) async fn patch(
    State(app): State<App>,
    Talking(agent): Talking,
    Called(id): Called,
    Body(change): Body<Change>,
) -> Result<Json<SessionAnswer>, ApiError> {
    let session = find(&app, &agent, &id).await?;
    if let Some(title) = change.title {
        let title = title.unwrap_or_default();
        let title = title.trim();
        if title.is_empty() || title.chars().count() > TITLE_CHARS {
            return Err(ApiError::InvalidField {
                field: "title",
                reason: format!("A title has 1 to {TITLE_CHARS} characters."),
            });
        }
        // First, so that it does not make room meanwhile.
        let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
        api_sessions::name(&mut transaction, &agent.name, &id).await?;
        transaction.commit().await?;
        let params = json!({"conversation": session.conversation, "title": title});
        app.tenant_api()?.ask(agent.cell(), "chat.rename", params).await?;
    }
    let known = conversations(&app, &agent).await?;
    let row = known.get(&session.conversation);
    Ok(Json(SessionAnswer::new(session, row)))
}

pub(crate) async fn delete(
    State(app): State<App>,
    Talking(agent): Talking,
    client: Client,
    Called(id): Called,
    write: Write,
) -> Result<NoContent, ApiError> {
    match remove(&app, &agent, &id, Some((&client, &write))).await? {
        true => Ok(NoContent),
        false => Err(ApiError::NotFound),
    }
}

/// Deletes a session that was for one turn, and those of earlier turns that a server left, or did not come to make, when it ended. Then makes
/// room for others.
pub(super) async fn remove_single(app: &App, agent: &ApiAgent, own: Option<&str>) -> Result<(), ApiError> {
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let left = api_sessions::left(&mut transaction, &agent.name, now, limits::API_SESSIONS_LISTED).await?;
    transaction.commit().await?;
    if let Some(own) = own {
        remove(app, agent, own, None).await?;
    }
    for id in left {
        // Each takes a while: somebody may have asked for it again.
        let is_over = |session: &ApiSession| session.gone_at.is_some_and(|at| at < now);
        if find(app, agent, &id).await.is_ok_and(|session| is_over(&session)) {
            remove(app, agent, &id, None).await?;
        }
    }
    make_room(app, agent).await
}

/// Deletes sessions that nobody named, the one that was used longest ago first, until the agent has no more than `limits::UNNAMED_GIVE_WAY`; none in
/// which a turn runs, and none of the `limits::UNNAMED_KEPT` that were used last.
async fn make_room(app: &App, agent: &ApiAgent) -> Result<(), ApiError> {
    let turns = &app.tenant_api()?.turns;
    // In each turn that runs is one of them at most.
    let most = i64::try_from(limits::TENANT_TURNS + 1).unwrap_or(i64::MAX);
    loop {
        let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
        let bounds = (limits::UNNAMED_GIVE_WAY, limits::UNNAMED_KEPT);
        let giving_way = api_sessions::giving_way(&mut transaction, &agent.name, bounds, most).await?;
        transaction.commit().await?;
        let is_quiet = |id: &&String| !turns.runs_in(agent.tenant, &agent.name, id);
        let Some(first) = giving_way.iter().find(is_quiet) else {
            return Ok(());
        };
        remove(app, agent, first, None).await?;
    }
}

/// Deletes what is left of single turns, of whichever agent, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::SINGLE_TURNS_SWEPT, move || {
        let app = app.clone();
        async move {
            if let Err(error) = sweep(&app).await {
                tracing::warn!(%error, "sessions that were left of single turns could not be looked for; they are later");
            }
        }
    })
}

async fn sweep(app: &App) -> Result<(), ApiError> {
    let api = app.tenant_api()?;
    for (tenant, name) in api_sessions::left_of(&app.database, app.clock.now(), limits::API_SESSIONS_LISTED).await? {
        let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
        let found = api_tenants::find(&mut transaction).await?;
        transaction.commit().await?;
        let Some(found) = found else { continue };
        // One that is being removed takes them along.
        let Ok(agent) = access::agent(app, &found, Some(&name)).await else {
            continue;
        };
        // Nobody waits for it.
        if !api.agents.has_room(agent.cell()) {
            continue;
        }
        if let Err(error) = remove_single(app, &agent, None).await {
            tracing::warn!(%error, %tenant, agent = name, "sessions that were left of single turns are not removed yet");
        }
        schedules::leave(app, tenant, &name, agent.cell()).await;
    }
    Ok(())
}

/// Deletes a session with its transcript and its archives; `false` if there is none. Written down where somebody asked for it, and kept with what
/// they are answered.
pub(super) async fn remove(
    app: &App,
    agent: &ApiAgent,
    id: &str,
    asked_by: Option<(&Client, &Write)>,
) -> Result<bool, ApiError> {
    let session = match find(app, agent, id).await {
        Ok(session) => session,
        Err(ApiError::NotFound) => return Ok(false),
        Err(error) => return Err(error),
    };
    let api = app.tenant_api()?;
    let is_in_it = |turn: &Turn| turn.is_in(&session.conversation);
    if asked_by.is_some() {
        // Before its keeper forgets it, which until then tells how they end.
        let stopped = api.turns.stop(agent.tenant, is_in_it);
        let ended = join_all(stopped.iter().map(|turn| turn.ends()));
        in_time(ended.map(Ok)).await?;
    }
    let params = json!({"conversation": session.conversation});
    match api.ask(agent.cell(), "chat.delete", params).await {
        // Deleted before, by a request that did not come to forget the name.
        Err(AgentError::Refused(error)) if error.code == "unknown_conversation" => {}
        done => {
            done?;
        }
    }
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let is_there = api_sessions::remove(&mut transaction, &agent.name, &session).await?;
    if let Some((client, write)) = asked_by.filter(|_| is_there) {
        wrapping_keys::newest(&mut transaction).await?;
        let entry = Entry::done(Action::ApiTenantSessionRemoved)
            .on(Target::new("api_session", id, id))
            .with("agent", &agent.name);
        let by = By::api_tenant(agent.tenant, &agent.tenant_name, client);
        app.audit
            .record_operator(&mut transaction, Some(agent.tenant), &by, &entry)
            .await?;
        write.ended(app, &mut transaction).await?;
    }
    transaction.commit().await?;
    if asked_by.is_some() {
        api.turns.forget_deleted(agent.tenant, is_in_it);
    }
    Ok(is_there)
}
