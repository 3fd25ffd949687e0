//! For somebody who lost their second factors: all of them go, and every session ends. A link by mail signs in, until they set one up again.

use crate::audit::{Action, Entry, Target};
use crate::storage::leaving::Leaver;
use crate::storage::{StorageError, TenantTransaction, factors, sessions};

/// What was taken away.
pub(crate) struct Reset {
    pub second_factors: i64,
    pub sessions: u64,
}

impl Reset {
    /// What is written down of it.
    pub(crate) fn entry(&self, person: &Leaver) -> Entry {
        Entry::done(Action::FactorsReset)
            .on(Target::new("person", person.id, &person.name))
            .with("second_factors", self.second_factors)
            .with("sessions", self.sessions)
    }
}

/// Resets the factors of somebody; `None` if they have none.
pub(crate) async fn reset(transaction: &mut TenantTransaction, person: &Leaver) -> Result<Option<Reset>, StorageError> {
    let standing = factors::standing(transaction, person.id).await?;
    let second_factors = i64::from(standing.authenticator) + standing.passkeys;
    if second_factors == 0 {
        return Ok(None);
    }
    factors::remove_all(transaction, person.id).await?;
    let sessions = sessions::end_all(transaction, person.id, None).await?;
    Ok(Some(Reset {
        second_factors,
        sessions,
    }))
}
