//! Lets the proxy ask management whether the session behind a gateway token still stands.

use std::sync::Arc;

use cells::proxy::{Admission, Sessions, SessionsUnavailable};
use futures::future::BoxFuture;
use management::{ChannelSession, Management};
use protocol::GatewayToken;
use protocol::control::TenantPolicy;

/// What the proxy sees of management.
pub struct SessionsOfManagement {
    management: Arc<Management>,
}

impl SessionsOfManagement {
    pub fn new(management: Arc<Management>) -> Self {
        Self { management }
    }
}

impl Sessions for SessionsOfManagement {
    fn admit<'a>(
        &'a self,
        token: &'a GatewayToken,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Admission>>, SessionsUnavailable>> {
        Box::pin(async move {
            match self.management.channel_session(token).await {
                Ok(session) => Ok(session.map(|session| Box::new(Held(session)) as Box<dyn Admission>)),
                Err(error) => {
                    tracing::error!(%error, "a session could not be looked up");
                    let words = "the server cannot look up your session now: try again in a moment";
                    Err(SessionsUnavailable(words.to_owned()))
                }
            }
        })
    }
}

struct Held(ChannelSession);

impl Admission for Held {
    fn policy(&self) -> TenantPolicy {
        TenantPolicy {
            time_alone_minutes: Some(self.0.time_alone_minutes()),
            second_person: Some(self.0.second_person()),
        }
    }

    fn used(&self) {
        self.0.used();
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.ended()
    }
}
