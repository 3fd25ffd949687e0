//! Tenants of the tenant API: a developer's own users, an isolated agent each.

use protocol::{CellId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::{StorageError, TenantTransaction};
use crate::cell_control::CellRef;
use crate::database::Database;
use crate::limits;
use crate::person::Name;

/// A model of a tenant, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// `openai` or `anthropic`.
    pub kind: String,
    pub base_url: String,
    pub name: String,
}

/// What a tenant may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub requests_per_minute: Option<i32>,
    /// Millionths of a US dollar.
    pub spend_day: Option<i64>,
    pub spend_month: Option<i64>,
}

/// What an agent may spend of what its tenant may; none is no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Millionths of a US dollar.
    pub day: Option<i64>,
    pub month: Option<i64>,
}

/// Of a tenant's limits, what is nobody's until the day, and the month, of `on` is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub day: i64,
    pub month: i64,
    pub on: Option<Date>,
}

/// The template that a tenant's agent was given, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenTemplate {
    pub name: String,
    pub version: String,
}

/// A tenant as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct ApiTenant {
    pub id: TenantId,
    pub cell: CellId,
    pub name: String,
    pub template: Option<GivenTemplate>,
    pub model: Option<Model>,
    /// Those that are asked where it cannot answer, in this order.
    pub fallbacks: Vec<Model>,
    pub limits: Limits,
    pub held: Held,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl ApiTenant {
    /// The cell of its first agent, which is no person's.
    pub(crate) fn cell(&self) -> CellRef {
        cell_of(self.id, self.cell)
    }
}

/// A cell of the tenant API. Where others have a person, it has the tenant itself.
pub(crate) fn cell_of(tenant: TenantId, cell: CellId) -> CellRef {
    CellRef {
        cell,
        tenant,
        user: UserId::from(tenant.uuid()),
    }
}

/// A row of the table.
struct Row {
    tenant_id: uuid::Uuid,
    cell_id: uuid::Uuid,
    name: String,
    template: Option<String>,
    template_version: Option<String>,
    model_kind: Option<String>,
    model_base_url: Option<String>,
    model_name: Option<String>,
    fallbacks: String,
    requests_per_minute: Option<i32>,
    spend_day: Option<i64>,
    spend_month: Option<i64>,
    held_day: i64,
    held_month: i64,
    held_on: Option<Date>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for ApiTenant {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.tenant_id.into(),
            cell: row.cell_id.into(),
            name: row.name,
            template: row
                .template
                .zip(row.template_version)
                .map(|(name, version)| GivenTemplate { name, version }),
            model: model(row.model_kind, row.model_base_url, row.model_name),
            fallbacks: fallbacks(&row.fallbacks)?,
            limits: Limits {
                requests_per_minute: row.requests_per_minute,
                spend_day: row.spend_day,
                spend_month: row.spend_month,
            },
            held: Held {
                day: row.held_day,
                month: row.held_month,
                on: row.held_on,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A model is stored whole or not at all.
pub(super) fn model(kind: Option<String>, base_url: Option<String>, name: Option<String>) -> Option<Model> {
    Some(Model {
        kind: kind?,
        base_url: base_url?,
        name: name?,
    })
}

/// Fallbacks, as they are stored.
pub(super) fn fallbacks(stored: &str) -> Result<Vec<Model>, StorageError> {
    serde_json::from_str(stored).map_err(|_| StorageError::Unreadable("a tenant's fallbacks"))
}

/// Fallbacks, to be stored.
pub(super) fn stored(fallbacks: &[Model]) -> Result<String, StorageError> {
    serde_json::to_string(fallbacks).map_err(|_| StorageError::Unreadable("a tenant's fallbacks"))
}

/// Adds a tenant to the transaction that speaks for it.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    cell: CellId,
    name: &Name,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO api_tenants (tenant_id, cell_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
        transaction.tenant().uuid(),
        cell.uuid(),
        name.as_str(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The tenant that the transaction speaks for, locked against another change; `None` if there is none.
pub(crate) async fn find(transaction: &mut TenantTransaction) -> Result<Option<ApiTenant>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT tenant_id, cell_id, name, template, template_version, model_kind, model_base_url, model_name, fallbacks,
            requests_per_minute, spend_day, spend_month, held_day, held_month, held_on, created_at, updated_at
         FROM api_tenants WHERE tenant_id = $1 FOR UPDATE",
        transaction.tenant().uuid()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(ApiTenant::try_from).transpose()
}

/// Notes that sealed pieces of a home were removed, and their size: all that were removed of the tenant by now; `None` if there is no tenant.
pub(crate) async fn add_removed(
    transaction: &mut TenantTransaction,
    blobs: u64,
    bytes: u64,
) -> Result<Option<(u64, u64)>, StorageError> {
    let row = sqlx::query!(
        "UPDATE api_tenants SET removed_blobs = removed_blobs + $2, removed_bytes = removed_bytes + $3 WHERE tenant_id = $1
         RETURNING removed_blobs, removed_bytes",
        transaction.tenant().uuid(),
        i64::try_from(blobs).unwrap_or(i64::MAX),
        i64::try_from(bytes).unwrap_or(i64::MAX)
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| (row.removed_blobs.unsigned_abs(), row.removed_bytes.unsigned_abs())))
}

/// Tenants in the order in which they were made, after one of them.
pub(crate) async fn list(
    database: &Database,
    after: Option<TenantId>,
    most: i64,
) -> Result<Vec<ApiTenant>, StorageError> {
    let mut transaction = database.begin().await?;
    look_over_all(&mut transaction).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT tenant_id, cell_id, name, template, template_version, model_kind, model_base_url, model_name, fallbacks,
            requests_per_minute, spend_day, spend_month, held_day, held_month, held_on, created_at, updated_at
         FROM api_tenants WHERE $1::uuid IS NULL OR tenant_id > $1 ORDER BY tenant_id LIMIT $2",
        after.map(TenantId::uuid),
        most
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    rows.into_iter().map(ApiTenant::try_from).collect()
}

/// The ids of a page of tenants.
pub(crate) async fn ids(database: &Database, after: Option<TenantId>) -> Result<Vec<TenantId>, StorageError> {
    let mut transaction = database.begin().await?;
    look_over_all(&mut transaction).await?;
    let ids = sqlx::query_scalar!(
        "SELECT tenant_id FROM api_tenants WHERE $1::uuid IS NULL OR tenant_id > $1 ORDER BY tenant_id LIMIT $2",
        after.map(TenantId::uuid),
        limits::TENANTS_LISTED
    );
    let ids = ids.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(ids.into_iter().map(TenantId::from).collect())
}

/// How many there are.
pub(crate) async fn count(database: &Database) -> Result<i64, StorageError> {
    let mut transaction = database.begin().await?;
    look_over_all(&mut transaction).await?;
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM api_tenants"#);
    let count = count.fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(count)
}

/// From now on the transaction sees every tenant of the API, and changes none. For who has the operator's token.
pub(super) async fn look_over_all(connection: &mut sqlx::PgConnection) -> Result<(), StorageError> {
    sqlx::query!(
        r#"SELECT set_config('holdfast.tenant', '', true) AS tenant, set_config('holdfast.api_tenants', 'all', true) AS "all""#
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Stores what may change of a tenant; `false` if it is gone.
pub(crate) async fn change(
    transaction: &mut TenantTransaction,
    tenant: &ApiTenant,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let (model, template) = (tenant.model.as_ref(), tenant.template.as_ref());
    let changed = sqlx::query!(
        "UPDATE api_tenants SET name = $2, model_kind = $3, model_base_url = $4, model_name = $5, requests_per_minute = $6,
            spend_day = $7, spend_month = $8, template = $9, template_version = $10, updated_at = $11, fallbacks = $12
         WHERE tenant_id = $1",
        transaction.tenant().uuid(),
        tenant.name,
        model.map(|model| model.kind.as_str()),
        model.map(|model| model.base_url.as_str()),
        model.map(|model| model.name.as_str()),
        tenant.limits.requests_per_minute,
        tenant.limits.spend_day,
        tenant.limits.spend_month,
        template.map(|template| template.name.as_str()),
        template.map(|template| template.version.as_str()),
        now,
        stored(&tenant.fallbacks)?
    );
    Ok(changed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Removes the tenant's row, the last of what it has.
pub(crate) async fn remove(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_tenants WHERE tenant_id = $1",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
