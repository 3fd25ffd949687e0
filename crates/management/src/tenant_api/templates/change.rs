//! `PATCH /api/v1/templates/{name}`: JSON Merge Patch (RFC 7396). What tenants' agents were given before stays as it is until they are
//! given the template again (`PATCH /api/v1/tenants/{id}`).

use axum::Json;
use axum::extract::State;
use protocol::TenantId;
use protocol::template::{Job, Skill, ToolsPolicy};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::super::schedules;
use super::super::tenants::given;
use super::{Called, ModelWanted, Template, TemplateAnswer, built_in, target};
use crate::access::Body;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_templates, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedTemplate, examples(json!({"persona": "You write for the press desk, in English.", "tools": {"deny": ["group:runtime"]}})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    persona: Option<Option<String>>,
    /// All of them: a list is replaced whole.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Skill>>)]
    skills: Option<Option<Vec<Skill>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ToolsChange>)]
    tools: Option<Option<ToolsChange>>,
    /// All of it: a list is replaced whole.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Job>>)]
    schedule: Option<Option<Vec<Job>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ModelWanted>)]
    model: Option<Option<ModelWanted>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedTemplateTools)]
#[serde(deny_unknown_fields)]
struct ToolsChange {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    allow: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    deny: Option<Option<Vec<String>>>,
}

pub(crate) async fn patch(
    State(app): State<App>,
    operator: Operator,
    Called(name): Called,
    write: Write,
    Body(change): Body<Change>,
) -> Result<Json<TemplateAnswer>, ApiError> {
    if built_in::find(&name).is_some() {
        return Err(ApiError::TemplateBuiltIn);
    }
    let mut transaction = api_templates::begin(&app.database).await?;
    let found = api_templates::find(&mut transaction, &name).await?;
    let mut template = found.ok_or(ApiError::NotFound)?;
    let content = &mut template.content;
    let mut changed = Vec::new();
    if let Some(persona) = change.persona {
        changed.push("persona");
        content.persona = persona.unwrap_or_default();
    }
    if let Some(skills) = change.skills {
        changed.push("skills");
        content.skills = skills.unwrap_or_default();
    }
    if let Some(tools) = change.tools {
        changed.push("tools");
        match tools {
            Some(tools) => {
                let known = std::mem::take(&mut content.tools);
                content.tools.allow = tools.allow.map_or(known.allow, Option::unwrap_or_default);
                content.tools.deny = tools.deny.map_or(known.deny, Option::unwrap_or_default);
            }
            None => content.tools = ToolsPolicy::default(),
        }
    }
    if let Some(schedule) = change.schedule {
        changed.push("schedule");
        content.schedule = schedule.unwrap_or_default();
    }
    template.updated_at = app.clock.now();
    content.check()?;
    schedules::check(content, template.updated_at).await?;
    if let Some(model) = change.model {
        changed.push("model");
        let known = template.model.take();
        template.model = model.map(|model| model.onto(known)).transpose()?;
    }
    api_templates::change(&mut transaction, &template).await?;
    // It is of no tenant, as the operator's writes are.
    let mut transaction = TenantTransaction::enter(&app.database, transaction, TenantId::from(Uuid::nil())).await?;
    wrapping_keys::newest(&mut transaction).await?;
    let entry = Entry::done(Action::ApiTemplateChanged)
        .on(target(&name))
        .with("changed", changed.join(", "))
        .with("version", template.content.version());
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    let answer = Template::from(template).into();
    write.done(&app, &mut transaction, &answer).await?;
    transaction.commit().await?;
    Ok(Json(answer))
}
