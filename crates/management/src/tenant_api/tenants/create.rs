//! `POST /api/v1/tenants`: a tenant with a cell of its own, what opens its vault, and its first key, told this once.

use axum::extract::State;
use protocol::template::AgentTemplate;
use protocol::{CellId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::access::Operator;
use super::super::schedules;
use super::super::shares;
use super::{
    LimitsWanted, ModelWanted, News, TenantAnswer, given_template, remove, target, tell, template_called, write_down,
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
use crate::storage::{TenantTransaction, api_agents, api_tenant_keys};

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({
    "name": "Anna", "template": "writer",
    "model": {
        "kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-of-anna", "model": "gpt-5",
        "price": {"input": 1_250_000, "output": 10_000_000},
    },
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
    #[serde(default)]
    limits: LimitsWanted,
}

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11", "name": "Anna",
    "template": {"name": "writer", "version": "5f0c2a91d3b4e678"},
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
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
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let name = name("name", &wanted.name)?;
    let template = match &wanted.template {
        Some(name) => Some(template_called(&app, name).await?),
        None => None,
    };
    let (template, of_template) = template.map(|template| (template.content, template.model)).unzip();
    let model = wanted.model.map(|model| model.or(of_template.flatten()).onto(None));
    let model = model.transpose()?;
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
    transaction.commit().await?;

    let (model, params) = model.unzip();
    let tenant = ApiTenant {
        id,
        cell,
        name: name.as_str().to_owned(),
        template: template.as_ref().map(given_template),
        model,
        limits: wanted_limits,
        held: Held::default(),
        created_at: now,
        updated_at: now,
    };
    let share = shares::left(&tenant, &[], now);
    let news = News {
        template: template.as_ref().map(Some),
        model: params,
        spending: (share != Share::default()).then_some(share),
    };
    let told = match tell(&app, tenant.cell(), news).await {
        Ok(()) => {
            store(
                &app,
                &operator,
                &tenant,
                Some(template.as_ref()),
                Entry::done(Action::ApiTenantMade),
            )
            .await
        }
        error => error,
    };
    if let Err(error) = told {
        // Half of a tenant is none: whoever asked may ask again.
        if let Err(error) = remove::everything(&app, &tenant, None).await {
            tracing::error!(%error, tenant = %tenant.id, "a tenant that was not made whole could not be removed");
        }
        return Err(error);
    }
    tracing::info!(tenant = %id, "a tenant was made by the operator");
    Ok(Created(Made {
        tenant: TenantAnswer::new(&app, tenant).await,
        key: key.text().as_str().to_owned(),
    }))
}

/// What the keeper was told is stored as told, and written down.
pub(super) async fn store(
    app: &App,
    operator: &Operator,
    tenant: &ApiTenant,
    template: Option<Option<&AgentTemplate>>,
    entry: Entry,
) -> Result<(), ApiError> {
    let now = app.clock.now();
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    if !api_tenants::change(&mut transaction, tenant, now).await? {
        // Another server has removed it meanwhile.
        return Err(ApiError::NotFound);
    }
    if let Some(template) = template {
        schedules::give(&mut transaction, api_agents::MAIN, template, now).await?;
    }
    let entry = entry.on(target(tenant));
    write_down(app, &mut transaction, operator, &entry).await?;
    Ok(transaction.commit().await?)
}
