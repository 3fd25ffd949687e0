//! `POST /api/v1/tenants`: a tenant with a cell of its own, what opens its vault, and its first key, told this once.

use axum::extract::State;
use protocol::template::AgentTemplate;
use protocol::{CellId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::super::schedules;
use super::super::shares;
use super::{
    FallbackWanted, LimitsWanted, ModelWanted, Models, News, TenantAnswer, given_template, remove, target, tell,
    template_called, write_down,
};
use crate::access::Body;
use crate::answer::Created;
use crate::api_key::TenantKey;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::handlers::name;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_tenants::{self, ApiTenant, Held, Limits, Share};
use crate::storage::{TenantTransaction, api_agents, api_tenant_keys, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({
    "name": "Anna", "template": "writer",
    "model": {
        "kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-of-anna", "model": "gpt-5",
        "price": {"input": 1_250_000, "output": 10_000_000},
    },
    "fallbacks": [{
        "kind": "anthropic", "base_url": "https://other-llm.example", "key": "sk-ant-of-anna", "model": "claude",
        "price": {"input": 3_000_000, "output": 15_000_000},
    }],
    "limits": {"requests_per_minute": 60, "spend_day": 5_000_000},
})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: String,
    /// The name of the template that its agent is; absent: OpenClaw as it comes. The answer waits until it is in the tenant's cell.
    #[serde(default)]
    template: Option<String>,
    /// What it does not say is as the template's, but for the key. With a model, the answer waits until its key is in the vault of the tenant's cell.
    #[serde(default)]
    model: Option<ModelWanted>,
    /// Models that the agent goes on to where the first cannot answer, in this order.
    #[serde(default)]
    #[schema(max_items = 9)]
    fallbacks: Option<Vec<FallbackWanted>>,
    #[serde(default)]
    limits: LimitsWanted,
}

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11", "name": "Anna",
    "template": {"name": "writer", "version": "5f0c2a91d3b4e678"},
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    "fallbacks": [{"kind": "anthropic", "base_url": "https://other-llm.example", "model": "claude"}],
    "limits": {"requests_per_minute": 60, "spend_day": 5_000_000, "spend_month": null},
    "cell": {"id": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "state": "asleep"},
    "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
    "key": "ocpk_…",
})))]
pub(crate) struct Made {
    #[serde(flatten)]
    tenant: TenantAnswer,
    /// The tenant's key, told this once.
    key: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    write: Write,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let name = name("name", &wanted.name)?;
    let template = match &wanted.template {
        Some(name) => Some(template_called(&app, name).await?),
        None => None,
    };
    let (template, of_template) = template.map(|template| (template.content, template.model)).unzip();
    let model = wanted.model.map(|model| model.or(of_template.flatten()));
    let models = Models::wanted(None, &[], model, wanted.fallbacks)?;
    let wanted_limits = wanted.limits.onto(Limits::default())?;
    if api_tenants::count(&app.database).await? >= limits::API_TENANTS {
        return Err(ApiError::LimitReached(limits::API_TENANTS));
    }
    let (id, cell, now) = (TenantId::new(), CellId::new(), app.clock.now());
    let key = TenantKey::generate(&*app.entropy)?;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    api_tenants::create(&mut transaction, cell, &name, now).await?;
    app.tenant_api()?.custody.keep_new(&mut transaction, cell).await?;
    api_tenant_keys::create(&mut transaction, &key, now).await?;
    write.makes(&mut transaction, cell).await?;
    transaction.commit().await?;

    let tenant = ApiTenant {
        id,
        cell,
        name: name.as_str().to_owned(),
        template: template.as_ref().map(given_template),
        model: models.model,
        fallbacks: models.fallbacks.unwrap_or_default(),
        limits: wanted_limits,
        held: Held::default(),
        created_at: now,
        updated_at: now,
    };
    let share = shares::left(&tenant, &[], now);
    let news = News {
        template: template.as_ref().map(Some),
        model: models.news,
        spending: (share != Share::default()).then_some(share),
    };
    let made = async {
        tell(&app, tenant.cell(), news).await?;
        let state = app.cells.state(tenant.cell()).await.ok();
        let entry = Entry::done(Action::ApiTenantMade);
        let mut transaction = store(&app, &operator, &tenant, Some(template.as_ref()), entry).await?;
        let schedule = schedules::within(&mut transaction, &tenant.main()).await?;
        let made = Made {
            tenant: TenantAnswer::of(tenant.clone(), state, schedule),
            key: key.text().as_str().to_owned(),
        };
        write.made(&app, &mut transaction, &made).await?;
        transaction.commit().await?;
        Ok::<_, ApiError>(made)
    };
    match made.await {
        Ok(made) => {
            tracing::info!(tenant = %id, "a tenant was made by the operator");
            Ok(Created(made))
        }
        Err(error) => {
            // Half of a tenant is none: whoever asked may ask again.
            if let Err(error) = remove::everything(&app, &tenant, None).await {
                tracing::error!(%error, tenant = %tenant.id, "a tenant that was not made whole could not be removed");
            }
            Err(error)
        }
    }
}

/// What the keeper was told is stored as told, and written down, once this is committed.
pub(super) async fn store(
    app: &App,
    operator: &Operator,
    tenant: &ApiTenant,
    template: Option<Option<&AgentTemplate>>,
    entry: Entry,
) -> Result<TenantTransaction, ApiError> {
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    if !api_tenants::change(&mut transaction, tenant, now).await? {
        // Another server has removed it meanwhile.
        return Err(ApiError::NotFound);
    }
    wrapping_keys::newest(&mut transaction).await?;
    if let Some(template) = template {
        schedules::give(&mut transaction, api_agents::MAIN, template, now).await?;
    }
    let entry = entry.on(target(tenant));
    write_down(app, &mut transaction, operator, &entry).await?;
    Ok(transaction)
}
