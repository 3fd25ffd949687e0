//! What a tenant's webhooks are told of: that a turn ended, how, and what it used; that its agent asks for something, and that this has
//! ended. Never a word of it: this waits in the database in clear. Whoever wants to read it asks for the session, or for what waits.

use protocol::{ApprovalId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use super::turns::TurnEvent;
use crate::app::App;
use crate::clock::millis;
use crate::ids;
use crate::limits;
use crate::storage::{StorageError, TenantTransaction, api_turns, api_webhooks};

/// Something that a webhook may be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub(crate) enum EventKind {
    #[serde(rename = "turn.finished")]
    TurnFinished,
    /// It failed, was stopped, or took too long.
    #[serde(rename = "turn.failed")]
    TurnFailed,
    /// The agent asks for something that it may not do by itself.
    #[serde(rename = "approval.waiting")]
    ApprovalWaiting,
    /// That was answered, or its time is over.
    #[serde(rename = "approval.ended")]
    ApprovalEnded,
}

impl EventKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TurnFinished => "turn.finished",
            Self::TurnFailed => "turn.failed",
            Self::ApprovalWaiting => "approval.waiting",
            Self::ApprovalEnded => "approval.ended",
        }
    }

    pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
        match text {
            "turn.finished" => Ok(Self::TurnFinished),
            "turn.failed" => Ok(Self::TurnFailed),
            "approval.waiting" => Ok(Self::ApprovalWaiting),
            "approval.ended" => Ok(Self::ApprovalEnded),
            _ => Err(StorageError::Unreadable("event of a webhook")),
        }
    }
}

/// Something that happened.
pub(super) struct Event {
    tenant: TenantId,
    /// The turn, or the request.
    about: Uuid,
    kind: EventKind,
    at: OffsetDateTime,
    body: String,
}

impl Event {
    fn new(tenant: TenantId, about: Uuid, kind: EventKind, at: OffsetDateTime, data: Value) -> Self {
        let body = json!({"type": kind, "timestamp": at.format(&Rfc3339).unwrap_or_default(), "data": data});
        Self {
            tenant,
            about,
            kind,
            at,
            body: body.to_string(),
        }
    }

    /// The agent asks for something.
    pub(super) fn approval_waits(
        tenant: TenantId,
        agent: &str,
        approval: ApprovalId,
        session: Option<&str>,
        ends_at: OffsetDateTime,
        at: OffsetDateTime,
    ) -> Self {
        let data = json!({
            "tenant_id": tenant, "agent": agent, "session_id": session, "approval_id": approval, "ends_at": millis(ends_at),
        });
        Self::new(tenant, approval.uuid(), EventKind::ApprovalWaiting, at, data)
    }

    /// It does not wait any more.
    pub(super) fn approval_ended(
        tenant: TenantId,
        agent: &str,
        approval: ApprovalId,
        session: Option<&str>,
        outcome: &'static str,
        at: OffsetDateTime,
    ) -> Self {
        let data = json!({
            "tenant_id": tenant, "agent": agent, "session_id": session, "approval_id": approval, "outcome": outcome, "ended_at": millis(at),
        });
        Self::new(tenant, approval.uuid(), EventKind::ApprovalEnded, at, data)
    }

    /// A turn has ended; `None` while it goes on.
    pub(super) fn turn_ended(
        tenant: TenantId,
        agent: &str,
        session: &str,
        turn: Uuid,
        last: &TurnEvent,
        begun_at: OffsetDateTime,
        at: OffsetDateTime,
    ) -> Option<Self> {
        let (kind, outcome, usage) = match last {
            TurnEvent::Final(answer) => (EventKind::TurnFinished, "finished".to_owned(), answer.usage),
            TurnEvent::Error(failure) => {
                // A word for programs; its message may quote what was said.
                let code = failure.code.chars().take(limits::WEBHOOK_OUTCOME_CHARS).collect();
                (EventKind::TurnFailed, code, None)
            }
            _ => return None,
        };
        let data = json!({
            "tenant_id": tenant,
            "agent": agent,
            "session_id": session,
            "turn_id": turn,
            "outcome": outcome,
            "usage": usage,
            "begun_at": millis(begun_at),
            "ended_at": millis(at),
        });
        Some(Self::new(tenant, turn, kind, at, data))
    }

    /// Puts the end of a turn into the queue for each webhook that wants it: from then on it is not lost, and nobody has to go on with the turn.
    pub(super) async fn keep(&self, app: &App) -> Result<(), StorageError> {
        let mut transaction = TenantTransaction::begin(&app.database, self.tenant).await?;
        // In the order in which a removal locks them.
        api_turns::ended(&mut transaction, self.about).await?;
        self.enqueue(&mut transaction).await?;
        transaction.commit().await
    }

    /// The same, in a transaction of its tenant's.
    pub(super) async fn enqueue(&self, transaction: &mut TenantTransaction) -> Result<(), StorageError> {
        for webhook in api_webhooks::wanting(transaction, self.kind).await? {
            let id = self.id(webhook);
            api_webhooks::enqueue(transaction, webhook, id, &self.body, self.at).await?;
        }
        Ok(())
    }

    /// When the database did not take it: until it does, or for as long as makes sense.
    pub(super) async fn keep_on_trying(&self, app: &App) {
        for _ in 0..limits::WEBHOOK_KEEP_TRIES {
            tokio::time::sleep(limits::WEBHOOK_KEEP_AGAIN).await;
            match self.keep(app).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, turn = %self.about, "a turn's end is not in the queue of webhooks yet")
                }
            }
        }
        tracing::error!(turn = %self.about, "a turn's end is told to no webhook: the database did not take it");
    }

    /// The same for the same end of the same turn, or the same word of the same request: a receiver knows by it what it has already, also when the turn is asked for again.
    fn id(&self, webhook: Uuid) -> Uuid {
        let digest = Sha256::new_with_prefix(b"holdfast/webhook-event/v1\0")
            .chain_update(webhook.as_bytes())
            .chain_update(self.about.as_bytes())
            .chain_update(self.kind.as_str());
        ids::of_digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Failure;
    use super::super::turns::{Answer, Final, Usage};
    use super::*;

    fn ended(webhook: Uuid, turn: Uuid, last: &TurnEvent) -> Option<(Uuid, String)> {
        let now = OffsetDateTime::UNIX_EPOCH;
        let ended = Event::turn_ended(TenantId::from(Uuid::nil()), "main", "s", turn, last, now, now)?;
        Some((ended.id(webhook), ended.body))
    }

    #[test]
    fn the_id_is_of_the_turn_and_the_webhook_and_no_message_is_in_the_body() {
        let failed = TurnEvent::Error(Failure::new(
            axum::http::StatusCode::BAD_GATEWAY,
            "x_failed",
            "you said canary",
        ));
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let (id, body) = ended(one, two, &failed).unwrap();
        assert_eq!(id, ended(one, two, &failed).unwrap().0);
        assert_ne!(id, ended(two, two, &failed).unwrap().0);
        assert_ne!(id, ended(one, one, &failed).unwrap().0);
        assert!(body.contains("x_failed") && !body.contains("canary"), "{body}");
        assert!(ended(one, two, &TurnEvent::Delta { text: "x".into() }).is_none());
    }

    #[test]
    fn what_was_not_measured_is_not_told_as_nothing() {
        let finished = |usage| {
            let turn = Uuid::nil();
            let answer = Answer {
                id: format!("a-{turn}"),
                role: "assistant",
                at: 1,
                text: String::new(),
                tools: Vec::new(),
            };
            let last = TurnEvent::Final(Final {
                session_id: "s".to_owned(),
                turn_id: turn,
                model: "m".to_owned(),
                message: answer,
                usage,
            });
            let (_, body) = ended(turn, turn, &last).unwrap();
            serde_json::from_str::<serde_json::Value>(&body).unwrap()["data"]["usage"].clone()
        };
        assert!(finished(None).is_null());
        assert_eq!(finished(Some(Usage::default()))["calls"], 0);
    }
}
