//! What is on its way out to mailboxes, destinations, webhooks and devices.

use protocol::TenantId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::interval::interval;
use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction, alerts, api_webhooks, audit, destinations, push_devices};
use crate::alerts::Quiet;
use crate::custody::Sealed;
use crate::database::Database;
use crate::delivery::{Kind, Notice};
use crate::ids::{AlertRuleId, DeliveryId, DestinationId, PushDeviceId};
use crate::limits;
use crate::person::Email;

/// Puts what is told for a rule into the queue.
pub(crate) async fn enqueue(
    transaction: &mut TenantTransaction,
    rule: AlertRuleId,
    destination: Option<DestinationId>,
    notice: &Notice,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let notice = serde_json::to_string(notice).map_err(|_| StorageError::Unreadable("an alert"))?;
    sqlx::query!(
        "INSERT INTO deliveries (id, tenant_id, rule_id, destination_id, notice, created_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        DeliveryId::new().uuid(),
        transaction.tenant().uuid(),
        rule.uuid(),
        destination.map(DestinationId::uuid),
        notice,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Deliveries of every tenant that are due: of each rule's mailbox, destination and device the oldest, of each webhook the oldest few,
/// so that none keeps the others waiting. Only which: what is in them is read for each in its tenant.
pub(crate) async fn due(database: &Database, now: OffsetDateTime) -> Result<Vec<(TenantId, DeliveryId)>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.deliveries").await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id!", id AS "id!" FROM (
            SELECT tenant_id, id, due_at, webhook_id,
                row_number() OVER (PARTITION BY coalesce(push_device_id, webhook_id, destination_id, rule_id) ORDER BY due_at, id) AS place
            FROM deliveries WHERE failed_at IS NULL AND due_at <= $1) d
         WHERE place <= CASE WHEN webhook_id IS NULL THEN 1 ELSE $3 END ORDER BY due_at LIMIT $2"#,
        now,
        limits::DELIVERIES_AT_ONCE,
        limits::WEBHOOK_AT_ONCE
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.id.into()))
        .collect())
}

/// Where a delivery goes.
pub(crate) enum Receiver {
    Mailbox(Email),
    Destination {
        id: DestinationId,
        kind: Kind,
        sealed: Vec<u8>,
    },
    /// Of a tenant of the API.
    Webhook {
        id: Uuid,
        sealed: Sealed,
    },
    /// Somebody's, by Web Push.
    Device {
        id: PushDeviceId,
        sealed: Vec<u8>,
    },
}

/// What it carries.
pub(crate) enum Load {
    Notice(Notice),
    /// What a webhook is told, whole.
    Body(String),
    /// Audit events after one, up to one where that is fixed already.
    Events {
        after: i64,
        up_to: Option<i64>,
    },
    /// That something waits, which its coming says.
    Nothing,
}

/// A delivery that is to be sent now.
pub(crate) struct Due {
    pub rule: Option<AlertRuleId>,
    pub receiver: Receiver,
    pub quiet: Option<Quiet>,
    pub load: Load,
    /// So many before this one.
    pub tries: i16,
}

impl Due {
    fn destination(&self) -> Option<DestinationId> {
        match self.receiver {
            Receiver::Destination { id, .. } => Some(id),
            Receiver::Mailbox(_) | Receiver::Webhook { .. } | Receiver::Device { .. } => None,
        }
    }

    fn webhook(&self) -> Option<Uuid> {
        match self.receiver {
            Receiver::Webhook { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(crate) fn device(&self) -> Option<PushDeviceId> {
        match self.receiver {
            Receiver::Device { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// Takes a due delivery in hand, locked; `None` if somebody else has it, or it is no longer due.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    id: DeliveryId,
    now: OffsetDateTime,
) -> Result<Option<Due>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT d.rule_id, d.notice, d.up_to, d.tries, r.email AS "email?", r.quiet_from AS "quiet_from?",
            r.quiet_to AS "quiet_to?", r.quiet_zone AS "quiet_zone?", t.id AS "destination?", t.kind AS "kind?", t.sealed AS "sealed?",
            t.streamed_to AS "streamed_to?", w.id AS "webhook?", w.key_id AS "webhook_key?", w.sealed AS "webhook_sealed?",
            p.id AS "device?", p.sealed AS "device_sealed?"
         FROM deliveries d
         LEFT JOIN alert_rules r ON r.tenant_id = d.tenant_id AND r.id = d.rule_id
         LEFT JOIN destinations t ON t.tenant_id = d.tenant_id AND t.id = d.destination_id
         LEFT JOIN api_webhooks w ON w.tenant_id = d.tenant_id AND w.id = d.webhook_id
         LEFT JOIN push_devices p ON p.tenant_id = d.tenant_id AND p.id = d.push_device_id
         WHERE d.tenant_id = $1 AND d.id = $2 AND d.failed_at IS NULL AND d.due_at <= $3
         FOR UPDATE OF d SKIP LOCKED"#,
        transaction.tenant().uuid(),
        id.uuid(),
        now
    );
    let Some(row) = row.fetch_optional(&mut **transaction).await? else {
        return Ok(None);
    };
    if let (Some(id), Some(key_id), Some(bytes), Some(body)) =
        (row.webhook, row.webhook_key, row.webhook_sealed, &row.notice)
    {
        let sealed = Sealed { key_id, bytes };
        return Ok(Some(Due {
            rule: None,
            receiver: Receiver::Webhook { id, sealed },
            quiet: None,
            load: Load::Body(body.clone()),
            tries: row.tries,
        }));
    }
    if let (Some(id), Some(sealed)) = (row.device, row.device_sealed) {
        return Ok(Some(Due {
            rule: None,
            receiver: Receiver::Device { id: id.into(), sealed },
            quiet: None,
            load: Load::Nothing,
            tries: row.tries,
        }));
    }
    let receiver = match (row.destination, row.kind, row.sealed, row.email) {
        (Some(id), Some(kind), Some(sealed), _) => Receiver::Destination {
            id: id.into(),
            kind: Kind::stored(&kind)?,
            sealed,
        },
        (_, _, _, Some(email)) => {
            Receiver::Mailbox(Email::parse(&email).map_err(|_| StorageError::Unreadable("address of an alert"))?)
        }
        _ => return Err(StorageError::Unreadable("receiver of a delivery")),
    };
    let load = match (row.notice, row.streamed_to) {
        (Some(notice), _) => {
            Load::Notice(serde_json::from_str(&notice).map_err(|_| StorageError::Unreadable("an alert"))?)
        }
        (None, Some(after)) => Load::Events {
            after,
            up_to: row.up_to,
        },
        _ => return Err(StorageError::Unreadable("what a delivery carries")),
    };
    Ok(Some(Due {
        rule: row.rule_id.map(AlertRuleId::from),
        receiver,
        quiet: row
            .quiet_zone
            .and_then(|zone| alerts::quiet(row.quiet_from, row.quiet_to, &zone)),
        load,
        tries: row.tries,
    }))
}

/// Not before then.
pub(crate) async fn put_off(
    transaction: &mut TenantTransaction,
    id: DeliveryId,
    until: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE deliveries SET due_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        until
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// There is no use in it any more; false if it was gone already.
pub(crate) async fn call_off(transaction: &mut TenantTransaction, id: DeliveryId) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM deliveries WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// One more try, with this load; another then, unless it is taken before.
pub(crate) async fn tried(
    transaction: &mut TenantTransaction,
    id: DeliveryId,
    load: &Load,
    again: OffsetDateTime,
) -> Result<(), StorageError> {
    let up_to = match load {
        Load::Events { up_to, .. } => *up_to,
        Load::Notice(_) | Load::Body(_) | Load::Nothing => None,
    };
    sqlx::query!(
        "UPDATE deliveries SET tries = tries + 1, due_at = $3, up_to = $4 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        again,
        up_to
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// It was taken: it is gone, and what came up in a stream meanwhile is next.
pub(crate) async fn taken(
    transaction: &mut TenantTransaction,
    id: DeliveryId,
    due: &Due,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    // Whoever adds an event has this lock, too, so none is overlooked.
    let head = match due.load {
        Load::Events { .. } => Some(audit::lock_head(transaction).await?),
        Load::Notice(_) | Load::Body(_) | Load::Nothing => None,
    };
    // Before what is on its way to it, as whoever removes it goes.
    if let Some(device) = due.device() {
        push_devices::told(transaction, device, now).await?;
    }
    let still_wanted = call_off(transaction, id).await?;
    let up_to = match due.load {
        Load::Events { up_to, .. } if still_wanted => up_to,
        _ => None,
    };
    if let Some(destination) = due.destination() {
        sqlx::query!(
            "UPDATE destinations SET last_sent_at = $3, last_problem = '', streamed_to = coalesce($4, streamed_to)
             WHERE tenant_id = $1 AND id = $2",
            tenant,
            destination.uuid(),
            now,
            up_to
        )
        .execute(&mut **transaction)
        .await?;
        if let (Some(head), Some(up_to)) = (head, up_to)
            && head.seq > up_to
        {
            next_of_stream(transaction, destination, now).await?;
        }
    }
    if let Some(webhook) = due.webhook() {
        api_webhooks::arrived(transaction, webhook, now).await?;
    }
    if let Some(rule) = due.rule {
        sqlx::query!(
            "UPDATE alert_rules SET last_sent_at = $3, last_problem = '' WHERE tenant_id = $1 AND id = $2",
            tenant,
            rule.uuid(),
            now
        )
        .execute(&mut **transaction)
        .await?;
    }
    // Those that were given up long ago say nothing any more that the audit log does not. A piece of a stream stays: it is next.
    sqlx::query!(
        "DELETE FROM deliveries WHERE tenant_id = $1 AND rule_id IS NOT NULL AND failed_at < $2::timestamptz - $3::interval",
        tenant,
        now,
        interval(limits::DELIVERY_KEPT)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Has the next piece of a stream sent.
pub(crate) async fn next_of_stream(
    transaction: &mut TenantTransaction,
    destination: DestinationId,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (tenant_id, destination_id) WHERE rule_id IS NULL DO NOTHING",
        DeliveryId::new().uuid(),
        transaction.tenant().uuid(),
        destination.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// As much of why it was not taken as is kept.
pub(super) fn kept(problem: &str) -> String {
    problem.chars().take(limits::PROBLEM_CHARS).collect()
}

/// It was not taken; with `over`, it is not tried again. `again` is when the other side wants it again.
pub(crate) async fn failed(
    transaction: &mut TenantTransaction,
    id: DeliveryId,
    due: &Due,
    problem: &str,
    over: bool,
    again: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    if let Some(webhook) = due.webhook() {
        api_webhooks::not_arrived(transaction, webhook, problem, over, now).await?;
    }
    // Nobody looks at what was not told there.
    if over && (due.webhook().is_some() || due.device().is_some()) {
        call_off(transaction, id).await?;
        return Ok(());
    }
    sqlx::query!(
        "UPDATE deliveries SET failed_at = $3, due_at = coalesce($4, due_at) WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        over.then_some(now),
        again
    )
    .execute(&mut **transaction)
    .await?;
    if let Some(destination) = due.destination() {
        destinations::not_arrived(transaction, destination, problem, now).await?;
    }
    if let Some(rule) = due.rule {
        sqlx::query!(
            "UPDATE alert_rules SET last_problem = $3 WHERE tenant_id = $1 AND id = $2",
            tenant,
            rule.uuid(),
            kept(problem)
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
