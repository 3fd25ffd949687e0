//! Rules of alerts, and alerts that wait until they are told.

use protocol::TenantId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::interval::interval;
use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction, chain_checks};
use crate::access::{FreshManager, Manager};
use crate::alerts::{Quiet, Trigger, Who};
use crate::clock::millis;
use crate::database::Database;
use crate::delivery::Kind;
use crate::ids::{AlertId, AlertRuleId, DestinationId};
use crate::limits;
use crate::zone;

/// A rule: who is told of what.
#[derive(Debug)]
pub(crate) struct Rule {
    pub id: AlertRuleId,
    pub trigger: Trigger,
    pub receiver: Receiver,
    pub quiet: Option<Quiet>,
    pub last_sent_at: Option<OffsetDateTime>,
    pub last_problem: String,
}

/// Who is told.
#[derive(Debug, Clone)]
pub(crate) enum Receiver {
    Mailbox(String),
    Destination {
        id: DestinationId,
        kind: Kind,
        name: String,
    },
}

impl Receiver {
    /// For people.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Mailbox(email) => email,
            Self::Destination { name, .. } => name,
        }
    }

    fn stored(
        email: Option<String>,
        id: Option<Uuid>,
        kind: Option<String>,
        name: Option<String>,
    ) -> Result<Self, StorageError> {
        match (email, id, kind, name) {
            (Some(email), None, ..) => Ok(Self::Mailbox(email)),
            (None, Some(id), Some(kind), Some(name)) => Ok(Self::Destination {
                id: id.into(),
                kind: Kind::stored(&kind)?,
                name,
            }),
            _ => Err(StorageError::Unreadable("who is told of an alert")),
        }
    }
}

/// Every rule, oldest first.
pub(crate) async fn list(transaction: &mut TenantTransaction, _manager: &Manager) -> Result<Vec<Rule>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT r.id, r.trigger, r.email, r.destination_id, t.kind AS "kind?", t.name AS "name?", r.quiet_from, r.quiet_to, r.quiet_zone,
            r.last_sent_at, r.last_problem
         FROM alert_rules r LEFT JOIN destinations t ON t.tenant_id = r.tenant_id AND t.id = r.destination_id
         WHERE r.tenant_id = $1 ORDER BY r.created_at, r.id LIMIT $2"#,
        transaction.tenant().uuid(),
        limits::ALERT_RULES
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Rule {
                id: row.id.into(),
                trigger: Trigger::stored(&row.trigger)?,
                receiver: Receiver::stored(row.email, row.destination_id, row.kind, row.name)?,
                quiet: quiet(row.quiet_from, row.quiet_to, &row.quiet_zone),
                last_sent_at: row.last_sent_at,
                last_problem: row.last_problem,
            })
        })
        .collect()
}

/// Quiet times as they are stored. A zone that is not known any more has none: better told at night than not at all.
pub(super) fn quiet(from: Option<i16>, to: Option<i16>, zone: &str) -> Option<Quiet> {
    Quiet::new(from?, to?, zone::named(zone)?)
}

/// Adds a rule; `None` when there are as many as there may be. [`StorageError::Conflict`] when there is the same one.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    trigger: Trigger,
    receiver: Receiver,
    quiet: Option<Quiet>,
    now: OffsetDateTime,
) -> Result<Option<Rule>, StorageError> {
    let tenant = transaction.tenant().uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM alert_rules WHERE tenant_id = $1"#,
        tenant
    );
    if count.fetch_one(&mut **transaction).await? >= limits::ALERT_RULES {
        return Ok(None);
    }
    let id = AlertRuleId::new();
    let (email, destination) = match &receiver {
        Receiver::Mailbox(email) => (Some(email.as_str()), None),
        Receiver::Destination { id, .. } => (None, Some(id.uuid())),
    };
    sqlx::query!(
        "INSERT INTO alert_rules (id, tenant_id, trigger, email, destination_id, quiet_from, quiet_to, quiet_zone, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, 'UTC'), $9)",
        id.uuid(),
        tenant,
        trigger.as_str(),
        email,
        destination,
        quiet.map(Quiet::from),
        quiet.map(Quiet::to),
        quiet.map(Quiet::zone),
        now
    )
    .execute(&mut **transaction)
    .await?;
    if trigger == Trigger::ChainBroken {
        chain_checks::begin(transaction, now).await?;
    }
    Ok(Some(Rule {
        id,
        trigger,
        receiver,
        quiet,
        last_sent_at: None,
        last_problem: String::new(),
    }))
}

/// One rule.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    manager: &Manager,
    id: AlertRuleId,
) -> Result<Option<Rule>, StorageError> {
    let rules = list(transaction, manager).await?;
    Ok(rules.into_iter().find(|rule| rule.id == id))
}

/// Ends a rule, with what waits for it; false if there is no such one.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: AlertRuleId,
) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM alert_rules WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Ends the rules that tell this mailbox, with what waits for them; how many.
pub(super) async fn remove_mailbox(transaction: &mut TenantTransaction, email: &str) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM alert_rules WHERE tenant_id = $1 AND email = $2",
        transaction.tenant().uuid(),
        email
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}

/// How many of their acts were refused since then, also those that were counted together.
pub(crate) async fn refused_since(
    transaction: &mut TenantTransaction,
    who: Who<'_>,
    since: OffsetDateTime,
) -> Result<i64, StorageError> {
    let (actor, network) = match who {
        Who::Known(id) => (Some(id), None),
        // As much of an address as counts as one client.
        Who::At(network) => (
            None,
            network.map(|network| format!("{network}/{}", if network.is_ipv4() { 32 } else { 64 })),
        ),
    };
    let count = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(coalesce((body::jsonb #>> '{details,times}')::bigint, 1)), 0)::bigint AS "count!" FROM audit_events
         WHERE tenant_id = $1 AND at >= $2 AND outcome = 'refused' AND actor IS NOT DISTINCT FROM $3
            AND ($3 IS NOT NULL OR coalesce(nullif(body::jsonb ->> 'address', '')::inet <<= $4::text::inet, $4 IS NULL AND body::jsonb ->> 'address' = ''))"#,
        transaction.tenant().uuid(),
        millis(since),
        actor,
        network
    );
    Ok(count.fetch_one(&mut **transaction).await?)
}

/// Whether somebody came in with this device before, or never signed in before at all: nobody's first device is news.
pub(crate) async fn knows_device(
    transaction: &mut TenantTransaction,
    actor: &str,
    device: &str,
    before: i64,
) -> Result<bool, StorageError> {
    let known = sqlx::query_scalar!(
        r#"SELECT coalesce(bool_or(e.device = $3), true) AS "known!" FROM (
            SELECT body::jsonb ->> 'device' AS device FROM audit_events
            WHERE tenant_id = $1 AND actor = $2 AND seq < $4 AND action IN ('sign_in.done', 'factor.shown') AND outcome = 'done'
            ORDER BY seq DESC LIMIT 100) e"#,
        transaction.tenant().uuid(),
        actor,
        device,
        before
    );
    Ok(known.fetch_one(&mut **transaction).await?)
}

/// Keeps an alert for each rule with this trigger. What waits already, of the same subject, becomes more of the same; what comes
/// soon after one that was told waits for the rest of the time between two.
pub(crate) async fn raise(
    transaction: &mut TenantTransaction,
    trigger: Trigger,
    subject: &str,
    summary: &str,
    at: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO alerts (id, tenant_id, rule_id, subject, summary, events, first_at, due_at)
         SELECT gen_random_uuid(), r.tenant_id, r.id, $3, $4, 1, $5::timestamptz, greatest($5, (
                SELECT max(a.sent_at) + $6::interval FROM alerts a
                WHERE a.tenant_id = r.tenant_id AND a.rule_id = r.id AND a.subject = $3))
         FROM alert_rules r WHERE r.tenant_id = $1 AND r.trigger = $2
         ON CONFLICT (tenant_id, rule_id, subject) WHERE sent_at IS NULL
         DO UPDATE SET events = alerts.events + 1, summary = EXCLUDED.summary",
        transaction.tenant().uuid(),
        trigger.as_str(),
        subject,
        summary,
        at,
        interval(limits::ALERT_BETWEEN)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Alerts of every tenant that are due, oldest first. Only which: what is in them is read for each in its tenant.
pub(crate) async fn due(database: &Database, now: OffsetDateTime) -> Result<Vec<(TenantId, AlertId)>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.alerts").await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, id FROM alerts WHERE sent_at IS NULL AND due_at <= $1
         ORDER BY due_at LIMIT $2",
        now,
        limits::ALERTS_AT_ONCE
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.id.into()))
        .collect())
}

/// An alert that is to be told now.
pub(crate) struct Due {
    pub rule: AlertRuleId,
    /// None: the rule's mailbox.
    pub destination: Option<DestinationId>,
    pub trigger: Trigger,
    pub quiet: Option<Quiet>,
    pub subject: String,
    pub summary: String,
    pub events: i32,
}

/// Takes a due alert in hand, locked; `None` if somebody else has it, or it is no longer due.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    id: AlertId,
    now: OffsetDateTime,
) -> Result<Option<Due>, StorageError> {
    let row = sqlx::query!(
        "SELECT r.id, r.destination_id, r.trigger, r.quiet_from, r.quiet_to, r.quiet_zone, a.subject, a.summary, a.events FROM alerts a
         JOIN alert_rules r ON r.tenant_id = a.tenant_id AND r.id = a.rule_id
         WHERE a.tenant_id = $1 AND a.id = $2 AND a.sent_at IS NULL AND a.due_at <= $3
         FOR UPDATE OF a SKIP LOCKED",
        transaction.tenant().uuid(),
        id.uuid(),
        now
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| {
        Ok(Due {
            rule: row.id.into(),
            destination: row.destination_id.map(DestinationId::from),
            trigger: Trigger::stored(&row.trigger)?,
            quiet: quiet(row.quiet_from, row.quiet_to, &row.quiet_zone),
            subject: row.subject,
            summary: row.summary,
            events: row.events,
        })
    })
    .transpose()
}

/// Not before then.
pub(crate) async fn put_off(
    transaction: &mut TenantTransaction,
    id: AlertId,
    until: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE alerts SET due_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        until
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// It is in the queue of deliveries. What comes up from now on is another one.
pub(crate) async fn told(
    transaction: &mut TenantTransaction,
    id: AlertId,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "UPDATE alerts SET sent_at = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    // Those of long ago say nothing any more that the audit log does not.
    sqlx::query!(
        "DELETE FROM alerts WHERE tenant_id = $1 AND sent_at < $2::timestamptz - $3::interval",
        tenant,
        now,
        interval(limits::ALERT_KEPT)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
