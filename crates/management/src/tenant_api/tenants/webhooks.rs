//! `GET /api/v1/tenants/{id}/webhooks`: where the ends of the tenant's turns, and what its agent asks for, are told, and how the last delivery went.
//!
//! `POST /api/v1/tenants/{id}/webhooks`: adds one; the secret of its signatures is in the answer, this once.
//!
//! `DELETE /api/v1/tenants/{id}/webhooks/{webhook}`: ends one, with what waits for it.
//!
//! `POST /api/v1/tenants/{id}/webhooks/{webhook}/test`: tells one that it is tested, at once, and says whether it was taken.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use protocol::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::EventKind;
use super::super::access::Operator;
use super::super::idempotency::Write;
use super::{Named, Part, target, write_down};
use crate::access::Body;
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::clock::millis;
use crate::delivery::{NewHook, NoHook, Wrong};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_webhooks::Webhook;
use crate::storage::{TenantTransaction, api_tenants, api_webhooks, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(as = WantedWebhook, examples(json!({"url": "https://hooks.example/turns", "events": ["turn.finished", "turn.failed"]})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// `https://…`; one on a private address only where the operator has named it (`private_addresses` of `[alerts]`).
    url: String,
    /// What it is told of; at least one.
    #[schema(min_items = 1)]
    events: Vec<EventKind>,
}

/// A webhook, as the operator sees it after it was made.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantWebhook)]
pub(crate) struct WebhookAnswer {
    id: Uuid,
    /// Of its address; the rest is told to nobody.
    host: String,
    events: Vec<EventKind>,
    created_at: Millis,
    /// When it last took something.
    last_sent_at: Option<Millis>,
    last_failed_at: Option<Millis>,
    /// Why the last delivery was not taken. Null: it was, or there was none.
    last_problem: Option<String>,
    /// Deliveries that are to come, or to be tried again.
    waiting: i64,
    /// Deliveries that were given up.
    given_up: i64,
}

impl From<Webhook> for WebhookAnswer {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            host: webhook.host,
            events: webhook.events,
            created_at: millis(webhook.created_at),
            last_sent_at: webhook.last_sent_at.map(millis),
            last_failed_at: webhook.last_failed_at.map(millis),
            last_problem: Some(webhook.last_problem).filter(|problem| !problem.is_empty()),
            waiting: webhook.waiting,
            given_up: webhook.given_up,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantWebhooks, examples(json!({"webhooks": [{
    "id": "01981a2c-5c51-7a2f-8d10-0a1b2c3d4e5f", "host": "hooks.example", "events": ["turn.finished", "turn.failed"],
    "created_at": 1_795_000_000_000_i64, "last_sent_at": 1_795_000_060_000_i64, "last_failed_at": null, "last_problem": null,
    "waiting": 0, "given_up": 0,
}]})))]
pub(crate) struct Listed {
    /// Oldest first.
    webhooks: Vec<WebhookAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeWebhook, examples(json!({
    "id": "01981a2c-5c51-7a2f-8d10-0a1b2c3d4e5f", "host": "hooks.example", "events": ["turn.finished", "turn.failed"],
    "created_at": 1_795_000_000_000_i64, "last_sent_at": null, "last_failed_at": null, "last_problem": null,
    "waiting": 0, "given_up": 0, "secret": "whsec_…",
})))]
pub(crate) struct Made {
    #[serde(flatten)]
    answer: WebhookAnswer,
    /// What its receiver checks signatures with (Standard Webhooks), in clear this once.
    secret: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest, examples(json!({"delivered": false, "problem": "it answered 500: it has trouble of its own."})))]
pub(crate) struct Tested {
    delivered: bool,
    /// What to look at, where it was not taken.
    problem: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
) -> Result<Json<Listed>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let webhooks = api_webhooks::list(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Json(Listed {
        webhooks: webhooks.into_iter().map(WebhookAnswer::from).collect(),
    }))
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    write: Write,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let mut events = wanted.events;
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        return Err(ApiError::InvalidField {
            field: "events",
            reason: "Name at least one: `turn.finished`, `turn.failed`, `approval.waiting`, `approval.ended`."
                .to_owned(),
        });
    }
    let custody = &app.tenant_api()?.custody;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    // Locked, so that none comes after the tenant has gone.
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let new = NewHook::new(&app.delivery, custody, &*app.entropy, &mut transaction, &wanted.url).await;
    let new = new.map_err(|error| match error {
        NoHook::Wrong(Wrong::Field { field, reason }) => ApiError::InvalidField { field, reason },
        NoHook::Wrong(Wrong::Entropy(error)) => error.into(),
        NoHook::Custody(error) => error.into(),
    })?;
    if !api_webhooks::create(&mut transaction, &new, &events, app.clock.now()).await? {
        return Err(ApiError::LimitReached(limits::TENANT_WEBHOOKS));
    }
    let made = api_webhooks::find(&mut transaction, new.id).await?;
    let entry = Entry::done(Action::ApiTenantWebhookAdded)
        .on(target(&tenant))
        .with("webhook", new.id)
        .with("host", &new.host);
    write_down(&app, &mut transaction, &operator, &entry).await?;
    let made = Made {
        answer: made.ok_or(ApiError::NotFound)?.into(),
        secret: new.secret,
    };
    write.made(&app, &mut transaction, &made).await?;
    transaction.commit().await?;
    Ok(Created(made))
}

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    Part(webhook): Part,
    write: Write,
) -> Result<NoContent, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    wrapping_keys::newest(&mut transaction).await?;
    if !api_webhooks::remove(&mut transaction, webhook).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::ApiTenantWebhookRemoved)
        .on(target(&tenant))
        .with("webhook", webhook);
    write_down(&app, &mut transaction, &operator, &entry).await?;
    write.ended(&app, &mut transaction).await?;
    transaction.commit().await?;
    Ok(NoContent)
}

pub(crate) async fn test(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
    Part(webhook): Part,
) -> Result<Json<Tested>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let found = api_webhooks::find(&mut transaction, webhook).await?;
    transaction.commit().await?;
    let found = found.ok_or(ApiError::NotFound)?;
    app.limits.destination_test(id).await.map_err(ApiError::TooMany)?;
    let told = app.delivery.test_hook(id, webhook, &found.sealed).await;
    let problem = told.err().map(|error| format!("{error}."));
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    match &problem {
        None => api_webhooks::arrived(&mut transaction, webhook, now).await?,
        Some(problem) => api_webhooks::not_arrived(&mut transaction, webhook, problem, false, now).await?,
    }
    transaction.commit().await?;
    Ok(Json(Tested {
        delivered: problem.is_none(),
        problem,
    }))
}
