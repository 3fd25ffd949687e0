//! `/api/v1/templates`: what agents of the tenant API are: persona, skills, tools, a schedule, and a model for who names none. Some are built in, the
//! operator makes others. A tenant's agent is given one by name, as it is at that moment: to change a template changes no agent until the
//! tenant is given it again.

pub(crate) mod built_in;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use protocol::Millis;
use protocol::limits::TEMPLATE_NAME_CHARS;
use protocol::template::{AgentTemplate, Job, Skill, TemplateError, ToolsPolicy, is_name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::tenants::given;
use crate::app::App;
use crate::audit::Target;
use crate::clock::millis;
use crate::limits;
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;
use crate::storage::StorageError;
use crate::storage::api_templates::{self, StoredTemplate};
use crate::storage::api_tenants::Model;

/// A template, as the operator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTemplate, examples(json!({
    "name": "press-desk", "built_in": false, "persona": "You write for the press desk.",
    "skills": [{"name": "release", "document": "---\nname: release\ndescription: What a press release looks like.\n---\n\nOne page.\n"}],
    "tools": {"allow": [], "deny": ["exec", "process"]},
    "schedule": [{"name": "morning", "cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "message": "Which of our releases are due today?"}],
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    "version": "5f0c2a91d3b4e678",
    "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
})))]
pub(crate) struct TemplateAnswer {
    name: String,
    /// Built-in ones cannot be changed or removed.
    built_in: bool,
    persona: String,
    skills: Vec<Skill>,
    tools: ToolsPolicy,
    /// What it does by the clock.
    schedule: Vec<Job>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelAnswer>,
    /// Another for every other persona, skill, policy or schedule. A tenant says which one its agent was given.
    version: String,
    /// Absent where it is built in, as is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Millis>,
}

/// The model of tenants who name none.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTemplateModel)]
struct ModelAnswer {
    /// `openai` or `anthropic`.
    kind: String,
    base_url: String,
    model: String,
}

impl From<Model> for ModelAnswer {
    fn from(model: Model) -> Self {
        Self {
            kind: model.kind,
            base_url: model.base_url,
            model: model.name,
        }
    }
}

impl From<Template> for TemplateAnswer {
    fn from(template: Template) -> Self {
        let Template { content, model, times } = template;
        let (created_at, updated_at) = times.unzip();
        Self {
            version: content.version(),
            built_in: created_at.is_none(),
            name: content.name,
            persona: content.persona,
            skills: content.skills,
            tools: content.tools,
            schedule: content.schedule,
            model: model.map(ModelAnswer::from),
            created_at,
            updated_at,
        }
    }
}

/// A template, wherever it is from.
pub(super) struct Template {
    pub content: AgentTemplate,
    pub model: Option<Model>,
    /// When it was made, and when it was changed; none where it is built in.
    times: Option<(Millis, Millis)>,
}

impl From<StoredTemplate> for Template {
    fn from(stored: StoredTemplate) -> Self {
        Self {
            content: stored.content,
            model: stored.model,
            times: Some((millis(stored.created_at), millis(stored.updated_at))),
        }
    }
}

impl From<&AgentTemplate> for Template {
    fn from(content: &AgentTemplate) -> Self {
        Self {
            content: content.clone(),
            model: None,
            times: None,
        }
    }
}

/// The template of this name, if there is one.
pub(super) async fn find(app: &App, name: &str) -> Result<Option<Template>, ApiError> {
    if let Some(built_in) = built_in::find(name) {
        return Ok(Some(built_in.into()));
    }
    if !is_name(name) {
        return Ok(None);
    }
    let mut transaction = api_templates::begin(&app.database).await?;
    let found = api_templates::find(&mut transaction, name).await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok(found.map(Template::from))
}

/// The template in the path; what is no name of one names nothing.
pub(crate) struct Called(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) if is_name(&name) => Ok(Self(name)),
            _ => Err(ApiError::NotFound),
        }
    }
}

impl InContract for Called {
    fn describe(sketch: &mut Sketch) {
        let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!(
            "^[a-z0-9]([a-z0-9-]{{0,{}}}[a-z0-9])?$",
            TEMPLATE_NAME_CHARS - 2
        )));
        sketch.placeholder = Some(name.into());
    }
}

impl From<TemplateError> for ApiError {
    fn from(error: TemplateError) -> Self {
        Self::InvalidField {
            field: error.field,
            reason: error.reason,
        }
    }
}

/// What is asked for as the model of who names none. In a change, what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = WantedTemplateModel)]
#[serde(deny_unknown_fields)]
struct ModelWanted {
    /// `openai` or `anthropic`. A model needs all three: none of them can be taken away by itself.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    kind: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    base_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
}

impl ModelWanted {
    fn onto(self, known: Option<Model>) -> Result<Model, ApiError> {
        let wrong = |field, reason: String| ApiError::InvalidField { field, reason };
        let (kind, base_url, name) = known.map_or((None, None, None), |known| {
            (Some(known.kind), Some(known.base_url), Some(known.name))
        });
        let needed = |field: &'static str, value: Option<String>| {
            value.ok_or_else(|| wrong(field, "A model needs its `kind`, `base_url` and `model`.".to_owned()))
        };
        let model = Model {
            kind: needed("model.kind", self.kind.unwrap_or(kind))?,
            base_url: needed("model.base_url", self.base_url.unwrap_or(base_url))?,
            name: needed("model.model", self.model.unwrap_or(name))?,
        };
        if !matches!(model.kind.as_str(), "openai" | "anthropic") {
            return Err(wrong(
                "model.kind",
                "A model's kind is `openai` or `anthropic`.".to_owned(),
            ));
        }
        let most = limits::TEMPLATE_MODEL_BYTES;
        for (field, text) in [("model.base_url", &model.base_url), ("model.model", &model.name)] {
            if text.len() > most {
                return Err(wrong(
                    field,
                    format!("It has {most} bytes at most (TEMPLATE_MODEL_BYTES)."),
                ));
            }
        }
        let is_address = ["https://", "http://"].iter().any(|scheme| {
            let rest = model.base_url.strip_prefix(scheme);
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        let printable = model.base_url.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_address || !printable || model.base_url.contains('@') {
            let words = "The base URL starts with https:// or http:// and carries no password.";
            return Err(wrong("model.base_url", words.to_owned()));
        }
        if model.name.trim().is_empty() || model.name.chars().any(char::is_control) {
            let words = "The model's name is not empty and has no control characters in it.";
            return Err(wrong("model.model", words.to_owned()));
        }
        Ok(model)
    }
}

/// A template, as the operator's audit log names it.
fn target(name: &str) -> Target {
    Target::new("api_template", name, name)
}
