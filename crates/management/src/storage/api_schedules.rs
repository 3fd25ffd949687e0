//! When the agents of the tenant API's tenants are told something by the clock, and how that went the last time. What they are told is in
//! their vaults.

use protocol::TenantId;
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::clock::after;
use crate::database::Database;
use crate::limits;

/// The setting under which those of every tenant are seen.
const EVERY_TENANT: &str = "holdfast.api_schedules";

/// Whose job, and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct JobName {
    pub tenant: TenantId,
    pub agent: String,
    pub job: String,
}

/// A job as it is stored, for whoever carries it out.
#[derive(Debug, Clone)]
pub(crate) struct StoredJob {
    pub name: JobName,
    /// In JSON.
    pub timing: String,
    pub next_at: OffsetDateTime,
    /// The time for which a run is under way.
    pub due_at: Option<OffsetDateTime>,
    pub claimed_until: Option<OffsetDateTime>,
}

/// A row of the table, for whoever looks for what is due.
struct Row {
    tenant_id: uuid::Uuid,
    agent: String,
    job: String,
    timing: String,
    next_at: OffsetDateTime,
    due_at: Option<OffsetDateTime>,
    claimed_until: Option<OffsetDateTime>,
}

impl From<Row> for StoredJob {
    fn from(row: Row) -> Self {
        Self {
            name: JobName {
                tenant: row.tenant_id.into(),
                agent: row.agent,
                job: row.job,
            },
            timing: row.timing,
            next_at: row.next_at,
            due_at: row.due_at,
            claimed_until: row.claimed_until,
        }
    }
}

/// How a job stands, for whoever may see it.
#[derive(Debug, Clone)]
pub(crate) struct JobState {
    pub job: String,
    pub next_at: OffsetDateTime,
    pub due_at: Option<OffsetDateTime>,
    pub last_at: Option<OffsetDateTime>,
    pub last_result: Option<String>,
    pub passed_over_at: Option<OffsetDateTime>,
}

/// A run that is this server's alone for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    /// The time that it is for.
    pub due_at: OffsetDateTime,
    /// When it was first claimed, by whomever.
    pub begun_at: OffsetDateTime,
    pub progress: Progress,
    /// When the run before ended, if the agent's money was spent then.
    pub spent_at: Option<OffsetDateTime>,
}

/// How far a run has come, whoever carried it out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// It was counted among its tenant's requests.
    pub is_counted: bool,
    /// Its turn was begun.
    pub has_turn: bool,
}

/// How a run ends for which there is no money.
pub(crate) const SPENT: &str = "spending_limit";

/// What stands for a run of a job of which cannot be told when it comes.
const UNTOLD: &str = "unknown_times";

/// A job that an agent is given.
pub(crate) struct GivenJob {
    pub job: String,
    pub timing: String,
    pub next_at: OffsetDateTime,
}

/// From now on these are the agent's jobs, and no others. One whose times are as they were comes when it would have come.
pub(crate) async fn give(
    transaction: &mut TenantTransaction,
    agent: &str,
    jobs: &[GivenJob],
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    let names: Vec<String> = jobs.iter().map(|job| job.job.clone()).collect();
    sqlx::query!(
        "DELETE FROM api_schedules WHERE tenant_id = $1 AND agent = $2 AND job <> ALL ($3)",
        tenant,
        agent,
        &names
    )
    .execute(&mut **transaction)
    .await?;
    for job in jobs {
        sqlx::query!(
            "INSERT INTO api_schedules AS known (tenant_id, agent, job, timing, next_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, agent, job) DO UPDATE SET timing = EXCLUDED.timing,
                next_at = CASE WHEN known.timing = EXCLUDED.timing THEN least(known.next_at, EXCLUDED.next_at) ELSE EXCLUDED.next_at END",
            tenant,
            agent,
            job.job,
            job.timing,
            job.next_at
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// An agent's jobs, by name.
pub(crate) async fn list(transaction: &mut TenantTransaction, agent: &str) -> Result<Vec<JobState>, StorageError> {
    let rows = sqlx::query_as!(
        JobState,
        "SELECT job, next_at, due_at, last_at, last_result, passed_over_at FROM api_schedules
         WHERE tenant_id = $1 AND agent = $2 ORDER BY job",
        transaction.tenant().uuid(),
        agent
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Those of every tenant that nobody carries out and somebody should: due, or let go of by whoever had them. Who has waited longest since
/// it was last tried comes first, so that what is tried again and again keeps nothing else from its turn. Of one tenant no more than
/// [`limits::SCHEDULED_OF_TENANT`], those counted that are carried out already: `at_work` has a tenant once for each.
pub(crate) async fn due(
    database: &Database,
    now: OffsetDateTime,
    most: i64,
    at_work: &[uuid::Uuid],
) -> Result<Vec<StoredJob>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT tenant_id AS "tenant_id!", agent AS "agent!", job AS "job!", timing AS "timing!", next_at AS "next_at!",
            due_at AS "due_at?", claimed_until AS "claimed_until?"
         FROM (
            SELECT tenant_id, agent, job, timing, next_at, due_at, claimed_until, coalesce(claimed_until, next_at) AS since,
                row_number() OVER (PARTITION BY tenant_id ORDER BY coalesce(claimed_until, next_at), agent, job) AS place
            FROM api_schedules WHERE (due_at IS NULL AND next_at <= $1) OR claimed_until <= $1
         ) waiting
         WHERE place + (SELECT count(*) FROM unnest($3::uuid[]) AS busy (tenant) WHERE busy.tenant = waiting.tenant_id) <= $4
         ORDER BY since LIMIT $2"#,
        now,
        most,
        at_work,
        limits::SCHEDULED_OF_TENANT
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    Ok(rows.into_iter().map(StoredJob::from).collect())
}

/// Those of every tenant that are due again while the last run goes on.
pub(crate) async fn due_again(database: &Database, now: OffsetDateTime) -> Result<Vec<StoredJob>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT tenant_id, agent, job, timing, next_at, due_at, claimed_until FROM api_schedules
         WHERE next_at <= $1 AND claimed_until > $1 ORDER BY next_at LIMIT $2",
        now,
        limits::SCHEDULED_PASSED_OVER
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    Ok(rows.into_iter().map(StoredJob::from).collect())
}

/// Takes a job that is due: nobody else has this run until the lease is over. `None` where somebody was faster, or it is not there any more;
/// else what it is for. It comes again at `following`.
pub(crate) async fn claim(
    database: &Database,
    job: &StoredJob,
    following: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Option<Claim>, StorageError> {
    let mut transaction = TenantTransaction::begin(database, job.name.tenant).await?;
    let claimed = sqlx::query!(
        r#"UPDATE api_schedules SET due_at = coalesce(due_at, next_at), begun_at = coalesce(begun_at, $9), claimed_until = $4,
            next_at = CASE WHEN due_at IS NULL THEN $5 ELSE next_at END,
            is_counted = is_counted AND due_at IS NOT NULL, has_turn = has_turn AND due_at IS NOT NULL
         WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND next_at = $6 AND due_at IS NOT DISTINCT FROM $7
            AND claimed_until IS NOT DISTINCT FROM $8
         RETURNING due_at AS "due_at!", begun_at AS "begun_at!", is_counted, has_turn, last_at, last_result"#,
        job.name.tenant.uuid(),
        job.name.agent,
        job.name.job,
        after(now, limits::SCHEDULE_LEASE),
        following,
        job.next_at,
        job.due_at,
        job.claimed_until,
        now
    );
    let claimed = claimed.fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(claimed.map(|row| Claim {
        due_at: row.due_at,
        begun_at: row.begun_at,
        progress: Progress {
            is_counted: row.is_counted,
            has_turn: row.has_turn,
        },
        spent_at: row.last_at.filter(|_| row.last_result.as_deref() == Some(SPENT)),
    }))
}

/// Nobody else has this run until then.
pub(crate) async fn hold(
    database: &Database,
    name: &JobName,
    due_at: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, name.tenant).await?;
    sqlx::query!(
        "UPDATE api_schedules SET claimed_until = $5 WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND due_at = $4",
        name.tenant.uuid(),
        name.agent,
        name.job,
        due_at,
        until
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// The same, of a run that has come so far.
pub(crate) async fn hold_at(
    database: &Database,
    name: &JobName,
    due_at: OffsetDateTime,
    until: OffsetDateTime,
    progress: Progress,
) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, name.tenant).await?;
    sqlx::query!(
        "UPDATE api_schedules SET claimed_until = $5, is_counted = $6, has_turn = $7
         WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND due_at = $4",
        name.tenant.uuid(),
        name.agent,
        name.job,
        due_at,
        until,
        progress.is_counted,
        progress.has_turn
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// A time of a job that passes without a run, since the last one goes on.
pub(crate) async fn pass_over(
    database: &Database,
    job: &StoredJob,
    following: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let mut transaction = TenantTransaction::begin(database, job.name.tenant).await?;
    let passed = sqlx::query!(
        "UPDATE api_schedules SET next_at = $4, passed_over_at = $5
         WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND next_at = $6 AND due_at IS NOT NULL",
        job.name.tenant.uuid(),
        job.name.agent,
        job.name.job,
        following,
        now,
        job.next_at
    );
    let passed = passed.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(passed.rows_affected() == 1)
}

/// A run has ended.
pub(crate) async fn ended(
    database: &Database,
    name: &JobName,
    due_at: OffsetDateTime,
    result: &str,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, name.tenant).await?;
    sqlx::query!(
        "UPDATE api_schedules SET due_at = NULL, begun_at = NULL, claimed_until = NULL, last_at = $5, last_result = $6
         WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND due_at = $4",
        name.tenant.uuid(),
        name.agent,
        name.job,
        due_at,
        now,
        result
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// When a job comes cannot be told now: it says so, and is due again at `again`.
pub(crate) async fn cannot_tell(
    database: &Database,
    job: &StoredJob,
    again: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, job.name.tenant).await?;
    sqlx::query!(
        "UPDATE api_schedules SET next_at = $5, last_at = $6, last_result = $7
         WHERE tenant_id = $1 AND agent = $2 AND job = $3 AND next_at = $4",
        job.name.tenant.uuid(),
        job.name.agent,
        job.name.job,
        job.next_at,
        again,
        now,
        UNTOLD
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Removes those of an agent beside the first that is gone; of one that is there, none.
pub(crate) async fn remove_of_gone(database: &Database, name: &JobName) -> Result<(), StorageError> {
    let mut transaction = TenantTransaction::begin(database, name.tenant).await?;
    sqlx::query!(
        "DELETE FROM api_schedules WHERE tenant_id = $1 AND agent = $2
            AND NOT EXISTS (SELECT FROM api_agents WHERE api_agents.tenant_id = $1 AND api_agents.name = $2)",
        name.tenant.uuid(),
        name.agent
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Removes those of one agent.
pub(crate) async fn remove_of(transaction: &mut TenantTransaction, agent: &str) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_schedules WHERE tenant_id = $1 AND agent = $2",
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
        "DELETE FROM api_schedules WHERE tenant_id = $1",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
