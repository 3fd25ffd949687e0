//! What a tenant's keeper tells of requests, passed on to webhooks: each once when it waits and once when it has ended, by an answer or
//! by its time. An agent that asks all the time is not passed on without end.

use protocol::control::{ApprovalNotice, ApprovalState, NoticeKind};
use time::OffsetDateTime;

use super::super::event::Event;
use crate::app::App;
use crate::clock::{after, moment};
use crate::limits;
use crate::repeating::Repeating;
use crate::storage::{StorageError, TenantTransaction, api_approvals};

/// Takes what the keeper of one of the tenant's agents tells.
pub(crate) async fn heard(
    app: &App,
    transaction: &mut TenantTransaction,
    agent: &str,
    approvals: &[ApprovalNotice],
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant();
    let latest = after(now, limits::APPROVAL_LIFE);
    api_approvals::forget_old(transaction, now).await?;
    // What is no request of the agent is no answer's to end.
    for approval in approvals.iter().filter(|each| each.kind == NoticeKind::Agent) {
        let outcome = match approval.state {
            ApprovalState::Waiting => {
                let ends_at = moment(approval.ends_at).map(|ends_at| ends_at.min(latest));
                let Some(ends_at) = ends_at.filter(|ends_at| *ends_at > now) else {
                    continue;
                };
                let session = app
                    .tenant_api
                    .as_ref()
                    .and_then(|api| api.turns.only_session(tenant, agent));
                if api_approvals::heard(transaction, agent, approval.id, session.as_deref(), ends_at, now).await? {
                    let event = Event::approval_waits(tenant, agent, approval.id, session.as_deref(), ends_at, now);
                    event.enqueue(transaction).await?;
                }
                continue;
            }
            ApprovalState::Allowed => "allowed",
            ApprovalState::Refused => "refused",
            ApprovalState::Ended => "expired",
        };
        if let Some(session) = api_approvals::ended(transaction, agent, approval.id, outcome).await? {
            let event = Event::approval_ended(tenant, agent, approval.id, session.as_deref(), outcome, now);
            event.enqueue(transaction).await?;
        }
    }
    Ok(())
}

/// Looks for those whose time is over, also where no keeper says so, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::DELIVERY_CHECK, move || {
        let app = app.clone();
        async move {
            if let Err(error) = expire(&app).await {
                tracing::warn!(%error, "requests of tenants' agents that have ended could not be looked for; they are told of later");
            }
        }
    })
}

async fn expire(app: &App) -> Result<(), StorageError> {
    let now = app.clock.now();
    for (tenant, agent, id) in api_approvals::due(&app.database, now).await? {
        let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
        if let Some(session) = api_approvals::ended(&mut transaction, &agent, id, "expired").await? {
            let event = Event::approval_ended(tenant, &agent, id, session.as_deref(), "expired", now);
            event.enqueue(&mut transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}
