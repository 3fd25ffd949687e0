//! The one session behind all gateway tokens of a test; it can be ended.

use cells::proxy::{Admission, Sessions, SessionsUnavailable};
use futures::future::BoxFuture;
use protocol::GatewayToken;
use protocol::control::TenantPolicy;
use tokio::sync::watch;

/// What the organisation of the session allows.
pub const POLICY: TenantPolicy = TenantPolicy {
    time_alone_minutes: Some(48 * 60),
    second_person: Some(true),
};

pub struct OneSession {
    over: watch::Sender<bool>,
    pub uses: watch::Sender<u32>,
}

impl Default for OneSession {
    fn default() -> Self {
        Self {
            over: watch::Sender::new(false),
            uses: watch::Sender::new(0),
        }
    }
}

impl OneSession {
    pub fn end(&self) {
        self.over.send_replace(true);
    }
}

struct Admitted {
    over: watch::Receiver<bool>,
    uses: watch::Sender<u32>,
}

impl Sessions for OneSession {
    fn admit<'a>(
        &'a self,
        _: &'a GatewayToken,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Admission>>, SessionsUnavailable>> {
        let over = self.over.subscribe();
        let uses = self.uses.clone();
        Box::pin(async move {
            let stands = !*over.borrow();
            Ok(stands.then(|| Box::new(Admitted { over, uses }) as Box<dyn Admission>))
        })
    }
}

impl Admission for Admitted {
    fn policy(&self) -> TenantPolicy {
        POLICY
    }

    fn used(&self) {
        self.uses.send_modify(|uses| *uses += 1);
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        let mut over = self.over.clone();
        Box::pin(async move {
            let _dropped = over.wait_for(|over| *over).await;
        })
    }
}
