//! `PATCH /api/v1/tenants/{id}/agents/{name}`: JSON Merge Patch (RFC 7396): what is absent stays, null takes away.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::super::access::Operator;
use super::super::super::idempotency::Write;
use super::super::super::{schedules, shares};
use super::super::{FallbackWanted, ModelWanted, Models, Named, News, given, given_template, tell, template_wanted};
use super::{AgentAnswer, Called, ShareWanted, create};
use crate::access::Body;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::{self, ApiTenant, Share};
use crate::storage::{TenantTransaction, api_writes};

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedAgent, examples(json!({"template": "writer", "limits": {"spend_day": 2_000_000}})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// As for a tenant.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    template: Option<Option<String>>,
    /// It can be replaced and not taken away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ModelWanted>)]
    model: Option<Option<ModelWanted>>,
    /// As for a tenant.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<FallbackWanted>>, max_items = 9)]
    fallbacks: Option<Option<Vec<FallbackWanted>>>,
    /// More is taken from what `main` has not spent; what comes back is `main`'s when the day, or the month, is over.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ShareWanted>)]
    limits: Option<Option<ShareWanted>>,
}

pub(crate) async fn patch(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    Called(name): Called,
    write: Write,
    Body(change): Body<Change>,
) -> Result<Json<AgentAnswer>, ApiError> {
    let template = template_wanted(&app, change.template.as_ref()).await?;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    transaction.commit().await?;
    shares::give_back(&app, id, tenant.held.on).await?;
    let _alone = app.tenant_api()?.shares.of(id).await;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    if name == api_agents::MAIN {
        return Err(ApiError::AgentMain);
    }
    let found = api_agents::find(&mut transaction, &tenant, &name).await?;
    let mut agent = found.ok_or(ApiError::NotFound)?;
    // What an earlier change, or the making of this agent, did not come to the end of, this one does.
    let spending = tenant.limits.of_spending() || agent.share != Share::default() || change.limits.is_some();
    let mut changed = Vec::new();
    changed.extend(change.template.is_some().then_some("template"));
    changed.extend(change.model.is_some().then_some("model"));
    changed.extend(change.fallbacks.is_some().then_some("fallbacks"));
    changed.extend(change.limits.is_some().then_some("limits"));
    let before = agent.share;
    agent.share = match change.limits {
        Some(Some(wanted)) => wanted.onto(before)?,
        Some(None) => Share::default(),
        None => before,
    };
    if let Some(template) = &template {
        agent.template = template.as_ref().map(given_template);
    }
    if let Some(None) = change.model {
        return Err(ApiError::InvalidField {
            field: "model",
            reason: "A model can be replaced and not taken away: remove the agent.".to_owned(),
        });
    }
    let fallbacks = change.fallbacks.map(Option::unwrap_or_default);
    let models = Models::wanted(
        agent.model.as_ref(),
        &agent.fallbacks,
        change.model.flatten(),
        fallbacks,
    )?;
    agent.model = models.model.or(agent.model);
    agent.fallbacks = models.fallbacks.unwrap_or(agent.fallbacks);
    let more = before.or_more(agent.share);
    let mut others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    for other in others.iter_mut().filter(|other| other.name == name) {
        other.share = more;
    }
    if more != before {
        shares::check(tenant.limits, &others)?;
    }
    shares::take_from_main(&app, &tenant, &others, more != before).await?;
    if more != before
        && let Err(error) = take(&app, &tenant, &name, more).await
    {
        shares::tell_main_again(&app, id).await;
        return Err(error);
    }
    let news = News {
        template: template.as_ref().map(Option::as_ref),
        model: models.news,
        spending: spending.then_some(agent.share),
    };
    // Where this fails, what is stored is the most that its keeper may have been told.
    tell(&app, agent.cell(), news).await?;
    let state = app.cells.state(agent.cell()).await.ok();
    agent.updated_at = app.clock.now();
    let entry = Entry::done(Action::ApiAgentChanged).with("changed", changed.join(", "));
    give(&app, &tenant, &agent, before).await?;
    let template = template.as_ref().map(Option::as_ref);
    let mut stored = create::store(&app, &operator, &tenant, &agent, template, entry).await?;
    api_writes::taken_over(&mut stored, agent.cell).await?;
    let schedule = schedules::within(&mut stored, &agent).await?;
    let answer = AgentAnswer::of(agent, state, schedule);
    write.done(&app, &mut stored, &answer).await?;
    stored.commit().await?;
    Ok(Json(answer))
}

/// The first agent has lost it: from here on it is this one's, though it has not been told so.
async fn take(app: &App, tenant: &ApiTenant, name: &str, more: Share) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    api_agents::share(&mut transaction, name, more).await?;
    Ok(transaction.commit().await?)
}

/// It has been told its share: what comes back is held.
async fn give(app: &App, tenant: &ApiTenant, agent: &ApiAgent, before: Share) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    api_agents::share(&mut transaction, &agent.name, agent.share).await?;
    let held = tenant
        .held
        .with(before.back(agent.share), tenant.limits, app.clock.now());
    api_agents::hold(&mut transaction, held).await?;
    let others = api_agents::list(&mut transaction, &tenant).await?;
    shares::check(tenant.limits, &others)?;
    Ok(transaction.commit().await?)
}
