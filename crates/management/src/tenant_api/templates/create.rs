//! `POST /api/v1/templates`: a template of the operator's own, for tenants who are given it from then on.

use axum::extract::State;
use protocol::TenantId;
use protocol::template::{AgentTemplate, Job, Skill, ToolsPolicy};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::super::schedules;
use super::{ModelWanted, Template, TemplateAnswer, built_in, target};
use crate::access::Body;
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_templates::{self, StoredTemplate};
use crate::storage::{TenantTransaction, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(as = WantedTemplate, examples(json!({
    "name": "press-desk", "persona": "You write for the press desk.",
    "skills": [{"name": "release", "document": "---\nname: release\ndescription: What a press release looks like.\n---\n\nOne page.\n"}],
    "tools": {"deny": ["exec", "process"]},
    "schedule": [{"name": "morning", "cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "message": "Which of our releases are due today?"}],
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// 1 to 40 of `a-z`, `0-9` and `-`.
    name: String,
    /// Who the agent is and how it speaks, in Markdown: its `SOUL.md`. Empty: OpenClaw's own words.
    #[serde(default)]
    persona: String,
    #[serde(default)]
    skills: Vec<Skill>,
    #[serde(default)]
    tools: ToolsPolicy,
    /// What it does by the clock: a turn in a session of the job's own.
    #[serde(default)]
    schedule: Vec<Job>,
    /// The model of tenants who are made with this template and name none; its key they bring.
    #[serde(default)]
    model: Option<ModelWanted>,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    write: Write,
    Body(wanted): Body<Wanted>,
) -> Result<Created<TemplateAnswer>, ApiError> {
    let content = AgentTemplate {
        name: wanted.name,
        persona: wanted.persona,
        skills: wanted.skills,
        tools: wanted.tools,
        schedule: wanted.schedule,
    };
    let now = app.clock.now();
    content.check()?;
    schedules::check(&content, now).await?;
    let model = wanted.model.map(|model| model.onto(None)).transpose()?;
    if built_in::find(&content.name).is_some() {
        return Err(ApiError::TemplateKnown);
    }
    let template = StoredTemplate {
        content,
        model,
        created_at: now,
        updated_at: now,
    };
    let mut transaction = api_templates::begin(&app.database).await?;
    if api_templates::count(&mut transaction).await? >= limits::API_TEMPLATES {
        return Err(ApiError::TooManyTemplates);
    }
    if !api_templates::create(&mut transaction, &template).await? {
        return Err(ApiError::TemplateKnown);
    }
    // It is of no tenant, as the operator's writes are.
    let mut transaction = TenantTransaction::enter(&app.database, transaction, TenantId::from(Uuid::nil())).await?;
    wrapping_keys::newest(&mut transaction).await?;
    let entry = Entry::done(Action::ApiTemplateMade)
        .on(target(&template.content.name))
        .with("version", template.content.version());
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    let made = Template::from(template).into();
    write.made(&app, &mut transaction, &made).await?;
    transaction.commit().await?;
    Ok(Created(made))
}
