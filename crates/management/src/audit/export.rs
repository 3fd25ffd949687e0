//! A chain as a file of JSON lines that can be checked without us: a header, every event with its hash, the signatures
//! over places of the chain, and last a signature over where it ended when it was exported. A chain that does not hold is exported as it
//! is, and its end is not signed.

use std::sync::Arc;

use axum::body::Bytes;
use ed25519_dalek::VerifyingKey;
use futures::Stream;
use protocol::{Millis, TenantId, b64};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::key::{Place, Whose};
use super::walk::{self, Tampered, Walk};
use super::{AuditLog, Chains};
use crate::clock::millis;
use crate::database::Database;
use crate::limits;
use crate::storage::audit::{self as stored, Checkpoint, Head};
use crate::storage::{StorageError, TenantTransaction, operator_audit};

/// A line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub holdfast_audit: u8,
    /// Whose chain it is: this, or the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorsChain>,
    /// The public key whose signatures follow.
    pub key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorsChain {
    /// Events up to this one were written before the chain was signed.
    pub unsigned: i64,
}

impl Header {
    pub(super) fn new(whose: Whose, key: &VerifyingKey) -> Self {
        let (tenant, operator) = match whose {
            Whose::Tenant(tenant) => (Some(tenant), None),
            Whose::Operator { unsigned } => (None, Some(OperatorsChain { unsigned })),
        };
        Self {
            holdfast_audit: 1,
            tenant,
            operator,
            key: b64::encode(key.as_bytes()),
        }
    }

    /// Whose chain follows; none where that is not said, or said twice.
    pub(super) fn whose(&self) -> Option<Whose> {
        match (self.tenant, &self.operator) {
            (Some(tenant), None) => Some(Whose::Tenant(tenant)),
            (None, Some(OperatorsChain { unsigned })) => Some(Whose::Operator { unsigned: *unsigned }),
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    pub event: Box<RawValue>,
    pub hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    pub seq: i64,
    pub hash: String,
    pub at: Millis,
    pub signature: String,
}

impl Signed {
    pub(super) fn new(head: &Head, at: Millis, signature: &[u8; 64]) -> Self {
        Self {
            seq: head.seq,
            hash: b64::encode(head.hash),
            at,
            signature: b64::encode(signature),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointLine {
    pub checkpoint: Signed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub end: Signed,
}

impl AuditLog {
    /// The whole chain of a tenant, in pieces. What is added after this was called is not in it.
    pub(crate) async fn export(
        &self,
        database: &Database,
        tenant: TenantId,
    ) -> Result<impl Stream<Item = Result<Bytes, StorageError>> + use<>, StorageError> {
        let mut transaction = TenantTransaction::begin(database, tenant).await?;
        let head = stored::head(&mut transaction).await?;
        transaction.commit().await?;
        self.pieces(database, Whose::Tenant(tenant), head)
    }

    /// The whole chain of the operator, as [`export`](Self::export).
    pub(crate) async fn export_operator(
        &self,
        database: &Database,
    ) -> Result<impl Stream<Item = Result<Bytes, StorageError>> + use<>, StorageError> {
        let (head, unsigned) = operator_audit::head(&mut *database.pool().acquire().await?).await?;
        self.pieces(database, Whose::Operator { unsigned }, head)
    }

    fn pieces(
        &self,
        database: &Database,
        whose: Whose,
        head: Head,
    ) -> Result<impl Stream<Item = Result<Bytes, StorageError>> + use<>, StorageError> {
        let key = self.chains.key().public();
        let exporting = Exporting {
            database: database.clone(),
            chains: self.chains.clone(),
            whose,
            head,
            header: Some(line(&Header::new(whose, &key))?),
            after: 0,
            held: Ok(Walk::begin(whose, key)),
            ends_at: Some(millis(self.clock.now())),
        };
        Ok(futures::stream::try_unfold(
            exporting,
            async |mut exporting: Exporting| {
                let piece = exporting.next().await;
                piece.map(|piece| piece.map(|bytes| (bytes, exporting)))
            },
        ))
    }
}

struct Exporting {
    database: Database,
    chains: Arc<Chains>,
    whose: Whose,
    head: Head,
    header: Option<Bytes>,
    after: i64,
    /// How far the chain was gone through, or where it does not hold.
    held: Result<Walk, Tampered>,
    /// When it was exported; none once its end was written.
    ends_at: Option<Millis>,
}

impl Exporting {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        let events = walk::page(
            &self.database,
            self.whose,
            self.after,
            self.head.seq,
            limits::AUDIT_EXPORTED,
        )
        .await?;
        let Some(last) = events.last().map(|(event, _)| event.seq) else {
            return self.end();
        };
        let mut text = Vec::new();
        for (event, signed) in events {
            if let Ok(walk) = &mut self.held
                && let Err(tampered) = walk.step(&event, signed.as_ref())
            {
                self.held = Err(tampered);
            }
            let body = RawValue::from_string(event.body).map_err(|_| StorageError::Unreadable("an audit event"))?;
            text.extend(line(&EventLine {
                event: body,
                hash: b64::encode(event.hash),
            })?);
            if let Some(Checkpoint {
                seq,
                hash,
                at,
                signature,
            }) = signed
            {
                let checkpoint = Signed::new(&Head { seq, hash }, at, &signature);
                text.extend(line(&CheckpointLine { checkpoint })?);
            }
        }
        self.after = last;
        Ok(Some(text.into()))
    }

    /// The signature over the end, once, of a chain that holds and ends where the database says.
    fn end(&mut self) -> Result<Option<Bytes>, StorageError> {
        let Some(at) = self.ends_at.take() else {
            return Ok(None);
        };
        let (whose, head) = (self.whose, self.head);
        let held = match &self.held {
            Ok(walk) => walk.end(head),
            Err(tampered) => Err(*tampered),
        };
        if let Err(Tampered { seq, how }) = held {
            tracing::error!(%whose, seq, how, "an audit chain does not hold, so the end of its export is not signed");
            return Ok(None);
        }
        let signature = self.chains.key().sign(Place::End, whose, &head, at);
        let end = Signed::new(&head, at, &signature);
        line(&EndLine { end }).map(Some)
    }
}

pub(super) fn line(value: &impl Serialize) -> Result<Bytes, StorageError> {
    let mut text = serde_json::to_vec(value).map_err(|_| StorageError::Unreadable("an audit event"))?;
    text.push(b'\n');
    Ok(text.into())
}
