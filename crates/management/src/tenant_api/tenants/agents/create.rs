//! `POST /api/v1/tenants/{id}/agents`: another agent of the tenant, with a cell of its own.

use axum::extract::State;
use protocol::CellId;
use protocol::template::AgentTemplate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::super::access::{Operator, agent_name};
use super::super::super::idempotency::Write;
use super::super::super::schedules;
use super::super::super::shares;
use super::super::{
    FallbackWanted, ModelWanted, Models, Named, News, given_template, tell, template_called, write_down,
};
use super::{AgentAnswer, ShareWanted, remove, target};
use crate::access::Body;
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::{self, ApiTenant, Share};
use crate::storage::{TenantTransaction, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(as = WantedAgent, examples(json!({
    "name": "press", "template": "writer", "model": {"key": "sk-of-anna"}, "limits": {"spend_day": 1_000_000},
})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// 1 to 40 of `a-z`, `0-9` and `-`, with no `-` at its ends; `main` is there already.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    name: String,
    /// The name of the template that it is; absent: OpenClaw as it comes. The answer waits until it is in the agent's cell.
    #[serde(default)]
    template: Option<String>,
    /// What it does not say is as the template's, and then as the tenant's, but for the key, which goes into the vault of the agent's cell.
    #[serde(default)]
    model: Option<ModelWanted>,
    /// Models that it goes on to where that one cannot answer, in this order, with their keys: none of the tenant's is taken over.
    #[serde(default)]
    #[schema(max_items = 9)]
    fallbacks: Option<Vec<FallbackWanted>>,
    /// Its share of what the tenant may spend.
    #[serde(default)]
    limits: ShareWanted,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    write: Write,
    Body(wanted): Body<Wanted>,
) -> Result<Created<AgentAnswer>, ApiError> {
    let name = agent_name(&wanted.name)?;
    let share = wanted.limits.onto(Share::default())?;
    let template = match &wanted.template {
        Some(name) => Some(template_called(&app, name).await?),
        None => None,
    };
    let (template, of_template) = template.map(|template| (template.content, template.model)).unzip();
    let (cell, now) = (CellId::new(), app.clock.now());
    let _alone = app.tenant_api()?.shares.of(id).await;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let model = wanted
        .model
        .map(|model| model.or(of_template.flatten()).or(tenant.model.clone()));
    let models = Models::wanted(None, &[], model, wanted.fallbacks)?;
    let mut others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    if name == api_agents::MAIN || others.iter().any(|other| other.name == name) {
        return Err(ApiError::AgentKnown);
    }
    let agent = ApiAgent {
        name: name.to_owned(),
        cell,
        template: template.as_ref().map(given_template),
        model: models.model,
        fallbacks: models.fallbacks.unwrap_or_default(),
        share,
        created_at: now,
        updated_at: now,
        ..tenant.main()
    };
    others.push(agent.clone());
    // The first one counts, too.
    if others.len() >= limits::TENANT_AGENTS {
        return Err(ApiError::TooManyAgents);
    }
    shares::check(tenant.limits, &others)?;
    shares::take_from_main(&app, &tenant, &others, true).await?;
    if let Err(error) = begin(&app, &agent, &write).await {
        shares::tell_main_again(&app, id).await;
        return Err(error);
    }
    let news = News {
        template: template.as_ref().map(Some),
        model: models.news,
        spending: (share != Share::default()).then_some(share),
    };
    let made = async {
        tell(&app, agent.cell(), news).await?;
        let state = app.cells.state(agent.cell()).await.ok();
        let entry = Entry::done(Action::ApiAgentMade);
        // Also where it has no template: what is left of an earlier one of its name is not its own.
        let mut transaction = store(&app, &operator, &tenant, &agent, Some(template.as_ref()), entry).await?;
        let schedule = schedules::within(&mut transaction, &agent).await?;
        let made = AgentAnswer::of(agent.clone(), state, schedule);
        write.made(&app, &mut transaction, &made).await?;
        transaction.commit().await?;
        Ok::<_, ApiError>(made)
    };
    match made.await {
        Ok(made) => {
            tracing::info!(tenant = %id, agent = agent.name, "an agent of a tenant was made by the operator");
            Ok(Created(made))
        }
        Err(error) => {
            // Half of an agent is none. Nobody could talk to it, so it has spent nothing.
            if let Err(error) = undo(&app, &tenant, &agent).await {
                tracing::error!(%error, tenant = %tenant.id, agent = agent.name, "an agent that was not made whole could not be removed");
            }
            Err(error)
        }
    }
}

/// From here on it has its share and what opens its vault, and no model: nobody can talk to it yet.
async fn begin(app: &App, agent: &ApiAgent, write: &Write) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    if !api_agents::create(&mut transaction, &agent.name, agent.cell, agent.share, agent.created_at).await? {
        return Err(ApiError::AgentKnown);
    }
    let custody = &app.tenant_api()?.custody;
    custody.keep_new(&mut transaction, agent.cell).await?;
    write.makes(&mut transaction, agent.cell).await?;
    Ok(transaction.commit().await?)
}

/// What the keeper was told is stored as told, and written down, once this is committed.
pub(super) async fn store(
    app: &App,
    operator: &Operator,
    tenant: &ApiTenant,
    agent: &ApiAgent,
    template: Option<Option<&AgentTemplate>>,
    entry: Entry,
) -> Result<TenantTransaction, ApiError> {
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    // From here on, whoever removes it on another server waits, and finds its jobs.
    if !api_agents::change(&mut transaction, agent, now).await? {
        return Err(ApiError::NotFound);
    }
    wrapping_keys::newest(&mut transaction).await?;
    if let Some(template) = template {
        schedules::give(&mut transaction, &agent.name, template, now).await?;
    }
    let entry = entry.on(target(tenant, &agent.name));
    write_down(app, &mut transaction, operator, &entry).await?;
    Ok(transaction)
}

pub(in super::super) async fn undo(app: &App, tenant: &ApiTenant, agent: &ApiAgent) -> Result<(), ApiError> {
    remove::everything(app, tenant, agent, Share::default(), None).await?;
    if tenant.limits.of_spending() {
        shares::tell_main(app, tenant.id).await?;
    }
    Ok(())
}
