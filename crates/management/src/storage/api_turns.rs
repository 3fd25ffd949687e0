//! Turns of the tenant API that run, where webhooks are to be told how they end: for whoever goes on with one whose server has gone. No word
//! of one is here.

use protocol::TenantId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::clock::after;
use crate::database::Database;
use crate::limits;
use crate::tenant_api::EventKind;

/// The setting under which those of every tenant are seen.
const EVERY_TENANT: &str = "holdfast.api_turns";

/// A turn, as another server has to know it.
#[derive(Debug, Clone)]
pub(crate) struct ApiTurn {
    pub id: Uuid,
    pub agent: String,
    pub session: String,
    /// What the agent was told, as a digest.
    pub told: [u8; 32],
    /// It may call functions of the client's.
    pub offers: bool,
    /// It must call one.
    pub required: bool,
    pub begun_at: OffsetDateTime,
}

/// A turn that no server has.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub tenant: TenantId,
    pub turn: ApiTurn,
    held_until: OffsetDateTime,
}

/// Notes a turn, which is this server's for a while; `false` where no webhook wants to be told of its end.
pub(crate) async fn begin(
    transaction: &mut TenantTransaction,
    turn: &ApiTurn,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let ends = [EventKind::TurnFinished, EventKind::TurnFailed].map(|kind| kind.as_str().to_owned());
    let noted = sqlx::query!(
        "INSERT INTO api_turns (tenant_id, id, agent, session, told, offers, required, begun_at, held_until)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE EXISTS (SELECT FROM api_webhooks WHERE tenant_id = $1 AND events && $10)
         ON CONFLICT (tenant_id, id) DO UPDATE SET held_until = EXCLUDED.held_until",
        transaction.tenant().uuid(),
        turn.id,
        turn.agent,
        turn.session,
        &turn.told,
        turn.offers,
        turn.required,
        turn.begun_at,
        after(now, limits::TURN_LEASE),
        &ends
    );
    Ok(noted.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// It is this server's until then.
pub(crate) async fn hold(
    database: &Database,
    tenant: TenantId,
    turn: Uuid,
    until: OffsetDateTime,
) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, tenant).await?;
    sqlx::query!(
        "UPDATE api_turns SET held_until = $3 WHERE tenant_id = $1 AND id = $2",
        tenant.uuid(),
        turn,
        until
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Nobody has to go on with it.
pub(crate) async fn ended(transaction: &mut TenantTransaction, turn: Uuid) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_turns WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        turn
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Those of every tenant that no server has, the one that has waited longest first.
pub(crate) async fn orphans(database: &Database, now: OffsetDateTime, most: i64) -> Result<Vec<Orphan>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, id, agent, session, told, offers, required, begun_at, held_until FROM api_turns
         WHERE held_until <= $1 ORDER BY held_until LIMIT $2",
        now,
        most
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    rows.into_iter()
        .map(|row| {
            let told = row.told.try_into();
            Ok(Orphan {
                tenant: row.tenant_id.into(),
                turn: ApiTurn {
                    id: row.id,
                    agent: row.agent,
                    session: row.session,
                    told: told.map_err(|_| StorageError::Unreadable("the digest of a turn"))?,
                    offers: row.offers,
                    required: row.required,
                    begun_at: row.begun_at,
                },
                held_until: row.held_until,
            })
        })
        .collect()
}

/// Takes one: it is this server's for a while. `false` where another one was faster, or it has ended.
pub(crate) async fn take(database: &Database, orphan: &Orphan, now: OffsetDateTime) -> Result<bool, StorageError> {
    let mut transaction = TenantTransaction::begin(database, orphan.tenant).await?;
    let taken = sqlx::query!(
        "UPDATE api_turns SET held_until = $4 WHERE tenant_id = $1 AND id = $2 AND held_until = $3",
        orphan.tenant.uuid(),
        orphan.turn.id,
        orphan.held_until,
        after(now, limits::TURN_LEASE)
    );
    let taken = taken.execute(&mut *transaction).await?.rows_affected() == 1;
    transaction.commit().await?;
    Ok(taken)
}

/// Removes those of one agent.
pub(crate) async fn remove_of(transaction: &mut TenantTransaction, agent: &str) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_turns WHERE tenant_id = $1 AND agent = $2",
        transaction.tenant().uuid(),
        agent
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Removes them all.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_turns WHERE tenant_id = $1",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
