//! What the platform asks of this keeper, given to whoever does it.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::control::{Outcome, PlatformOp, TenantPolicy};

use crate::approvals::Approvals;
use crate::cell::Cell;
use crate::channel::ChannelHost;
use crate::egress::NamedAddresses;
use crate::platform::{ChannelSocket, PlatformRequests, Welcome};
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultService;

pub(super) struct Requests {
    pub vault: VaultService,
    pub cell: Cell,
    pub host: ChannelHost,
    pub named: NamedAddresses,
    pub unlock: UnlockLink,
    pub approvals: Approvals,
}

impl PlatformRequests for Requests {
    fn welcome<'a>(&'a self, welcome: &'a Welcome) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.vault
                .bind_cell(welcome.cell)
                .await
                .map_err(|error| error.to_string())?;
            self.vault
                .set_lock_after(Duration::from_millis(welcome.config.lock_after_ms));
            self.unlock.set_installation(&welcome.config.public_url);
            self.named.set(welcome.config.private_model_addresses.iter().cloned());
            Ok(())
        })
    }

    fn policy(&self, policy: TenantPolicy) {
        self.vault.set_grant_longest(policy.time_alone_minutes);
        self.approvals.set_second_demanded(policy.second_person);
    }

    fn second_demanded(&self) {
        self.approvals.set_second_demanded(Some(true));
    }

    fn channel(&self, socket: ChannelSocket) -> BoxFuture<'static, ()> {
        let host = self.host.clone();
        Box::pin(async move { host.serve(socket).await })
    }

    fn request(&self, op: PlatformOp) -> BoxFuture<'static, Outcome> {
        let cell = self.cell.clone();
        Box::pin(async move { cell.handle(op).await })
    }
}
