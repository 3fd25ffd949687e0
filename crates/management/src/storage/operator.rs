//! What the operator sees across organisations: who, how many, in which state. It is read as the operator, which PostgreSQL checks
//! by the session, and for each organisation by speaking for it; no policy shows an organisation's rows to anybody else.

use std::time::Duration;

use protocol::{CellId, TenantId, UserId};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::StorageError;
use super::interval::interval;
use crate::database::Database;
use crate::ids::JoinRequestId;
use crate::limits;
use crate::operator::Operator;
use crate::person::{Name, Role};

/// An organisation, with numbers.
#[derive(Debug)]
pub(crate) struct TenantFacts {
    pub id: TenantId,
    pub name: String,
    pub created_at: OffsetDateTime,
    pub suspended_at: Option<OffsetDateTime>,
    pub second_factor_required: bool,
    pub people: i64,
    pub suspended_people: i64,
    pub signed_in_people: i64,
    pub service_accounts: i64,
    pub groups: i64,
    pub alert_rules: i64,
}

/// Somebody, or a service account, and their cell.
#[derive(Debug)]
pub(crate) struct PersonFacts {
    pub tenant: TenantId,
    pub tenant_name: String,
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub service: bool,
    pub role: Role,
    pub created_at: OffsetDateTime,
    pub suspended: bool,
    pub second_factor: bool,
    pub sessions: i64,
    pub last_seen_at: Option<OffsetDateTime>,
    pub cell: Option<CellId>,
    pub cell_made_at: Option<OffsetDateTime>,
}

/// Somebody who waits to be let in.
#[derive(Debug)]
pub(crate) struct WaitingFacts {
    pub tenant: TenantId,
    pub tenant_name: String,
    pub request: JoinRequestId,
    pub name: String,
    pub email: String,
    pub issuer: Option<String>,
    pub created_at: OffsetDateTime,
}

/// What to list; everything where nothing is named.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Only {
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
    pub cell: Option<CellId>,
}

/// A transaction of the operator, which PostgreSQL checks.
pub(super) async fn begin(database: &Database, operator: &Operator) -> Result<PgTransaction<'static>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!(
        "SELECT set_config('holdfast.tenant', '', true) AS tenant, set_config('holdfast.operator', $1, true) AS operator",
        operator.session().hash.hex()
    )
    .fetch_one(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// The organisations, oldest first, or one of them.
pub(crate) async fn tenants(
    database: &Database,
    operator: &Operator,
    only: Option<TenantId>,
    (now, idle): (OffsetDateTime, Duration),
) -> Result<Vec<TenantFacts>, StorageError> {
    let mut transaction = begin(database, operator).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id!", tenant_name AS "tenant_name!", created_at AS "created_at!", suspended_at,
            second_factor_required AS "second_factor_required!", people AS "people!", suspended_people AS "suspended_people!",
            signed_in_people AS "signed_in_people!", service_accounts AS "service_accounts!", groups AS "groups!",
            alert_rules AS "alert_rules!"
        FROM operator_tenants($1, $2, $3) LIMIT $4"#,
        only.map(TenantId::uuid),
        now,
        interval(idle),
        limits::OPERATOR_LISTED
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TenantFacts {
            id: row.tenant_id.into(),
            name: row.tenant_name,
            created_at: row.created_at,
            suspended_at: row.suspended_at,
            second_factor_required: row.second_factor_required,
            people: row.people,
            suspended_people: row.suspended_people,
            signed_in_people: row.signed_in_people,
            service_accounts: row.service_accounts,
            groups: row.groups,
            alert_rules: row.alert_rules,
        })
        .collect())
}

/// Whether an organisation has this name already, however it is written.
pub(crate) async fn is_named(database: &Database, operator: &Operator, name: &Name) -> Result<bool, StorageError> {
    let mut transaction = begin(database, operator).await?;
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tenants WHERE lower(name) = lower($1)) AS "known!""#,
        name.as_str()
    );
    Ok(known.fetch_one(&mut *transaction).await?)
}

/// People and service accounts, by organisation, oldest first: one more than an answer lists, to know that there are more.
pub(crate) async fn people(
    database: &Database,
    operator: &Operator,
    only: Only,
    (now, idle): (OffsetDateTime, Duration),
) -> Result<Vec<PersonFacts>, StorageError> {
    let mut transaction = begin(database, operator).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id!", tenant_name AS "tenant_name!", user_id AS "user_id!", user_name AS "user_name!",
            email AS "email!", kind AS "kind!", role AS "role!", created_at AS "created_at!", suspended AS "suspended!",
            second_factor AS "second_factor!", sessions AS "sessions!", last_seen_at, cell_id, cell_made_at
        FROM operator_people($1, $2, $3, $4, $5) LIMIT $6"#,
        only.tenant.map(TenantId::uuid),
        only.user.map(UserId::uuid),
        only.cell.map(CellId::uuid),
        now,
        interval(idle),
        limits::OPERATOR_LISTED + 1
    )
    .fetch_all(&mut *transaction)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PersonFacts {
                tenant: row.tenant_id.into(),
                tenant_name: row.tenant_name,
                user: row.user_id.into(),
                name: row.user_name,
                email: row.email,
                service: row.kind == "service",
                role: Role::stored(&row.role)?,
                created_at: row.created_at,
                suspended: row.suspended,
                second_factor: row.second_factor,
                sessions: row.sessions,
                last_seen_at: row.last_seen_at,
                cell: row.cell_id.map(CellId::from),
                cell_made_at: row.cell_made_at,
            })
        })
        .collect()
}

/// Who waits to be let in, by organisation, the longest first, or one of them: one more than an answer lists. Nobody of a suspended organisation.
pub(crate) async fn waiting(
    database: &Database,
    operator: &Operator,
    only: Option<JoinRequestId>,
) -> Result<Vec<WaitingFacts>, StorageError> {
    let mut transaction = begin(database, operator).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id!", tenant_name AS "tenant_name!", request_id AS "request_id!", name AS "name!", email AS "email!",
            issuer, created_at AS "created_at!"
        FROM operator_waiting($1) LIMIT $2"#,
        only.map(JoinRequestId::uuid),
        limits::OPERATOR_LISTED + 1
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WaitingFacts {
            tenant: row.tenant_id.into(),
            tenant_name: row.tenant_name,
            request: row.request_id.into(),
            name: row.name,
            email: row.email,
            issuer: row.issuer,
            created_at: row.created_at,
        })
        .collect())
}
