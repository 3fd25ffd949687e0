//! Agents of the tenant API: the first of a tenant, which is in the tenant's own row, and those beside it.

use protocol::{CellId, TenantId};
use time::{Date, OffsetDateTime};

use super::api_tenants::{ApiTenant, GivenTemplate, Held, Model, Share, cell_of, fallbacks, model, stored};
use super::{StorageError, TenantTransaction};
use crate::cell_control::CellRef;

/// The agent that each tenant has from its beginning to its end.
pub(crate) const MAIN: &str = "main";

/// An agent as it is stored, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct ApiAgent {
    pub tenant: TenantId,
    pub tenant_name: String,
    pub name: String,
    pub cell: CellId,
    pub template: Option<GivenTemplate>,
    pub model: Option<Model>,
    /// Those that are asked where it cannot answer, in this order.
    pub fallbacks: Vec<Model>,
    /// Of what the tenant may spend; of the first agent's nothing is said here: it has what the others leave.
    pub share: Share,
    /// Of the first: since when something of the tenant's limits is held.
    pub held_on: Option<Date>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl ApiAgent {
    /// Its cell, which is no person's.
    pub(crate) fn cell(&self) -> CellRef {
        cell_of(self.tenant, self.cell)
    }

    pub(crate) fn is_main(&self) -> bool {
        self.name == MAIN
    }
}

impl ApiTenant {
    /// Its first agent.
    pub(crate) fn main(&self) -> ApiAgent {
        ApiAgent {
            tenant: self.id,
            tenant_name: self.name.clone(),
            name: MAIN.to_owned(),
            cell: self.cell,
            template: self.template.clone(),
            model: self.model.clone(),
            fallbacks: self.fallbacks.clone(),
            share: Share::default(),
            held_on: self.held.on,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A row of the table.
struct Row {
    name: String,
    cell_id: uuid::Uuid,
    template: Option<String>,
    template_version: Option<String>,
    model_kind: Option<String>,
    model_base_url: Option<String>,
    model_name: Option<String>,
    fallbacks: String,
    spend_day: Option<i64>,
    spend_month: Option<i64>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Row {
    fn of(self, tenant: &ApiTenant) -> Result<ApiAgent, StorageError> {
        Ok(ApiAgent {
            tenant: tenant.id,
            tenant_name: tenant.name.clone(),
            name: self.name,
            cell: self.cell_id.into(),
            template: self
                .template
                .zip(self.template_version)
                .map(|(name, version)| GivenTemplate { name, version }),
            model: model(self.model_kind, self.model_base_url, self.model_name),
            fallbacks: fallbacks(&self.fallbacks)?,
            share: Share {
                day: self.spend_day,
                month: self.spend_month,
            },
            held_on: None,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// Adds one, which has no model yet and so cannot be talked to; `false` if the tenant has one of this name.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    name: &str,
    cell: CellId,
    share: Share,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let added = sqlx::query!(
        "INSERT INTO api_agents (tenant_id, name, cell_id, spend_day, spend_month, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (tenant_id, name) DO NOTHING",
        transaction.tenant().uuid(),
        name,
        cell.uuid(),
        share.day,
        share.month,
        now
    );
    Ok(added.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Those beside the first, by name.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    tenant: &ApiTenant,
) -> Result<Vec<ApiAgent>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT name, cell_id, template, template_version, model_kind, model_base_url, model_name, fallbacks, spend_day, spend_month,
            created_at, updated_at
         FROM api_agents WHERE tenant_id = $1 ORDER BY name",
        transaction.tenant().uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(|row| row.of(tenant)).collect()
}

/// The one of this name, which is not the first.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    tenant: &ApiTenant,
    name: &str,
) -> Result<Option<ApiAgent>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT name, cell_id, template, template_version, model_kind, model_base_url, model_name, fallbacks, spend_day, spend_month,
            created_at, updated_at
         FROM api_agents WHERE tenant_id = $1 AND name = $2",
        transaction.tenant().uuid(),
        name
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| row.of(tenant)).transpose()
}

/// The same, for who speaks to it: of one that is being removed, nothing opens the vault any more, and it is not there.
pub(crate) async fn find_whole(
    transaction: &mut TenantTransaction,
    tenant: &ApiTenant,
    name: &str,
) -> Result<Option<ApiAgent>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT name, cell_id, template, template_version, model_kind, model_base_url, model_name, fallbacks, spend_day, spend_month,
            created_at, updated_at
         FROM api_agents a WHERE tenant_id = $1 AND name = $2
            AND EXISTS (SELECT FROM platform_secrets s WHERE s.tenant_id = $1 AND s.cell_id = a.cell_id)",
        transaction.tenant().uuid(),
        name
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| row.of(tenant)).transpose()
}

/// The agent whose cell this is, of the tenant that the transaction speaks for: both then stay until it ends.
pub(crate) async fn of_cell(transaction: &mut TenantTransaction, cell: CellId) -> Result<Option<String>, StorageError> {
    let (tenant, cell) = (transaction.tenant().uuid(), cell.uuid());
    let first = sqlx::query_scalar!(
        "SELECT cell_id FROM api_tenants WHERE tenant_id = $1 AND cell_id = $2 FOR KEY SHARE",
        tenant,
        cell
    );
    if first.fetch_optional(&mut **transaction).await?.is_some() {
        return Ok(Some(MAIN.to_owned()));
    }
    let other = sqlx::query_scalar!(
        "SELECT name FROM api_agents WHERE tenant_id = $1 AND cell_id = $2 FOR KEY SHARE",
        tenant,
        cell
    );
    Ok(other.fetch_optional(&mut **transaction).await?)
}

/// Stores what may change of one; `false` if it is gone.
pub(crate) async fn change(
    transaction: &mut TenantTransaction,
    agent: &ApiAgent,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let (model, template) = (agent.model.as_ref(), agent.template.as_ref());
    let changed = sqlx::query!(
        "UPDATE api_agents SET template = $3, template_version = $4, model_kind = $5, model_base_url = $6, model_name = $7, updated_at = $8,
            fallbacks = $10
         WHERE tenant_id = $1 AND name = $2 AND cell_id = $9",
        transaction.tenant().uuid(),
        agent.name,
        template.map(|template| template.name.as_str()),
        template.map(|template| template.version.as_str()),
        model.map(|model| model.kind.as_str()),
        model.map(|model| model.base_url.as_str()),
        model.map(|model| model.name.as_str()),
        now,
        agent.cell.uuid(),
        stored(&agent.fallbacks)?
    );
    Ok(changed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Gives one another share.
pub(crate) async fn share(transaction: &mut TenantTransaction, name: &str, share: Share) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_agents SET spend_day = $3, spend_month = $4 WHERE tenant_id = $1 AND name = $2",
        transaction.tenant().uuid(),
        name,
        share.day,
        share.month
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Removes one; `false` if it is gone already, or has made room for another of its name.
pub(crate) async fn remove(transaction: &mut TenantTransaction, agent: &ApiAgent) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_agents WHERE tenant_id = $1 AND name = $2 AND cell_id = $3",
        transaction.tenant().uuid(),
        agent.name,
        agent.cell.uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Removes those beside the first: how many those were.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_agents WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}

/// Stores what is held of shares that came back.
pub(crate) async fn hold(transaction: &mut TenantTransaction, held: Held) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_tenants SET held_day = $2, held_month = $3, held_on = $4 WHERE tenant_id = $1",
        transaction.tenant().uuid(),
        held.day,
        held.month,
        held.on
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
