//! `/api/v1/tenants`: the operator makes tenants, changes and removes them. A model's key goes through to the cell's vault and is kept
//! nowhere else.

pub(crate) mod agents;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod webhooks;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use protocol::limits::MODEL_PROVIDERS;
use protocol::template::AgentTemplate;
use protocol::{ApiKeyId, CellId, Millis, TenantId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::access::Operator;
use super::agents::{ModelParams, read};
use super::platform_keys::wiped;
use super::schedules::{self, JobAnswer};
use super::shares;
use super::templates::{self, Template};
use crate::app::App;
use crate::audit::{Entry, Target};
use crate::cell_control::{CellRef, CellState};
use crate::clock::millis;
use crate::openapi::{InContract, Sketch, silent};
use crate::problem::ApiError;
use crate::storage::api_tenant_keys::Listed;
use crate::storage::api_tenants::{ApiTenant, GivenTemplate, Limits, Model, Share};
use crate::storage::{StorageError, TenantTransaction};

/// A tenant, as the operator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenant, examples(json!({
    "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11", "name": "Anna",
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    "limits": {"requests_per_minute": 60, "spend_day": 5_000_000, "spend_month": null},
    "cell": {"id": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "state": "asleep"},
    "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
})))]
pub(crate) struct TenantAnswer {
    id: TenantId,
    name: String,
    /// What its agent is; absent: OpenClaw as it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<TemplateOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelAnswer>,
    /// What its agent goes on to where `model` cannot answer, in this order; absent: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<ModelAnswer>,
    limits: LimitsAnswer,
    /// Of its first agent, `main`.
    cell: CellAnswer,
    /// What `main` does by the clock; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Vec<JobAnswer>>,
    created_at: Millis,
    updated_at: Millis,
}

/// The template that its agent was given, as it was then: it may have been changed since, or removed.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantTemplate)]
struct TemplateOf {
    name: String,
    version: String,
}

/// Its model; the key is in the cell's vault and is told to nobody.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantModel)]
struct ModelAnswer {
    /// `openai` or `anthropic`.
    kind: String,
    base_url: String,
    model: String,
}

impl From<GivenTemplate> for TemplateOf {
    fn from(template: GivenTemplate) -> Self {
        Self {
            name: template.name,
            version: template.version,
        }
    }
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

/// Null: none of its own.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantLimits)]
struct LimitsAnswer {
    requests_per_minute: Option<i32>,
    /// Millionths of a US dollar in a day of UTC.
    spend_day: Option<i64>,
    /// The same in a month.
    spend_month: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantCell)]
struct CellAnswer {
    id: CellId,
    /// Null: not known at this moment.
    state: Option<CellState>,
}

impl TenantAnswer {
    pub(super) async fn new(app: &App, tenant: ApiTenant) -> Self {
        let state = app.cells.state(tenant.cell()).await.ok();
        let schedule = schedules::of(app, &tenant.main()).await;
        Self::of(tenant, state, schedule)
    }

    fn of(tenant: ApiTenant, state: Option<CellState>, schedule: Option<Vec<JobAnswer>>) -> Self {
        Self {
            schedule,
            id: tenant.id,
            name: tenant.name,
            template: tenant.template.map(TemplateOf::from),
            model: tenant.model.map(ModelAnswer::from),
            fallbacks: tenant.fallbacks.into_iter().map(ModelAnswer::from).collect(),
            limits: LimitsAnswer {
                requests_per_minute: tenant.limits.requests_per_minute,
                spend_day: tenant.limits.spend_day,
                spend_month: tenant.limits.spend_month,
            },
            cell: CellAnswer { id: tenant.cell, state },
            created_at: millis(tenant.created_at),
            updated_at: millis(tenant.updated_at),
        }
    }
}

/// A key, as the operator sees it after it was made.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTenantKey)]
pub(crate) struct KeyAnswer {
    id: ApiKeyId,
    /// Its first characters.
    hint: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
}

impl From<Listed> for KeyAnswer {
    fn from(key: Listed) -> Self {
        Self {
            id: key.id,
            hint: key.hint,
            created_at: millis(key.created_at),
            expires_at: key.expires_at.map(millis),
        }
    }
}

/// The tenant in the path; one that is no id names nothing.
pub(crate) struct Named(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| ApiError::NotFound)?;
        let id = path.into_iter().find(|(name, _)| name == "id");
        // The operator's own writes are under the id 0, which is no tenant's.
        match id.and_then(|(_, id)| id.parse::<Uuid>().ok()) {
            Some(id) if !id.is_nil() => Ok(Self(id.into())),
            _ => Err(ApiError::NotFound),
        }
    }
}

impl InContract for Named {
    fn describe(sketch: &mut Sketch) {
        sketch.names_an_id();
    }
}

/// What is named under the tenant in the path; one that is no id names nothing.
pub(crate) struct Part(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, Uuid)>::from_request_parts(parts, state).await;
        path.map(|Path((_, id))| Self(id)).map_err(|_| ApiError::NotFound)
    }
}

silent!(Part);

/// A member that is absent, or null, or there (JSON Merge Patch, RFC 7396).
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

fn given_and_wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Zeroizing<String>>>, D::Error> {
    wiped(deserializer).map(Some)
}

/// What is asked for as a model. In a change, what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = WantedModel)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelWanted {
    /// `openai` or `anthropic`. A new model needs it, as it does the next three; none of them can be taken away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    kind: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    base_url: Option<Option<String>>,
    /// Goes into the vault of the tenant's cell and is kept nowhere else. In a change it may be left out as long as `base_url` stays.
    #[serde(default, deserialize_with = "given_and_wiped")]
    #[schema(value_type = Option<String>)]
    key: Option<Option<Zeroizing<String>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    /// What it costs, in millionths of a US dollar for a million tokens; needed where spending is limited. In a change, what it does not
    /// say is as it was, as long as `base_url` and `model` stay.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<PriceWanted>)]
    price: Option<Option<PriceWanted>>,
}

/// What is asked for as a price.
#[derive(Deserialize, ToSchema)]
#[schema(as = WantedPrice)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceWanted {
    /// A new price needs it, as it does the next; neither can be taken away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    input: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    output: Option<Option<u64>>,
    /// Of input that the provider had in its cache; as `input` where it is not known.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    cached: Option<Option<u64>>,
}

/// A price as a keeper has it.
#[derive(Serialize, Deserialize)]
struct Price {
    input: u64,
    output: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<u64>,
}

/// What the members of a price are called where it stands.
struct OfPrice {
    input: &'static str,
    output: &'static str,
}

const OF_MODEL: OfPrice = OfPrice {
    input: "model.price.input",
    output: "model.price.output",
};
const OF_FALLBACKS: OfPrice = OfPrice {
    input: "fallbacks.price.input",
    output: "fallbacks.price.output",
};

impl PriceWanted {
    /// The price as it is going to be.
    fn onto(self, known: Option<Price>, of: OfPrice) -> Result<Price, ApiError> {
        let (input, output, cached) = known.map_or((None, None, None), |known| {
            (Some(known.input), Some(known.output), known.cached)
        });
        let needed = |field, price: Option<u64>| {
            price.ok_or_else(|| ApiError::InvalidField {
                field,
                reason: "A price needs its `input` and its `output`.".to_owned(),
            })
        };
        Ok(Price {
            input: needed(of.input, self.input.unwrap_or(input))?,
            output: needed(of.output, self.output.unwrap_or(output))?,
            cached: self.cached.unwrap_or(cached),
        })
    }
}

/// What is asked for as a model that is gone on to.
#[derive(Deserialize, ToSchema)]
#[schema(as = WantedFallback)]
#[serde(deny_unknown_fields)]
pub(crate) struct FallbackWanted {
    /// `openai` or `anthropic`.
    kind: String,
    base_url: String,
    /// May be left out where the same `base_url` had a key before, or has one in `model` or earlier in the list.
    #[serde(default, deserialize_with = "wiped")]
    #[schema(value_type = Option<String>)]
    key: Option<Zeroizing<String>>,
    model: String,
    /// Absent: as it was for the same `base_url` and `model`. Null: not known.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<PriceWanted>)]
    price: Option<Option<PriceWanted>>,
}

impl FallbackWanted {
    /// The model, and what its keeper is told. The addresses are those for which there is a key.
    fn checked(self, addresses: &mut Vec<String>) -> Result<(Model, ModelParams), ApiError> {
        let model = Model {
            kind: self.kind,
            base_url: self.base_url,
            name: self.model,
        };
        check_kind(&model, "fallbacks.kind")?;
        if self.key.is_none() && !addresses.contains(&model.base_url) {
            return Err(ApiError::InvalidField {
                field: "fallbacks.key",
                reason: format!("No key is known for {}: say it.", model.base_url),
            });
        }
        addresses.push(model.base_url.clone());
        let price = match self.price {
            Some(Some(price)) => Some(json!(price.onto(None, OF_FALLBACKS)?)),
            Some(None) => Some(Value::Null),
            None => None,
        };
        let params = ModelParams::of(&model, self.key, price);
        Ok((model, params))
    }
}

/// A model on its way to its keeper.
pub(crate) struct ModelNews {
    params: ModelParams,
    /// What of its price is to be another.
    price: Option<PriceWanted>,
    /// What comes after it from now on; none: what came before.
    fallbacks: Option<Vec<ModelParams>>,
}

impl ModelParams {
    fn of(model: &Model, key: Option<Zeroizing<String>>, price: Option<Value>) -> Self {
        Self {
            kind: model.kind.clone(),
            base_url: model.base_url.clone(),
            key,
            model: model.name.clone(),
            price,
        }
    }
}

/// Models as they are going to be, where they are spoken of.
#[derive(Default)]
pub(super) struct Models {
    pub model: Option<Model>,
    pub fallbacks: Option<Vec<Model>>,
    pub news: Option<ModelNews>,
}

impl Models {
    /// What is asked for, of an agent that has these already.
    pub(super) fn wanted(
        known: Option<&Model>,
        known_fallbacks: &[Model],
        model: Option<ModelWanted>,
        fallbacks: Option<Vec<FallbackWanted>>,
    ) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        if let Some(model) = model {
            let (model, news) = model.onto(known)?;
            wanted.model = Some(model);
            wanted.news = Some(news);
        }
        let Some(fallbacks) = fallbacks else {
            return Ok(wanted);
        };
        let refused = |reason: String| ApiError::InvalidField {
            field: "fallbacks",
            reason,
        };
        if fallbacks.len() >= MODEL_PROVIDERS {
            return Err(refused(format!(
                "An agent has {MODEL_PROVIDERS} models at most, the first among them (MODEL_PROVIDERS)."
            )));
        }
        let first = wanted.model.as_ref().or(known);
        // A first one that another takes the place of has its key until then.
        let mut addresses: Vec<String> = wanted
            .model
            .iter()
            .chain(known)
            .chain(known_fallbacks)
            .map(|one| one.base_url.clone())
            .collect();
        let checked = fallbacks.into_iter().map(|one| one.checked(&mut addresses));
        let (models, params): (Vec<_>, Vec<_>) = checked.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        match (&mut wanted.news, first) {
            (Some(news), _) => news.fallbacks = Some(params),
            (None, Some(first)) => {
                wanted.news = Some(ModelNews {
                    params: ModelParams::of(first, None, None),
                    price: None,
                    fallbacks: Some(params),
                });
            }
            (None, None) if models.is_empty() => {}
            (None, None) => {
                return Err(refused(
                    "They are gone on to from a `model`: name that, too.".to_owned(),
                ));
            }
        }
        wanted.fallbacks = Some(models);
        Ok(wanted)
    }
}

fn check_kind(model: &Model, field: &'static str) -> Result<(), ApiError> {
    match model.kind.as_str() {
        "openai" | "anthropic" => Ok(()),
        _ => Err(ApiError::InvalidField {
            field,
            reason: "A model's kind is `openai` or `anthropic`.".to_owned(),
        }),
    }
}

impl ModelWanted {
    /// With what it does not say as a template has it.
    pub(super) fn or(self, of_template: Option<Model>) -> Self {
        let Some(model) = of_template else { return self };
        Self {
            kind: Some(self.kind.flatten().or(Some(model.kind))),
            base_url: Some(self.base_url.flatten().or(Some(model.base_url))),
            model: Some(self.model.flatten().or(Some(model.name))),
            ..self
        }
    }

    /// The model as it is going to be, and what its keeper is told.
    fn onto(self, known: Option<&Model>) -> Result<(Model, ModelNews), ApiError> {
        let missing = |field: &'static str| ApiError::InvalidField {
            field,
            reason: format!("A model needs its `{}`.", field.trim_start_matches("model.")),
        };
        let kind = self.kind.unwrap_or_else(|| known.map(|model| model.kind.clone()));
        let base_url = self
            .base_url
            .unwrap_or_else(|| known.map(|model| model.base_url.clone()));
        let name = self.model.unwrap_or_else(|| known.map(|model| model.name.clone()));
        let model = Model {
            kind: kind.ok_or_else(|| missing("model.kind"))?,
            base_url: base_url.ok_or_else(|| missing("model.base_url"))?,
            name: name.ok_or_else(|| missing("model.model"))?,
        };
        check_kind(&model, "model.kind")?;
        let same_place = known.is_some_and(|known| known.base_url == model.base_url);
        let key = match self.key {
            Some(Some(key)) => Some(key),
            None if same_place => None,
            _ => return Err(missing("model.key")),
        };
        let unknown = matches!(self.price, Some(None)).then_some(Value::Null);
        let mut news = ModelNews {
            params: ModelParams::of(&model, key, unknown),
            price: self.price.flatten(),
            fallbacks: None,
        };
        // Of a first model nothing is known that its keeper would have to be asked for.
        if known.is_none()
            && let Some(price) = news.price.take()
        {
            news.params.price = Some(json!(price.onto(None, OF_MODEL)?));
        }
        Ok((model, news))
    }
}

/// What is asked for as limits. Null: none. In a change, what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = WantedLimits)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsWanted {
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i32>, minimum = 1)]
    requests_per_minute: Option<Option<i32>>,
    /// Millionths of a US dollar in a day of UTC. Needs a model with a price.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    spend_day: Option<Option<i64>>,
    /// The same in a month.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    spend_month: Option<Option<i64>>,
}

impl LimitsWanted {
    fn names_spending(&self) -> bool {
        self.spend_day.is_some() || self.spend_month.is_some()
    }

    pub(super) fn onto(self, known: Limits) -> Result<Limits, ApiError> {
        let limits = Limits {
            requests_per_minute: self.requests_per_minute.unwrap_or(known.requests_per_minute),
            spend_day: self.spend_day.unwrap_or(known.spend_day),
            spend_month: self.spend_month.unwrap_or(known.spend_month),
        };
        if limits.requests_per_minute.is_some_and(|most| most < 1) {
            return Err(ApiError::InvalidField {
                field: "limits.requests_per_minute",
                reason: "A tenant needs at least one request a minute.".to_owned(),
            });
        }
        not_below_zero(Share {
            day: limits.spend_day,
            month: limits.spend_month,
        })?;
        Ok(limits)
    }
}

/// Of a tenant's limits, and of an agent's share of them.
fn not_below_zero(share: Share) -> Result<(), ApiError> {
    for (field, most) in [("limits.spend_day", share.day), ("limits.spend_month", share.month)] {
        if most.is_some_and(|most| most < 0) {
            return Err(ApiError::InvalidField {
                field,
                reason: "A limit is not below zero.".to_owned(),
            });
        }
    }
    Ok(())
}

/// What is new for the cell's keeper.
#[derive(Default)]
struct News<'a> {
    /// None in it: the agent is OpenClaw as it comes.
    template: Option<Option<&'a AgentTemplate>>,
    model: Option<ModelNews>,
    /// What may be spent.
    spending: Option<Share>,
}

/// Tells a cell's keeper what is new: what the agent is, before a model has it started; what may be spent, before there is a model to spend it
/// on; then the model with its key.
async fn tell(app: &App, cell: CellRef, news: News<'_>) -> Result<(), ApiError> {
    let api = app.tenant_api()?;
    let News {
        template,
        model,
        spending,
    } = news;
    let model = match model {
        Some(mut model) => {
            if let Some(price) = model.price.take() {
                // Refused before anything is changed.
                let known = price_of(app, cell, &model.params).await?;
                model.params.price = Some(json!(price.onto(known, OF_MODEL)?));
            }
            Some(model)
        }
        None => None,
    };
    if let Some(template) = template {
        let params = json!({"template": template});
        api.ask(cell, "template.set", params).await?;
    }
    if let Some(share) = spending {
        api.ask(cell, "spending.set", shares::limits_of(share)).await?;
    }
    match model {
        Some(ModelNews {
            params,
            fallbacks: Some(fallbacks),
            ..
        }) => {
            let all = std::iter::once(params).chain(fallbacks).collect();
            api.set_models(cell, all).await?;
        }
        Some(model) => api.set_model(cell, model.params).await?,
        None => {}
    }
    Ok(())
}

/// What this model costs, as the cell's keeper alone knows; `None` where that has another, or no price.
async fn price_of(app: &App, cell: CellRef, model: &ModelParams) -> Result<Option<Price>, ApiError> {
    #[derive(Deserialize)]
    struct Listed {
        providers: Vec<Provider>,
    }
    #[derive(Deserialize)]
    struct Provider {
        base_url: String,
        model: String,
        price: Option<Price>,
    }
    let api = app.tenant_api()?;
    let listed: Listed = read(api.ask(cell, "provider.list", json!({})).await?)?;
    // The first is the one that is set here.
    let first = listed.providers.into_iter().next();
    let same = first.filter(|first| first.base_url == model.base_url && first.model == model.model);
    Ok(same.and_then(|same| same.price))
}

/// The template of this name, for a tenant's agent.
async fn template_called(app: &App, name: &str) -> Result<Template, ApiError> {
    let found = templates::find(app, name).await?;
    found.ok_or_else(|| ApiError::InvalidField {
        field: "template",
        reason: "There is no template of this name.".to_owned(),
    })
}

/// The content of the template that a change names, null being none; absent stays absent.
async fn template_wanted(
    app: &App,
    wanted: Option<&Option<String>>,
) -> Result<Option<Option<AgentTemplate>>, ApiError> {
    Ok(match wanted {
        Some(Some(name)) => Some(Some(template_called(app, name).await?.content)),
        Some(None) => Some(None),
        None => None,
    })
}

fn given_template(content: &AgentTemplate) -> GivenTemplate {
    GivenTemplate {
        name: content.name.clone(),
        version: content.version(),
    }
}

/// A tenant, as the operator's audit log names it.
pub(super) fn target(tenant: &ApiTenant) -> Target {
    Target::new("api_tenant", tenant.id, &tenant.name)
}

/// Writes an act of the operator on a tenant into the operator's log, in the transaction that it is.
async fn write_down(
    app: &App,
    transaction: &mut TenantTransaction,
    operator: &Operator,
    entry: &Entry,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant();
    app.audit
        .record_operator(transaction, Some(tenant), &operator.by(), entry)
        .await
}
