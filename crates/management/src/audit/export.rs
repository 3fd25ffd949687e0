//! A tenant's chain as a file of JSON lines that can be checked without us: a header, every event with its hash, the signatures
//! over places of the chain, and last a signature over where it ended when it was exported.

use std::collections::VecDeque;

use axum::body::Bytes;
use futures::Stream;
use protocol::{Millis, TenantId, b64};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::key::Place;
use super::{AuditKey, AuditLog};
use crate::clock::millis;
use crate::database::Database;
use crate::storage::audit::{self as stored, Head};
use crate::storage::{StorageError, TenantTransaction};

/// Events that are read at a time.
const PAGE: i64 = 1000;

/// A line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub holdfast_audit: u8,
    pub tenant: TenantId,
    /// The public key whose signatures follow.
    pub key: String,
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
        // Nobody waits for a long download: events are only ever added, so what is read needs no lock.
        let database = database.clone();
        let at = millis(self.clock.now());
        let key = self.chains.key();
        let header = Header {
            holdfast_audit: 1,
            tenant,
            key: b64::encode(key.public().as_bytes()),
        };
        let end = EndLine {
            end: signed(key, Place::End, tenant, head, at),
        };
        let exporting = Exporting {
            database,
            tenant,
            head,
            after: 0,
            ready: VecDeque::from([line(&header)?]),
            end: Some(line(&end)?),
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

fn signed(key: &AuditKey, place: Place, tenant: TenantId, head: Head, at: Millis) -> Signed {
    Signed {
        seq: head.seq,
        hash: b64::encode(head.hash),
        at,
        signature: b64::encode(key.sign(place, tenant, head.seq, &head.hash, at)),
    }
}

struct Exporting {
    database: Database,
    tenant: TenantId,
    head: Head,
    after: i64,
    ready: VecDeque<Bytes>,
    end: Option<Bytes>,
}

impl Exporting {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if let Some(bytes) = self.ready.pop_front() {
            return Ok(Some(bytes));
        }
        let mut transaction = TenantTransaction::begin(&self.database, self.tenant).await?;
        let events = stored::in_order(&mut transaction, self.after, self.head.seq, PAGE).await?;
        let Some(last) = events.last().map(|event| event.seq) else {
            return Ok(self.end.take());
        };
        let mut checkpoints = stored::checkpoints(&mut transaction, self.after, last)
            .await?
            .into_iter()
            .peekable();
        let mut text = Vec::new();
        for event in events {
            let body = RawValue::from_string(event.body).map_err(|_| StorageError::Unreadable("an audit event"))?;
            text.extend(line(&EventLine {
                event: body,
                hash: b64::encode(event.hash),
            })?);
            while let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.seq == event.seq) {
                let checkpoint = Signed {
                    seq: checkpoint.seq,
                    hash: b64::encode(checkpoint.hash),
                    at: checkpoint.at,
                    signature: b64::encode(checkpoint.signature),
                };
                text.extend(line(&CheckpointLine { checkpoint })?);
            }
        }
        self.after = last;
        Ok(Some(text.into()))
    }
}

fn line(value: &impl Serialize) -> Result<Bytes, StorageError> {
    let mut text = serde_json::to_vec(value).map_err(|_| StorageError::Unreadable("an audit event"))?;
    text.push(b'\n');
    Ok(text.into())
}
