//! `GET /api/v1/templates`: the templates by name, built-in ones among them, without their texts, page by page.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use protocol::template::{ToolsPolicy, is_name};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::access::Operator;
use super::{ModelAnswer, Template, TemplateAnswer, built_in};
use crate::access::InQuery;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{StorageError, api_templates};

#[derive(Deserialize, IntoParams)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    #[param(pattern = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    cursor: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// A template without its texts.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedApiTemplate)]
struct Listed {
    name: String,
    built_in: bool,
    /// Their names.
    skills: Vec<String>,
    tools: ToolsPolicy,
    /// The names of its jobs.
    schedule: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelAnswer>,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Millis>,
}

impl From<Template> for Listed {
    fn from(template: Template) -> Self {
        let whole = TemplateAnswer::from(template);
        Self {
            name: whole.name,
            built_in: whole.built_in,
            skills: whole.skills.into_iter().map(|skill| skill.name).collect(),
            tools: whole.tools,
            schedule: whole.schedule.into_iter().map(|job| job.name).collect(),
            model: whole.model,
            version: whole.version,
            created_at: whole.created_at,
            updated_at: whole.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiTemplates, examples(json!({
    "templates": [{
        "name": "butler", "built_in": true, "skills": ["errands"], "tools": {"allow": [], "deny": []}, "schedule": [],
        "version": "5f0c2a91d3b4e678",
    }],
})))]
pub(crate) struct Templates {
    templates: Vec<Listed>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Templates>, ApiError> {
    let most = page.limit.unwrap_or(limits::TEMPLATES_LISTED);
    if !(1..=limits::TEMPLATES_LISTED).contains(&most) {
        return Err(ApiError::InvalidField {
            field: "limit",
            reason: format!("A page has 1 to {} templates.", limits::TEMPLATES_LISTED),
        });
    }
    let after = page.cursor.as_deref();
    if after.is_some_and(|name| !is_name(name)) {
        return Err(ApiError::InvalidField {
            field: "cursor",
            reason: "A cursor is the `next_cursor` of the page before.".to_owned(),
        });
    }
    let mut transaction = api_templates::begin(&app.database).await?;
    let stored = api_templates::list(&mut transaction, after, most + 1).await?;
    transaction.commit().await.map_err(StorageError::from)?;
    let built_in = built_in::all()
        .iter()
        .filter(|one| after.is_none_or(|after| one.name.as_str() > after));
    let mut found: Vec<Template> = stored
        .into_iter()
        .map(Template::from)
        .chain(built_in.map(Template::from))
        .collect();
    found.sort_by(|one, other| one.content.name.cmp(&other.content.name));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    let next_cursor = found.last().filter(|_| more).map(|last| last.content.name.clone());
    Ok(Json(Templates {
        templates: found.into_iter().map(Listed::from).collect(),
        next_cursor,
    }))
}
