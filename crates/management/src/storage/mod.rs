//! What is stored, a noun a file. Every statement runs in a transaction that speaks for one tenant, or for one presented
//! token or address; row-level security in PostgreSQL holds the line if a statement here forgets to.

pub(crate) mod alerts;
pub(crate) mod api_agents;
pub(crate) mod api_approvals;
pub(crate) mod api_keys;
pub(crate) mod api_schedules;
pub(crate) mod api_sessions;
pub(crate) mod api_templates;
pub(crate) mod api_tenant_keys;
pub(crate) mod api_tenants;
pub(crate) mod api_turns;
pub(crate) mod api_webhooks;
pub(crate) mod api_writes;
pub(crate) mod approval_notices;
pub(crate) mod audit;
pub(crate) mod cells;
pub(crate) mod cells_of_leavers;
pub(crate) mod chain_checks;
pub(crate) mod deliveries;
pub(crate) mod destinations;
pub(crate) mod factors;
mod gathered;
pub(crate) mod group_invitations;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod installation;
mod interval;
pub(crate) mod invitations;
pub(crate) mod join_domains;
pub(crate) mod join_links;
pub(crate) mod join_requests;
pub(crate) mod leaving;
pub(crate) mod letters;
pub(crate) mod linked_accounts;
pub(crate) mod mailboxes;
pub(crate) mod operator;
pub(crate) mod operator_audit;
pub(crate) mod operator_sessions;
pub(crate) mod owner_invitations;
pub(crate) mod passkey_challenges;
pub(crate) mod passkeys;
pub(crate) mod platform_secrets;
pub(crate) mod providers;
pub(crate) mod push_devices;
pub(crate) mod recovery;
pub(crate) mod removal;
pub(crate) mod roles;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod sign_in_attempts;
pub(crate) mod sign_in_links;
pub(crate) mod suspension;
pub(crate) mod tenants;
mod transaction;
pub(crate) mod users;
pub(crate) mod wrapping_keys;

pub(crate) use gathered::LookUps;
pub(crate) use transaction::TenantTransaction;

use std::sync::Arc;

/// Why something could not be stored or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// PostgreSQL cannot be reached, or is starting or stopping.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// A rule of the schema was broken: which one.
    #[error("the constraint {0} does not allow it")]
    Conflict(String),
    #[error("the database refused a statement: {0}")]
    Failed(#[source] Arc<sqlx::Error>),
    /// The organisation is suspended: nobody comes into it.
    #[error("the organisation is suspended")]
    Suspended,
    /// The organisation is not suspended, so it is not removed.
    #[error("the organisation is not suspended")]
    NotSuspended,
    #[error("a stored value cannot be read: {0}")]
    Unreadable(&'static str),
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unavailable(error.into())
            }
            // A connection that broke in the middle of a message.
            sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Self::Unavailable(error.into()),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // Class 08: connection; 57P0x: shutting down, crashed, starting; 53: out of disk, memory, connections.
                Some(code) if code.starts_with("08") || code.starts_with("57P0") || code.starts_with("53") => {
                    Self::Unavailable(error.into())
                }
                Some("HF001") => Self::Suspended,
                Some("HF002") => Self::NotSuspended,
                Some("23505") => Self::Conflict(database.constraint().unwrap_or_default().to_owned()),
                _ => Self::Failed(error.into()),
            },
            _ => Self::Failed(error.into()),
        }
    }
}
