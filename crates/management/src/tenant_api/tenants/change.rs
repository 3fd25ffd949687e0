//! `PATCH /api/v1/tenants/{id}`: JSON Merge Patch (RFC 7396): what is absent stays, null takes away.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::super::{schedules, shares};
use super::{
    FallbackWanted, LimitsWanted, ModelWanted, Models, Named, News, TenantAnswer, create, given, given_template, tell,
    template_wanted,
};
use crate::access::Body;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::handlers::name;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_agents, api_tenants, api_writes};

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"name": "Anna B.", "limits": {"spend_month": null}})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// It can be replaced and not taken away, as can the model.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// The name of the template that its agent is from now on, as that is at this moment; null: OpenClaw as it comes. An agent that runs is
    /// started again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    template: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ModelWanted>)]
    model: Option<Option<ModelWanted>>,
    /// Replaced whole. A key may be left out where its `base_url` had one before.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<FallbackWanted>>, max_items = 9)]
    fallbacks: Option<Option<Vec<FallbackWanted>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<LimitsWanted>)]
    limits: Option<Option<LimitsWanted>>,
}

pub(crate) async fn patch(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    write: Write,
    Body(change): Body<Change>,
) -> Result<Json<TenantAnswer>, ApiError> {
    let _alone = app.tenant_api()?.shares.of(id).await;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let mut tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    let mut changed = Vec::new();
    changed.extend(change.name.is_some().then_some("name"));
    changed.extend(change.template.is_some().then_some("template"));
    changed.extend(change.model.is_some().then_some("model"));
    changed.extend(change.fallbacks.is_some().then_some("fallbacks"));
    changed.extend(change.limits.is_some().then_some("limits"));
    match change.name {
        Some(Some(wanted)) => tenant.name = name("name", &wanted)?.as_str().to_owned(),
        Some(None) => {
            return Err(ApiError::InvalidField {
                field: "name",
                reason: "A tenant has a name.".to_owned(),
            });
        }
        None => {}
    }
    let template = template_wanted(&app, change.template.as_ref()).await?;
    if let Some(template) = &template {
        tenant.template = template.as_ref().map(given_template);
    }
    // Also where they are as they were: an earlier change may have been stored and not told, or told and not stored.
    let spending = match &change.limits {
        Some(Some(wanted)) => wanted.names_spending(),
        Some(None) => true,
        None => false,
    };
    match change.limits {
        Some(Some(wanted)) => tenant.limits = wanted.onto(tenant.limits)?,
        Some(None) => tenant.limits = api_tenants::Limits::default(),
        None => {}
    }
    shares::check(tenant.limits, &others)?;
    if let Some(None) = change.model {
        return Err(ApiError::InvalidField {
            field: "model",
            reason: "A model can be replaced and not taken away: remove the tenant, or revoke its keys.".to_owned(),
        });
    }
    let fallbacks = change.fallbacks.map(Option::unwrap_or_default);
    let models = Models::wanted(
        tenant.model.as_ref(),
        &tenant.fallbacks,
        change.model.flatten(),
        fallbacks,
    )?;
    tenant.model = models.model.or(tenant.model);
    tenant.fallbacks = models.fallbacks.unwrap_or(tenant.fallbacks);
    let news = News {
        template: template.as_ref().map(Option::as_ref),
        model: models.news,
        spending: spending.then(|| shares::left(&tenant, &others, app.clock.now())),
    };
    let told = async {
        tell(&app, tenant.cell(), news).await?;
        let state = app.cells.state(tenant.cell()).await.ok();
        tenant.updated_at = app.clock.now();
        let entry = Entry::done(Action::ApiTenantChanged).with("changed", changed.join(", "));
        let template = template.as_ref().map(Option::as_ref);
        let mut stored = create::store(&app, &operator, &tenant, template, entry).await?;
        api_writes::taken_over(&mut stored, tenant.cell).await?;
        let schedule = schedules::within(&mut stored, &tenant.main()).await?;
        let answer = TenantAnswer::of(tenant, state, schedule);
        write.done(&app, &mut stored, &answer).await?;
        stored.commit().await?;
        Ok::<_, ApiError>(answer)
    };
    match told.await {
        Ok(answer) => Ok(Json(answer)),
        Err(error) => {
            if spending {
                shares::tell_main_again(&app, id).await;
            }
            Err(error)
        }
    }
}
