//! What the proxy asks of whoever knows the sessions of people. The proxy itself knows none.

use futures::future::BoxFuture;
use protocol::GatewayToken;
use protocol::control::TenantPolicy;

/// Knows which sessions stand.
pub trait Sessions: Send + Sync + 'static {
    /// Looks up the session that this token was made for; `None` when it is over.
    fn admit<'a>(
        &'a self,
        token: &'a GatewayToken,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Admission>>, SessionsUnavailable>>;
}

/// A session that stood when a channel was opened. Held for as long as the channel is open.
pub trait Admission: Send + Sync {
    /// What the person's organisation wants: told to the keeper.
    fn policy(&self) -> TenantPolicy;
    /// The client wrote: the session is in use.
    fn used(&self);
    /// Returns once the session is over.
    fn ended(&self) -> BoxFuture<'_, ()>;
}

/// Whether the session stands cannot be found out now. The text is for the person.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct SessionsUnavailable(pub String);
