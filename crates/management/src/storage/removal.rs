//! Removing an organisation: what goes with it, whose cells, and every row.

use protocol::{TenantId, UserId};
use serde::Serialize;
use sqlx::PgTransaction;
use utoipa::ToSchema;

use super::{StorageError, TenantTransaction, operator};
use crate::cell_control::CellRef;
use crate::database::Database;
use crate::operator::{FreshOperator, Operator};

/// How many of each go with an organisation.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = OperatorTenantLosses)]
pub(crate) struct Losses {
    pub people: i64,
    pub service_accounts: i64,
    /// With a vault, a home and its backups on this server each.
    pub cells: i64,
    pub groups: i64,
    pub api_keys: i64,
    pub second_factors: i64,
    pub sign_in_providers: i64,
    pub destinations: i64,
    pub audit_events: i64,
}

/// What is in the transaction's organisation.
pub(crate) async fn losses(transaction: &mut TenantTransaction, _operator: &Operator) -> Result<Losses, StorageError> {
    Ok(sqlx::query_as!(
        Losses,
        r#"SELECT
            (SELECT count(*) FROM users WHERE tenant_id = $1 AND kind = 'person' AND removed_at IS NULL) AS "people!",
            (SELECT count(*) FROM users WHERE tenant_id = $1 AND kind = 'service' AND removed_at IS NULL) AS "service_accounts!",
            (SELECT count(*) FROM cells c JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.user_id
                WHERE c.tenant_id = $1 AND u.removed_at IS NULL) AS "cells!",
            (SELECT count(*) FROM groups WHERE tenant_id = $1) AS "groups!",
            (SELECT count(*) FROM api_keys WHERE tenant_id = $1) AS "api_keys!",
            (SELECT count(*) FROM authenticators WHERE tenant_id = $1 AND confirmed_at IS NOT NULL)
                + (SELECT count(*) FROM passkeys WHERE tenant_id = $1) AS "second_factors!",
            (SELECT count(*) FROM sign_in_providers WHERE tenant_id = $1) AS "sign_in_providers!",
            (SELECT count(*) FROM destinations WHERE tenant_id = $1) AS "destinations!",
            (SELECT coalesce(max(seq), 0) FROM audit_heads WHERE tenant_id = $1) AS "audit_events!""#,
        transaction.tenant().uuid()
    )
    .fetch_one(&mut **transaction)
    .await?)
}

/// The cells of the transaction's organisation, those of people who were removed before included: what was left of one goes, too.
pub(crate) async fn cells(
    transaction: &mut TenantTransaction,
    _operator: &FreshOperator,
) -> Result<Vec<CellRef>, StorageError> {
    let tenant = transaction.tenant();
    let rows = sqlx::query!(
        "SELECT id, user_id FROM cells WHERE tenant_id = $1 ORDER BY id",
        tenant.uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| CellRef {
            cell: row.id.into(),
            tenant,
            user: UserId::from(row.user_id),
        })
        .collect())
}

/// Removes every row of a suspended organisation. What is returned is to be committed, with what is written down of it.
pub(crate) async fn remove(
    database: &Database,
    fresh: &FreshOperator,
    tenant: TenantId,
) -> Result<PgTransaction<'static>, StorageError> {
    let mut transaction = operator::begin(database, fresh.operator()).await?;
    sqlx::query!("SELECT remove_organisation($1)", tenant.uuid())
        .fetch_one(&mut *transaction)
        .await?;
    Ok(transaction)
}
