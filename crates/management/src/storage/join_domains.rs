//! Domains whose addresses may join an organisation without an invitation.

use protocol::TenantId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::access::{FreshManager, Manager};
use crate::database::Database;
use crate::ids::JoinDomainId;
use crate::limits;
use crate::person::{Domain, Email};

/// A domain and what joining from it takes.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: JoinDomainId,
    pub domain: String,
    /// Whether somebody who manages the organisation has to agree.
    pub approval: bool,
}

/// The organisation's domains, by name.
pub(crate) async fn list(transaction: &mut TenantTransaction, _manager: &Manager) -> Result<Vec<Listed>, StorageError> {
    let rows = sqlx::query_as!(
        Listed,
        "SELECT id, domain, approval FROM join_domains WHERE tenant_id = $1 ORDER BY domain",
        transaction.tenant().uuid()
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Adds a domain, or changes what joining from it takes. `None` if there are too many.
pub(crate) async fn put(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    domain: &Domain,
    approval: bool,
    now: OffsetDateTime,
) -> Result<Option<JoinDomainId>, StorageError> {
    let put = sqlx::query_scalar!(
        "INSERT INTO join_domains (id, tenant_id, domain, approval, created_at)
         SELECT $1, $2, $3, $4, $5
         WHERE (SELECT count(*) FROM join_domains WHERE tenant_id = $2 AND domain <> $3) < $6
         ON CONFLICT (tenant_id, domain) DO UPDATE SET approval = excluded.approval RETURNING id",
        JoinDomainId::new().uuid(),
        transaction.tenant().uuid(),
        domain.as_str(),
        approval,
        now,
        limits::JOIN_DOMAINS
    );
    let id = put.fetch_optional(&mut **transaction).await?;
    Ok(id.map(JoinDomainId::from))
}

/// Takes a domain away: which.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: JoinDomainId,
) -> Result<Option<String>, StorageError> {
    let removed = sqlx::query_scalar!(
        "DELETE FROM join_domains WHERE tenant_id = $1 AND id = $2 RETURNING domain",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.fetch_optional(&mut **transaction).await?)
}

/// Whether somebody with this address may join, and if so, whether somebody has to agree.
pub(crate) async fn rule(transaction: &mut TenantTransaction, email: &Email) -> Result<Option<bool>, StorageError> {
    let rule = sqlx::query_scalar!(
        "SELECT approval FROM join_domains WHERE tenant_id = $1 AND domain = $2",
        transaction.tenant().uuid(),
        email.domain()
    );
    Ok(rule.fetch_optional(&mut **transaction).await?)
}

/// Organisations that somebody with this address may join, up to a bound, the first that said so first.
pub(crate) async fn find_by_email(database: &Database, email: &Email) -> Result<Vec<TenantId>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.email', $1, true) AS email", email.as_str())
        .fetch_one(&mut *transaction)
        .await?;
    let rows = sqlx::query_scalar!(
        "SELECT tenant_id FROM join_domains WHERE domain = $1 ORDER BY created_at LIMIT $2",
        email.domain(),
        limits::ORGANISATIONS_PER_ADDRESS
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
