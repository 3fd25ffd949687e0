//! Goes along a chain as it is stored: each event hangs on the one before it, and each place where the installation signs is signed.

use ed25519_dalek::VerifyingKey;

use super::chain;
use super::key::{Place, Whose, is_signed};
use crate::database::Database;
use crate::storage::audit::{self as stored, Checkpoint, Head, Stored};
use crate::storage::{StorageError, TenantTransaction, operator_audit};

/// Where a chain does not hold, and how that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tampered {
    pub seq: i64,
    pub how: &'static str,
}

/// Events after one and up to one, each with the signature over its place, if there is one. Events are only ever added, so what is read
/// needs no lock, and nobody waits for a long chain.
pub(super) async fn page(
    database: &Database,
    whose: Whose,
    after: i64,
    up_to: i64,
    most: i64,
) -> Result<Vec<(Stored, Option<Checkpoint>)>, StorageError> {
    let last_of = |events: &[Stored]| events.last().map_or(after, |event| event.seq);
    let (events, signed) = match whose {
        Whose::Tenant(tenant) => {
            let mut transaction = TenantTransaction::begin(database, tenant).await?;
            let events = stored::in_order(&mut transaction, after, up_to, most).await?;
            let signed = stored::checkpoints(&mut transaction, after, last_of(&events)).await?;
            transaction.commit().await?;
            (events, signed)
        }
        Whose::Operator { .. } => {
            let mut connection = database.pool().acquire().await?;
            let events = operator_audit::in_order(&mut connection, after, up_to, most).await?;
            let signed = operator_audit::checkpoints(&mut connection, after, last_of(&events)).await?;
            (events, signed)
        }
    };
    let mut signed = signed.into_iter().peekable();
    let mut pairs = Vec::with_capacity(events.len());
    for event in events {
        // One over a place that is not there is passed over with it.
        while signed.next_if(|checkpoint| checkpoint.seq < event.seq).is_some() {}
        let checkpoint = signed.next_if(|checkpoint| checkpoint.seq == event.seq);
        pairs.push((event, checkpoint));
    }
    Ok(pairs)
}

/// How far one has come along a chain. It holds up to there.
pub(super) struct Walk {
    whose: Whose,
    key: VerifyingKey,
    at: Head,
}

impl Walk {
    /// At the beginning; `key` is whose signatures count.
    pub(super) fn begin(whose: Whose, key: VerifyingKey) -> Self {
        Self {
            whose,
            key,
            at: Head::BEGINNING,
        }
    }

    pub(super) fn at(&self) -> Head {
        self.at
    }

    /// Goes on to the next event.
    pub(super) fn step(&mut self, event: &Stored, signed: Option<&Checkpoint>) -> Result<(), Tampered> {
        let seq = self.at.seq + 1;
        let tampered = |how| Err(Tampered { seq, how });
        let hash = chain::next(&self.at.hash, &event.body);
        if event.seq != seq {
            return tampered("it is missing");
        }
        if event.hash != hash {
            return tampered("it was changed");
        }
        self.at = Head { seq, hash };
        match signed {
            None if self.whose.is_signed_at(seq) => tampered("the signature over it is missing"),
            Some(Checkpoint {
                hash: over,
                at,
                signature,
                ..
            }) if *over != hash || !is_signed(&self.key, Place::Checkpoint, self.whose, &self.at, *at, signature) => {
                tampered("the signature over it is not of this server's key")
            }
            _ => Ok(()),
        }
    }

    /// The chain ends here, which is where it has to.
    pub(super) fn end(&self, head: Head) -> Result<(), Tampered> {
        match self.at == head {
            true => Ok(()),
            false if self.at.seq < head.seq => Err(Tampered {
                seq: self.at.seq + 1,
                how: "it is missing",
            }),
            false => Err(Tampered {
                seq: head.seq,
                how: "it is not the one that was added last",
            }),
        }
    }
}
